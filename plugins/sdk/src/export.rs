//! The export macro, and the functions that it calls.

use abi::{
    AlgorithmInfo, CreateRequest, ErrorCode, Learner, LearnerHandle, MetricInfo, PluginError,
};
use assay_abi as abi;
use assay_network::Network;
use serde_json::Value;
use tch::Device;

use crate::backpropagation::Backpropagation;
use crate::card;
use crate::device::{self, Opened};
use crate::error::Made;
use crate::exported::{Description, Exported};
use crate::hyperparameters;
use crate::learner::{BATCH_LOSS, INVERSE_LOSS, LAYER_INVERSE_LOSS, at_boundary};
use crate::optimiser::Adam;
use crate::placed::Placed;

/// The version of libtorch that this SDK is built for.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// Makes the crate a plugin that offers the given [`Algorithm`](crate::Algorithm)s, and
/// [`Rule`](crate::Rule)s as [`Standalone`](crate::Standalone). Once per crate, whose type is
/// `cdylib`; the plugin's version is the crate's.
#[macro_export]
macro_rules! export_plugin {
    (
        name = $name:expr,
        description = $description:expr,
        algorithms = [$($algorithm:ty),+ $(,)?] $(,)?
    ) => {
        #[cfg(panic = "abort")]
        compile_error!("a plugin must unwind: remove `panic = \"abort\"` from the profile");

        const _: () = {
            struct Definition;

            impl $crate::abi::PluginDefinition for Definition {
                const MINIMUMS: &'static [$crate::abi::AlgorithmMinimum] = &[$(
                    $crate::abi::AlgorithmMinimum::new(
                        <$algorithm as $crate::Exported>::NAME,
                        <$algorithm as $crate::Exported>::MINIMUM_ACCURACY,
                    )
                ),+];

                fn identity() -> $crate::abi::Identity {
                    $crate::abi::Identity::new($name, env!("CARGO_PKG_VERSION"), $description)
                }

                fn algorithms()
                -> Result<Vec<$crate::abi::AlgorithmInfo>, $crate::abi::PluginError> {
                    Ok(vec![$($crate::info::<$algorithm>()?),+])
                }

                fn create(
                    request: &$crate::abi::CreateRequest<'_>,
                ) -> Result<$crate::abi::LearnerHandle, $crate::abi::PluginError> {
                    let name = request.algorithm.as_str();
                    $(
                        if name == <$algorithm as $crate::Exported>::NAME {
                            return $crate::create::<$algorithm>(request);
                        }
                    )+
                    Err($crate::unknown_algorithm(
                        name,
                        &[$(<$algorithm as $crate::Exported>::NAME),+],
                    ))
                }

                fn create_backpropagation(
                    request: &$crate::abi::CreateRequest<'_>,
                ) -> Result<$crate::abi::LearnerHandle, $crate::abi::PluginError> {
                    $crate::create_backpropagation(request)
                }
            }

            #[used]
            #[unsafe(no_mangle)]
            #[unsafe(link_section = ".assay_handshake")]
            static ASSAY_HANDSHAKE: $crate::abi::Handshake =
                $crate::abi::Handshake::current($crate::LIBTORCH_VERSION);

            #[used]
            #[unsafe(no_mangle)]
            static ASSAY_PLUGIN_V1: $crate::abi::RootHeader =
                $crate::abi::root_header::<Definition>();
        };
    };
}

/// Description of `A` for the host.
pub fn info<A: Exported>() -> Result<AlgorithmInfo, PluginError> {
    describe(&A::description(), hyperparameters::schema::<A::Config>()?)
}

