//! Freezes a plan: pins each plugin by the hash of its library, asks it for its schema, checks
//! every hyper-parameter and fills in the defaults. What comes out decides everything, so
//! nothing that happens on disk afterwards can change what the run does.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{mem, thread};

use assay_core::{
    Action, ActionKey, ActionParts, Advice, ArtifactHash, CanonicalError, Complaints, Diagnostic,
    Environment, Limits, Place, Places, PluginPin, Resources, Spelled, StageKind,
};
use assay_network::Refusal as NetworkRefusal;
use assay_store::{SourceHashes, Store};
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use rayon::prelude::*;
use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ask::ask;
use crate::cancel::Cancel;
use crate::environment::{Settings, environment, is_on_card, portable};
use crate::error::EngineError;
use crate::lock::LockWatch;
use crate::notice::FirstUse;
use crate::plan::{PlannedStage, PluginUse, place};
use crate::plugin::{
    AlgorithmDescription, Libraries, Library, PluginError, PluginReference, SearchPath, properties,
};
use crate::resolve::LEAST_SHARE;
use crate::stages::TrainingParameters;
use crate::supervise::Failure;
use crate::trust::{Trust, TrustPolicy};

/// A stage with everything decided but the artifacts it reads.
#[derive(Clone, Debug)]
pub(crate) struct FrozenStage {
    pub(crate) planned: Arc<PlannedStage>,
    /// The parameters of its action, a plugin's defaults filled in; where a ranking decides them, those
    /// that it does not decide.
    parameters: Map<String, Value>,
    /// Its plugin, shared by all stages that use it.
    plugin: Option<Arc<Pinned>>,
    /// Why it cannot run: its plugin could not say what it offers, and the run goes on without.
    pub(crate) refused: Option<Refusal>,
}

impl FrozenStage {
    /// The key of its action, given the artifacts that it reads and the parameters that a ranking chose,
    /// if one decides them.
    pub(crate) fn key(
        &self,
        inputs: &BTreeMap<String, ArtifactHash>,
        chosen: &Map<String, Value>,
    ) -> Result<ActionKey, CanonicalError> {
        if !chosen.is_empty() {
            let action = self.action(inputs.clone(), chosen.clone());
            return Ok(action.document()?.0);
        }
        let kind = self.planned.kind();
        let parts = ActionParts {
            kind,
            revision: kind.revision(),
            parameters: &self.parameters,
            inputs,
            plugin: self.plugin.as_ref().map(|plugin| &plugin.pin),
            environment: self.spelled_environment(),
        };
        parts.key()
    }

    /// Its action, given the same.
    pub(crate) fn action(
        &self,
        inputs: BTreeMap<String, ArtifactHash>,
        mut chosen: Map<String, Value>,
    ) -> Action {
        chosen.extend(self.parameters.clone());
        let plugin = self.plugin.as_ref().map(|plugin| (*plugin.pin).clone());
        let environment = self.environment().cloned();
        Action::new(self.planned.kind(), chosen, inputs, plugin, environment)
    }

    /// The numerical environment of its action, if a plugin computes there.
    pub(crate) fn environment(&self) -> Option<&Environment> {
        self.spelled_environment().map(Deref::deref)
    }

    fn spelled_environment(&self) -> Option<&Spelled<Environment>> {
        let wanted = self.planned.plugin.as_ref()?;
        Some(self.plugin.as_ref()?.environment(&wanted.algorithm.value))
    }

    /// True if it computes on a card.
    pub(crate) fn is_on_card(&self) -> bool {
        let moved = || {
            let wanted = self.planned.plugin.as_ref()?;
            self.plugin.as_ref()?.moved(&wanted.algorithm.value)
        };
        is_on_card(self.environment()) || moved().is_some()
    }

    /// True if one worker may execute it and `other` at once: both train, or both evaluate, on a card with the
    /// bits of a processor, which neither can then change for the other.
    pub(crate) fn shares_worker_with(&self, other: &Self) -> bool {
        let own = self.shared_by();
        own.is_some() && own == other.shared_by() && self.planned.limits == other.planned.limits
    }

    /// Kind and plugin of a stage that may share a worker.
    fn shared_by(&self) -> Option<(StageKind, &PluginPin)> {
        let wanted = self.planned.plugin.as_ref()?;
        let plugin = self.plugin.as_deref()?;
        plugin.moved(&wanted.algorithm.value)?;
        let algorithm = plugin.algorithms.get(&wanted.algorithm.value)?;
        let kind = self.planned.kind();
        let computes = matches!(kind, StageKind::Train | StageKind::Evaluate);
        (computes && algorithm.is_concurrent).then_some((kind, &plugin.pin))
    }

