//! The root module: who a plugin is, what it offers, and how the host gets hold of it.
//!
//! It is frozen: no field of [`Plugin`], or of any type that one of its functions mentions, is ever
//! added, removed, renamed or moved within major version 1. The boundary grows through
//! [`Plugin::query`].

// The derive of `abi_stable` writes `Clone` by hand for the reference to a root module.
#![allow(clippy::expl_impl_clone_on_copy)]

use std::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::library::{
    __call_root_module_loader as call_root_module_loader, AbiHeaderRef, CheckTypeLayout, LibHeader,
    LibraryError, RootModule, RootModuleResult,
};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RStr, RString, RVec};

use crate::error::{ErrorCode, Fallible, PluginError};
use crate::extension::{
    AlgorithmMinimum, Backpropagation, CostExtension, Extension, ExtensionError, Minimum,
    ResidentExtension, offered, read,
};
use crate::guard::guard;
use crate::learner::{
    CreateRequest, LearnerExtensions, LearnerHandle, cost_of_learner, lend_to_learner,
    predict_of_learner_resident, train_learner_resident,
};

/// The symbol of the root module. A break of the boundary is a new symbol, tried first.
pub const ROOT_SYMBOL: &str = "ASSAY_PLUGIN_V1";

/// The identity of a plugin.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The plugin's name.
    pub name: RString,
    /// The plugin's version.
    pub version: RString,
    /// Description of the plugin, in one sentence.
    pub description: RString,
}

impl Identity {
    /// A plugin's name, version and description.
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: description.into(),
        }
    }
}

/// A metric that an algorithm reports while it trains.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct MetricInfo {
    /// The name it is reported under.
    pub name: RString,
    /// Quantity that it measures, with its unit.
    pub description: RString,
}

/// An algorithm that a plugin offers.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct AlgorithmInfo {
    /// The name that a pipeline file uses.
    pub name: RString,
    /// Description of the algorithm, in one sentence.
    pub summary: RString,
    /// The publication.
    pub reference: RString,
    /// The JSON Schema of its hyper-parameters, defaults included.
    pub hyperparameters: RString,
    /// The metrics it reports.
    pub metrics: RVec<MetricInfo>,
}