/// The description of an algorithm whose hyper-parameters have this schema.
fn describe(about: &Description, mut schema: Value) -> Result<AlgorithmInfo, PluginError> {
    let metric = |name: &str, description: &str| MetricInfo {
        name: name.into(),
        description: description.into(),
    };
    let mut metrics = vec![metric(
        BATCH_LOSS,
        "mean task loss of the step's batch before its update: the cross-entropy in nats, or the \
         squared error of a reconstruction summed over the units",
    )];
    for (name, description) in about.metrics {
        metrics.push(metric(name, description));
    }
    if about.has_inverse_loss {
        metrics.push(metric(
            INVERSE_LOSS,
            "squared error of the inverses on the step's batch before its update: mean over the \
             batch, sum over units and layers",
        ));
        metrics.push(metric(
            LAYER_INVERSE_LOSS,
            "the part of the inverses of layer l in it, for each layer with inverses",
        ));
    }
    if let (Some(schema), false) = (schema.as_object_mut(), about.refusals.is_empty()) {
        let refusals = serde_json::to_value(&about.refusals).map_err(|error| {
            let message = format!(
                "the refusals of `{}` have no JSON form: {error}",
                about.name
            );
            PluginError::new(ErrorCode::OTHER, message)
        })?;
        schema.insert("refusals".to_owned(), refusals);
    }
    if let (Some(schema), false) = (schema.as_object_mut(), about.transports.is_empty()) {
        schema.insert("transports".to_owned(), about.transports.into());
    }
    if let (Some(schema), true) = (schema.as_object_mut(), about.is_portable) {
        let devices = [device::CPU, device::CUDA_PORTABLE];
        schema.insert("portable".to_owned(), devices.as_slice().into());
        // Of every learner of the SDK: what they share are kernels, which nothing changes.
        schema.insert("concurrent".to_owned(), true.into());
    }
    Ok(AlgorithmInfo {
        name: about.name.into(),
        summary: about.summary.into(),
        reference: about.reference.into(),
        hyperparameters: schema.to_string().into(),
        metrics: metrics.into(),
    })
}

/// A learner that trains with `A`.
pub fn create<A: Exported>(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
    let config = hyperparameters::parse::<A::Config>(request.hyperparameters.as_str())?;
    learner(request, &|network, device| {
        A::learner(network, &config, request.seed, device)
    })
}

/// A learner whose directions are the exact gradient.
pub fn create_backpropagation(request: &CreateRequest<'_>) -> Result<LearnerHandle, PluginError> {
    learner(request, &|network, device| {
        Backpropagation::learner(network, &Adam::default(), request.seed, device)
    })
}

/// The learner that `make` makes for the network of `request` where that asks for it.
fn learner(
    request: &CreateRequest<'_>,
    make: &dyn Fn(&Network, Device) -> Made<dyn Learner>,
) -> Result<LearnerHandle, PluginError> {
    let network: Network = serde_json::from_str(request.network.as_str()).map_err(|error| {
        PluginError::new(
            ErrorCode::UNSUPPORTED,
            format!("the network is not valid: {error}"),
        )
    })?;
    device::set_threads(request.threads)?;
    let Opened { device, card } = device::open(request.device.as_str())?;
    let learner = card::serve(card.as_ref(), || at_boundary(|| make(&network, device)))?;
    Ok(LearnerHandle::new(Placed { learner, card }))
}

/// The error for a name that is none of `known`.
pub fn unknown_algorithm(name: &str, known: &[&str]) -> PluginError {
    PluginError::new(
        ErrorCode::UNSUPPORTED,
        format!("the plugin has no algorithm `{name}`"),
    )
    .with_help(format!("it has {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use assay_abi::{LoadedPlugin, RootHeader};

    use crate::{Adam, Algorithm, Directions, Error, Pass, Setup};

    struct Modest;
    struct Bold;

    macro_rules! algorithm {
        ($algorithm:ident, $name:literal, $minimum:expr) => {
            impl Algorithm for $algorithm {
                type Config = Adam;
                const NAME: &'static str = $name;
                const SUMMARY: &'static str = "A test.";
                const REFERENCE: &'static str = "none";
                const MINIMUM_ACCURACY: Option<f64> = $minimum;

                fn new(_setup: &mut Setup<'_>, _config: &Adam) -> Result<Self, Error> {
                    Ok(Self)
                }

                fn directions(
                    &mut self,
                    _pass: &Pass<'_>,
                    _out: &mut Directions<'_>,
                ) -> Result<(), Error> {
                    Ok(())
                }
            }
        };
    }

    algorithm!(Modest, "modest", None);
    algorithm!(Bold, "bold", Some(0.875));

    crate::export_plugin!(
        name = "promises",
        description = "A test.",
        algorithms = [Modest, Bold],
    );

    #[test]
    fn what_an_algorithm_promises_reaches_the_host() {
        unsafe extern "C" {
            #[link_name = "ASSAY_PLUGIN_V1"]
            static ROOT: [u8; size_of::<RootHeader>()];
        }
        // SAFETY: the macro above exports it from this very binary, which is never unloaded.
        let plugin = unsafe { LoadedPlugin::from_symbol((&raw const ROOT).cast()) }.unwrap();
        assert_eq!(plugin.identity().unwrap().name, "promises");
        assert_eq!(plugin.minimum("bold"), Some(0.875));
        assert_eq!(plugin.minimum("modest"), None);
    }
}