    /// The resources that it asks for, those that follow from its environment included.
    pub(crate) fn resources(&self) -> Resources {
        self.planned.resources.or(Resources {
            cpus: self.plugin.as_ref().map(|plugin| plugin.threads),
            gpus: self.is_on_card().then_some(1),
            ..Resources::default()
        })
    }

    /// The file of its plugin's library, unless that was found in the store.
    pub(crate) fn library(&self) -> Option<&Path> {
        self.plugin.as_ref()?.library.as_deref()
    }

    /// Its action as far as it is known before anything has run.
    pub(crate) fn action_without_inputs(&self) -> Action {
        self.action(BTreeMap::new(), Map::new())
    }
}

/// A plugin that failed when it was asked what it offers.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    plugin: String,
    failure: Arc<Failure>,
}

impl Refusal {
    /// As the failure of a stage.
    pub(crate) fn failure(&self) -> Failure {
        Failure::Refused {
            plugin: self.plugin.clone(),
            failure: Arc::clone(&self.failure),
        }
    }
}

/// A plugin whose library lies in the store and that said what it offers.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) pin: Spelled<PluginPin>,
    /// The threads of one action.
    threads: u32,
    environment: Spelled<Environment>,
    /// That of its portable algorithms.
    portable: Spelled<Environment>,
    /// That of its algorithms that compute on cards as on a processor, if that is asked for.
    moved: Option<Spelled<Environment>>,
    /// The file of the library, unless it was found in the store.
    library: Option<PathBuf>,
    algorithms: HashMap<String, Algorithm>,
}

/// Outcome of asking a plugin.
enum Answered {
    Pinned(Arc<Pinned>),
    /// It cannot be used, as a complaint says.
    Complaint,
    /// It failed.
    Refused(Refusal),
}

#[derive(Debug)]
pub(crate) struct Algorithm {
    schema: Value,
    validator: Validator,
    is_portable: bool,
    is_portable_on_cards: bool,
    is_concurrent: bool,
}

impl Pinned {
    /// The numerical environment of an action of one of its algorithms.
    pub(crate) fn environment(&self, algorithm: &str) -> &Spelled<Environment> {
        match (self.moved(algorithm), self.algorithms.get(algorithm)) {
            (Some(moved), _) => moved,
            (None, Some(algorithm)) if algorithm.is_portable => &self.portable,
            _ => &self.environment,
        }
    }

    /// That of an algorithm which computes on a card as on a processor.
    fn moved(&self, algorithm: &str) -> Option<&Spelled<Environment>> {
        let algorithm = self.algorithms.get(algorithm)?;
        let moved = self.moved.as_ref();
        moved.filter(|_| algorithm.is_portable_on_cards)
    }

    /// Names of the algorithms that the plugin offers, sorted.
    pub(crate) fn algorithm_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.algorithms.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The algorithm that is wanted; one that is not there is a complaint.
    pub(crate) fn algorithm(
        &self,
        wanted: &PluginUse,
        complaints: &mut Complaints,
    ) -> Option<&Algorithm> {
        let PluginUse {
            reference,
            algorithm,
        } = wanted;
        let found = self.algorithms.get(&algorithm.value);
        if found.is_none() {
            let known = self.algorithm_names();
            let message = format!(
                "the plugin `{}` has no algorithm `{}`",
                reference.value, algorithm.value
            );
            complaints.push(
                Diagnostic::new(message, &algorithm.place)
                    .help(complaints.choices(&algorithm.value, known.into_iter())),
            );
        }
        found
    }
}

/// Context for freezing a plan.
pub(crate) struct Freezer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) sources: &'a mut SourceHashes,
    pub(crate) search: &'a SearchPath,
    pub(crate) trust: &'a TrustPolicy,
    pub(crate) settings: &'a Settings,
    pub(crate) cancel: &'a Cancel,
    /// The folder of the pipeline file.
    pub(crate) base: &'a Path,
    /// The lock that the plan is compared with.
    pub(crate) lock: Option<&'a mut LockWatch>,
    /// First uses of libraries, of which the user should know.
    pub(crate) notices: Vec<FirstUse>,
    /// Resource limits that the file sets for every worker.
    pub(crate) limits: Limits,
}