/// The root module of a plugin.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef)))]
#[sabi(missing_field(panic))]
pub struct Plugin {
    /// The plugin's identity.
    pub identity: extern "C" fn() -> Fallible<Identity>,
    /// Algorithms that the plugin offers.
    pub algorithms: extern "C" fn() -> Fallible<RVec<AlgorithmInfo>>,
    /// Creates a learner.
    pub create: extern "C" fn(&CreateRequest<'_>) -> Fallible<LearnerHandle>,
    /// The extension `name/version`: the address of a frozen struct that starts with its own size
    /// and lives as long as the process, or null if the plugin does not have it.
    #[sabi(last_prefix_field)]
    pub query: extern "C" fn(RStr<'_>) -> *const c_void,
}

impl RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "assay_plugin";
    const NAME: &'static str = "assay_plugin";
    // `abi_stable` refuses a plugin by this version; what decides is the handshake and the layout.
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

/// Definition of a plugin, which its author provides through the SDK's export macro.
pub trait PluginDefinition: 'static {
    /// Accuracies that its algorithms promise to reach: the extension `minimum/1`.
    const MINIMUMS: &'static [AlgorithmMinimum] = &[];

    /// The plugin's identity.
    fn identity() -> Identity;
    /// Algorithms that the plugin offers.
    fn algorithms() -> Result<Vec<AlgorithmInfo>, PluginError>;
    /// Creates a learner.
    fn create(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError>;

    /// Creates a learner whose directions are the gradient of the task loss, for the network, the seed,
    /// the device and the threads of the request: the extension `backpropagation/1`. Its state has the
    /// network's parameters under the names that the plugin's other learners give them.
    fn create_backpropagation(_: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        Err(PluginError::new(
            ErrorCode::UNSUPPORTED,
            "the plugin has no backpropagation",
        ))
    }
}

/// The value at [`ROOT_SYMBOL`]: the description of the interface, and the constructor of the root
/// module.
pub type RootHeader = LibHeader;

/// The content of [`ROOT_SYMBOL`] for `P`; the SDK's export macro puts it there.
pub const fn root_header<P: PluginDefinition>() -> RootHeader {
    // SAFETY: `erased_root_module` returns a `PluginRef`. This is what the attribute
    // `abi_stable::export_root_module` expands to, except that the symbol is ours.
    unsafe {
        LibHeader::from_constructor::<PluginRef>(erased_root_module::<P>, CheckTypeLayout::Yes)
    }
}

extern "C" fn erased_root_module<P: PluginDefinition>() -> RootModuleResult {
    call_root_module_loader(root_module::<P>)
}

/// The root module of `P`, every entry with panics contained.
fn root_module<P: PluginDefinition>() -> PluginRef {
    Plugin {
        identity: identity::<P>,
        algorithms: algorithms::<P>,
        create: create::<P>,
        query: query::<P>,
    }
    .leak_into_prefix()
}

extern "C" fn identity<P: PluginDefinition>() -> Fallible<Identity> {
    guard("identity", || Ok(P::identity()))
}

extern "C" fn algorithms<P: PluginDefinition>() -> Fallible<RVec<AlgorithmInfo>> {
    guard("algorithms", || P::algorithms().map(RVec::from))
}

extern "C" fn create<P: PluginDefinition>(request: &CreateRequest<'_>) -> Fallible<LearnerHandle> {
    guard("create", || P::create(request))
}

extern "C" fn create_backpropagation<P: PluginDefinition>(
    request: &CreateRequest<'_>,
) -> Fallible<LearnerHandle> {
    guard("create", || P::create_backpropagation(request))
}

extern "C" fn query<P: PluginDefinition>(name: RStr<'_>) -> *const c_void {
    match name.as_str() {
        Backpropagation::NAME => {
            offered(const { &Backpropagation::new(create_backpropagation::<P>) })
        }
        CostExtension::NAME => offered(const { &CostExtension::new(cost_of_learner) }),
        Minimum::NAME => offered(const { &Minimum::new(P::MINIMUMS) }),
        ResidentExtension::NAME => offered(
            const {
                &ResidentExtension::new(
                    lend_to_learner,
                    train_learner_resident,
                    predict_of_learner_resident,
                )
            },
        ),
        _ => std::ptr::null(),
    }
}

/// Why the root module of a loaded library was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The library was built against another version of this crate or of `abi_stable`.
    #[error("its interface does not match this host's")]
    Layout {
        /// Differences, one a line.
        details: String,
    },
    /// An extension is not what its name stands for.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
    /// The plugin's constructor failed.
    #[error("its root module could not be made: {0}")]
    Constructor(String),
}

/// A plugin whose interface was checked.
#[derive(Clone, Copy)]
pub struct LoadedPlugin {
    root: PluginRef,
    backpropagation: Option<&'static Backpropagation>,
    cost: Option<&'static CostExtension>,
    minimum: Option<&'static Minimum>,
    resident: Option<&'static ResidentExtension>,
}

impl LoadedPlugin {
    /// Checks and takes the root module that lies at [`ROOT_SYMBOL`] of a loaded library, and the
    /// extensions that this version knows.
    ///
    /// # Safety
    /// `symbol` is the address of [`ROOT_SYMBOL`] in a library that is never unloaded and
    /// whose [`Handshake`](crate::Handshake) was accepted.
    ///
    /// # Errors
    /// The library was built against another interface.
    pub unsafe fn from_symbol(symbol: *const c_void) -> Result<Self, LoadError> {
        // SAFETY: the caller promises that a `LibHeader` lies there, which starts with an
        // `AbiHeader`; `AbiHeaderRef` is a transparent reference to one.
        let header: AbiHeaderRef = unsafe { std::mem::transmute(symbol) };
        let library = header.upgrade().map_err(refused)?;
        let root = library.init_root_module::<PluginRef>().map_err(refused)?;
        // SAFETY: the plugin answers the query for this very name.
        let minimum = unsafe { read(root.query()(Minimum::NAME.into())) }?;
        // SAFETY: as above.
        let backpropagation = unsafe { read(root.query()(Backpropagation::NAME.into())) }?;
        // SAFETY: as above.
        let cost = unsafe { read(root.query()(CostExtension::NAME.into())) }?;
        // SAFETY: as above.
        let resident = unsafe { read(root.query()(ResidentExtension::NAME.into())) }?;
        Ok(Self {
            root,
            backpropagation,
            cost,
            minimum,
            resident,
        })
    }

    /// The plugin's identity.
    pub fn identity(&self) -> Result<Identity, PluginError> {
        self.root.identity()().into_result()
    }

    /// Algorithms that the plugin offers.
    pub fn algorithms(&self) -> Result<Vec<AlgorithmInfo>, PluginError> {
        self.root.algorithms()().into_result().map(RVec::into_vec)
    }

    /// The share of samples, 0 to 1, that `algorithm` promises to get right on the conformance
    /// kit's small task; `None` where it promises nothing.
    pub fn minimum(&self, algorithm: &str) -> Option<f64> {
        self.minimum?.of(algorithm)
    }

    /// Creates a learner.
    pub fn create(&self, request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
        let learner = self.root.create()(request).into_result()?;
        if self.cost.is_some() || self.resident.is_some() {
            learner.extend(LearnerExtensions {
                cost: self.cost,
                resident: self.resident,
                algorithm: request.algorithm.as_str().into(),
            });
        }
        Ok(learner)
    }

    /// Creates a learner of backpropagation for the network of the request, whose algorithm and
    /// hyper-parameters it has no use for; `None` where the plugin does not have the extension
    /// `backpropagation/1`.
    pub fn create_backpropagation(
        &self,
        request: &CreateRequest<'_>,
    ) -> Option<Result<LearnerHandle, PluginError>> {
        Some(self.backpropagation?.create(request))
    }
}

fn refused(error: LibraryError) -> LoadError {
    match error {
        LibraryError::RootModule { .. } => LoadError::Constructor(error.to_string()),
        other => LoadError::Layout {
            details: differences(&other.to_string()),
        },
    }
}

/// The differences alone, one a line, of a comparison in the words of `abi_stable`, which describes
/// every type around them in tens of kilobytes; what is no such comparison is left as it is.
fn differences(comparison: &str) -> String {
    let blocks = comparison.split("\nError:").skip(1);
    let found = blocks.map(|block| {
        let lines = block.lines().map(str::trim);
        let words: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let line = words.join(" ");
        line.replace(" Expected: ", ": expected ")
            .replace(" Found: ", ", found ")
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return comparison.to_owned();
    }
    found.join("\n")
}