impl Freezer<'_> {
    /// Freezes every stage; gives none once there are complaints.
    ///
    /// # Errors
    /// A plugin or hyper-parameter that cannot be used is a complaint in `complaints`; an error
    /// is a store or worker that failed.
    pub(crate) fn freeze(
        &mut self,
        stages: Vec<PlannedStage>,
        complaints: &mut Complaints,
    ) -> Result<Vec<FrozenStage>, EngineError> {
        let mut plugins: HashMap<String, Answered> = HashMap::new();
        for stage in &stages {
            self.cancel.check()?;
            if let Some(PluginUse { reference, .. }) = &stage.plugin
                && !plugins.contains_key(&reference.value)
            {
                let answered = self.answered(&reference.value, &reference.place, complaints)?;
                plugins.insert(reference.value.clone(), answered);
            }
        }
        let (count, is_sound) = (stages.len(), complaints.is_empty());
        let none = || (Vec::new(), complaints.sibling());
        let freeze = |(mut frozen, mut complaints): (Vec<_>, Complaints),
                      mut stage: PlannedStage| {
            let answered = stage.plugin.as_ref();
            let answered = answered.and_then(|wanted| plugins.get(&wanted.reference.value));
            let (mut plugin, mut refused) = (None, None);
            match answered {
                Some(Answered::Pinned(pinned)) => {
                    fit(&mut stage, pinned, &mut complaints);
                    plugin = Some(Arc::clone(pinned));
                }
                Some(Answered::Refused(refusal)) => refused = Some(refusal.clone()),
                Some(Answered::Complaint) | None => {}
            }
            // What was complained about may have no parameters.
            if is_sound && complaints.is_empty() {
                frozen.push(FrozenStage {
                    parameters: stage.parameters()?,
                    planned: Arc::new(stage),
                    plugin,
                    refused,
                });
            }
            Ok::<_, EngineError>((frozen, complaints))
        };
        let parts: Vec<_> = if count <= LEAST_SHARE {
            vec![stages.into_iter().try_fold(none(), freeze)?]
        } else {
            let stages = stages.into_par_iter().with_min_len(LEAST_SHARE);
            stages.try_fold(none, freeze).collect::<Result<_, _>>()?
        };
        let mut frozen = Vec::with_capacity(count);
        for (part, found) in parts {
            frozen.extend(part);
            complaints.append(found);
        }
        if !complaints.is_empty() {
            frozen.clear();
        }
        Ok(frozen)
    }

    /// Like [`Freezer::pin`]; where the run keeps going, a plugin that fails takes its own stages
    /// with it and no others.
    fn answered(
        &mut self,
        reference: &str,
        place: &Place,
        complaints: &mut Complaints,
    ) -> Result<Answered, EngineError> {
        match self.pin(reference, place, complaints) {
            Ok(Some(pinned)) => Ok(Answered::Pinned(Arc::new(pinned))),
            Ok(None) => Ok(Answered::Complaint),
            Err(EngineError::Describe { plugin, failure })
                if self.settings.keep_going && failure.is_of_worker() =>
            {
                let failure = Arc::new(failure);
                Ok(Answered::Refused(Refusal { plugin, failure }))
            }
            Err(error) => Err(error),
        }
    }

    /// Finds the library, copies it into the store and asks it what it offers.
    pub(crate) fn pin(
        &mut self,
        reference: &str,
        place: &Place,
        complaints: &mut Complaints,
    ) -> Result<Option<Pinned>, EngineError> {
        let Some((library, trust)) = self.admit(reference, place, complaints)? else {
            return Ok(None);
        };
        let pin = library.pin();
        let answer = ask(self.store, &pin, self.limits, self.cancel)?;
        if let Some(complaint) = unmet(reference, &answer.description.version, place) {
            complaints.push(complaint);
            return Ok(None);
        }
        let locked = self.lock.as_ref().is_some_and(|it| it.has(reference, &pin));
        if trust == Trust::Nobody && !locked && !answer.remembered {
            self.notices.extend(FirstUse::of(reference, &library));
        }
        if let Some(lock) = &mut self.lock {
            lock.found_plugin(reference, &answer.description.version, &pin);
        }
        let algorithms = answer.description.algorithms.into_iter();
        let algorithms = algorithms.filter_map(|algorithm| match usable(&algorithm) {
            Ok(validator) => {
                let is_portable = algorithm.is_portable();
                let is_portable_on_cards = algorithm.is_portable_on_cards();
                let is_concurrent = algorithm.is_concurrent();
                let of_name = Algorithm {
                    schema: algorithm.hyperparameters,
                    validator,
                    is_portable,
                    is_portable_on_cards,
                    is_concurrent,
                };
                Some((algorithm.name, of_name))
            }
            Err(reason) => {
                let message = format!(
                    "the plugin `{reference}` describes `{}` badly: {reason}",
                    algorithm.name
                );
                complaints.push(Diagnostic::new(message, place));
                None
            }
        });
        let algorithms = algorithms.collect();
        let libtorch = library.handshake.libtorch();
        let Settings {
            device,
            threads,
            portable: as_on_processor,
            ..
        } = self.settings;
        let cuda = device.environment(self.store, &pin, &libtorch, self.cancel)?;
        let on_processor = || portable(&environment(*threads, libtorch.clone(), None));
        let moved = (*as_on_processor && cuda.is_some()).then(on_processor);
        let environment = environment(*threads, libtorch, cuda);
        let spelled = |environment| Spelled::new(environment).map_err(EngineError::Canonical);
        Ok(Some(Pinned {
            algorithms,
            threads: *threads,
            portable: spelled(portable(&environment))?,
            moved: moved.map(spelled).transpose()?,
            environment: spelled(environment)?,
            library: library.file,
            pin: Spelled::new(pin).map_err(EngineError::Canonical)?,
        }))
    }

    /// The library, if it may be run: everything here comes before any of its code does.
    fn admit(
        &mut self,
        reference: &str,
        place: &Place,
        complaints: &mut Complaints,
    ) -> Result<Option<(Library, Trust)>, EngineError> {
        let mut libraries = Libraries {
            store: self.store,
            sources: &mut *self.sources,
            search: self.search,
            base: self.base,
        };
        let library = match libraries.obtain(reference) {
            Ok(library) => library,
            Err(EngineError::Plugin(error)) => {
                complaints.push(unusable(&error, place));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(lock) = &mut self.lock
            && !lock.plugin(reference, place, &library.pin(), complaints)
        {
            return Ok(None);
        }
        match self.trust.admit(self.store, &library) {
            Ok(trust) => Ok(Some((library, trust))),
            Err(EngineError::Untrusted(refused)) => {
                complaints.push(
                    Diagnostic::new(refused.to_string(), place).help(refused.help().into_owned()),
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Draws the hyper-parameters of a trial, fills in the defaults, and checks what its plugin's algorithm
/// makes of the stage.
fn fit(stage: &mut PlannedStage, pinned: &Pinned, complaints: &mut Complaints) {
    let Some(wanted) = &stage.plugin else { return };
    let Some(algorithm) = pinned.algorithm(wanted, complaints) else {
        return;
    };
    if let Err(reason) = stage.work.draw(&algorithm.schema) {
        let place = place(&stage.places, "space");
        complaints.extend(place.map(|at| Diagnostic::new(reason, at)));
    }
    if let Some(training) = stage.work.training_mut() {
        let given = &mut training.hyperparameters;
        complete(given, &stage.places, algorithm, complaints);
        let complaint = refused_network(wanted, training, &stage.places, algorithm);
        complaints.extend(complaint);
        complaints.extend(refused_length(training, &stage.places, algorithm));
    }
}

/// The complaint about a network that the algorithm declares it cannot train. A declaration that this
/// version does not understand is left to the learner.
fn refused_network(
    wanted: &PluginUse,
    training: &TrainingParameters,
    places: &Places,
    algorithm: &Algorithm,
) -> Option<Diagnostic> {
    let declared = algorithm.schema.get("refusals")?.as_array()?;
    let refusals = declared
        .iter()
        .filter_map(|it| NetworkRefusal::deserialize(it).ok());
    let applies = |it: &NetworkRefusal| it.applies(&training.network, &training.hyperparameters);
    let reason = refusals.into_iter().find(applies)?.reason;
    let place = place(places, "network").unwrap_or(&wanted.algorithm.place);
    let name = &wanted.algorithm.value;
    let message = format!("the algorithm `{name}` cannot train this network: {reason}");
    Some(Diagnostic::new(message, place))
}

/// The complaint about an array with one item for each layer (`"length": "layers"` in the schema) that has
/// neither that many nor none.
fn refused_length(
    training: &TrainingParameters,
    places: &Places,
    algorithm: &Algorithm,
) -> Option<Diagnostic> {
    let layers = training.network.layers().len();
    let properties = properties(&algorithm.schema)?;
    properties.iter().find_map(|(name, property)| {
        let is_by_layer = property.get("length").and_then(Value::as_str) == Some("layers");
        let length = training.hyperparameters.get(name)?.as_array()?.len();
        if !is_by_layer || length == 0 || length == layers {
            return None;
        }
        let place = place(places, &format!("hyperparameters.{name}"))?;
        let message = format!(
            "the hyper-parameter `{name}` has {length} values, and the network {layers} layers"
        );
        let help = "give one for each layer, from the first on, or none";
        Some(Diagnostic::new(message, place).help(help.to_owned()))
    })
}

/// The complaint about a plugin whose `version` is not what the reference requires.
fn unmet(reference: &str, version: &str, place: &Place) -> Option<Diagnostic> {
    let wanted = reference.parse::<PluginReference>().ok()?;
    let required = wanted.version.as_ref()?;
    let is_met = Version::parse(version).is_ok_and(|version| required.matches(&version));
    (!is_met).then(|| {
        let message = format!(
            "the plugin `{}` has version {version}, and {required} is required",
            wanted.name()
        );
        let help = "install the version that is required, or name its file; `pipeline plugin list` \
                    shows what a name finds";
        Diagnostic::new(message, place).help(help.to_owned())
    })
}

fn unusable(error: &PluginError, place: &Place) -> Diagnostic {
    let message = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Diagnostic::new(message, place).help(error.help().into_owned())
}

/// Starts to prepare the check that a schema is one. That takes milliseconds, once in a process, and can
/// go on beside the reading of the plan.
pub(crate) fn prepare_schema_check() {
    let prepare = || jsonschema::draft202012::meta::is_valid(&Value::Bool(true));
    // Without a thread to be had, whoever needs it first prepares it.
    let _ = thread::Builder::new().spawn(prepare);
}

/// The validator of an algorithm's schema. References are refused: a schema describes itself.
fn usable(algorithm: &AlgorithmDescription) -> Result<Validator, String> {
    if !algorithm.hyperparameters.is_object() {
        return Err("its schema is not an object".to_owned());
    }
    let schema = &algorithm.hyperparameters;
    let validator = jsonschema::validator_for(schema).map_err(|error| error.to_string())?;
    let defaults: Map<_, _> = (properties(schema).into_iter().flatten())
        .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
        .collect();
    let defaults = Value::Object(defaults);
    // Of what is absent nothing is said here: only of a default that is there.
    let refusal = validator
        .iter_errors(&defaults)
        .find(|refusal| !refusal.instance_path().as_str().is_empty())
        .map(|refusal| {
            let name = refusal.instance_path().as_str().trim_start_matches('/');
            format!("its schema refuses its own default for `{name}`: {refusal}")
        });
    refusal.map_or(Ok(validator), Err)
}

/// Fills in the defaults of the schema and checks every hyper-parameter against it.
pub(crate) fn complete(
    given: &mut Map<String, Value>,
    places: &Places,
    algorithm: &Algorithm,
    complaints: &mut Complaints,
) {
    for (name, property) in properties(&algorithm.schema).into_iter().flatten() {
        if let (false, Some(default)) = (given.contains_key(name), property.get("default")) {
            given.insert(name.clone(), default.clone());
        }
    }
    let hyperparameters = Value::Object(mem::take(given));
    // To find that nothing is wrong is faster than to list what is.
    if !algorithm.validator.is_valid(&hyperparameters) {
        refuse(&hyperparameters, places, algorithm, complaints);
    }
    if let Value::Object(completed) = hyperparameters {
        *given = completed;
    }
}

/// Complains about each hyper-parameter that the schema refuses.
fn refuse(
    hyperparameters: &Value,
    places: &Places,
    algorithm: &Algorithm,
    complaints: &mut Complaints,
) {
    let properties = properties(&algorithm.schema);
    let known = || {
        let properties = properties.into_iter().flatten();
        properties.map(|(name, _)| name.as_str())
    };
    for error in algorithm.validator.iter_errors(hyperparameters) {
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            for name in unexpected {
                let place = place(places, &format!("hyperparameters.{name}"));
                let message = format!("the algorithm has no hyper-parameter `{name}`");
                let help = complaints.choices(name, known().collect::<Vec<_>>().into_iter());
                complaints.extend(place.map(|place| Diagnostic::new(message, place).help(help)));
            }
            continue;
        }
        let path = error.instance_path().to_string();
        // The place of an item of an array is that of the array.
        let name = path.trim_start_matches('/');
        let name = name.split_once('/').map_or(name, |(name, _)| name);
        let description = properties
            .and_then(|properties| properties.get(name)?.get("description")?.as_str())
            .map(str::to_owned);
        let message = if name.is_empty() {
            error.to_string()
        } else {
            format!("the hyper-parameter `{name}` is refused: {error}")
        };
        let place = place(places, &format!("hyperparameters.{name}"));
        complaints.extend(place.map(|place| Diagnostic::new(message, place).help(description)));
    }
}
