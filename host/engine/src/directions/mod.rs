//! Plans a question for a plugin: which way would one batch move every parameter? The question
//! becomes an action like any other, so that a worker answers it and its failures read alike; in
//! a store that is thrown away afterwards, nothing of it stays.

mod network;
mod summary;

use std::collections::BTreeMap;
use std::path::Path;

use assay_core::{
    Action, ActionKey, Artifact, ArtifactFile, ArtifactHash, Complaints, Diagnostic,
    Hyperparameters, Limits, Place, Placed, Source, SourceError, StageKind, parse_hyperparameters,
    settings::json_and_places,
};
use assay_store::Store;

pub use self::network::NetworkArgument;
pub use self::summary::{InvalidTensors, TensorSummary, summarise};

use crate::cancel::Cancel;
use crate::environment::Settings;
use crate::error::EngineError;
use crate::freeze::{Freezer, Pinned, complete};
use crate::plan::PluginUse;
use crate::plugin::SearchPath;
use crate::source_file::{read_file, read_text};
use crate::stages::{
    DIRECTIONS, DIRECTIONS_BATCH, DIRECTIONS_STATE, DirectionsParameters, SAFETENSORS, object,
};
use crate::trust::TrustPolicy;

/// The file of the answer with the directions, as safetensors.
pub const DIRECTIONS_FILE: &str = DIRECTIONS;
/// The file of the answer with the state that the directions follow from, as safetensors.
pub const DIRECTIONS_STATE_FILE: &str = DIRECTIONS_STATE.1;

/// A request to a plugin for directions.
#[derive(Clone, Debug)]
pub struct DirectionsRequest<'a> {
    /// The plugin, by name or path.
    pub plugin: &'a str,
    /// The algorithm; the one of the plugin's name, or its only one, where nothing is said.
    pub algorithm: Option<&'a str>,
    /// Where plugins are looked for.
    pub search: SearchPath,
    /// Whom the user trusts.
    pub trust: &'a TrustPolicy,
    /// The network.
    pub network: NetworkArgument<'a>,
    /// The hyper-parameters: a text in braces (JSON or an inline TOML table), or else the path of
    /// a file with JSON or TOML. What is not set takes the algorithm's default.
    pub hyperparameters: Option<&'a str>,
    /// Decides the state where none is given, and noise where none is given.
    pub seed: u64,
    /// The learner's state, as safetensors; its own initial state where nothing is said.
    pub state: Option<&'a Path>,
    /// The batch, as safetensors.
    pub batch: &'a Path,
}

/// Decides everything about the request and stores its action, whose key is returned. Its
/// artifact will hold [`DIRECTIONS_FILE`] and [`DIRECTIONS_STATE_FILE`].
///
/// # Errors
/// Anything wrong with the request but the state and the batch, which the worker looks at.
pub fn plan_directions(
    store: &Store,
    settings: &Settings,
    request: &DirectionsRequest<'_>,
    cancel: &Cancel,
) -> Result<ActionKey, EngineError> {
    let mut texts = Texts::default();
    let network = request.network.read(&mut texts)?;
    let hyperparameters = texts.hyperparameters(request.hyperparameters)?;
    let reference = texts.argument("PLUGIN", request.plugin);
    let algorithm = request
        .algorithm
        .map(|name| texts.argument("--algorithm", name));
    let mut sources = store.source_hashes();
    let mut freezer = Freezer {
        store,
        sources: &mut sources,
        search: &request.search,
        trust: request.trust,
        settings,
        cancel,
        base: Path::new(""),
        lock: None,
        notices: Vec::new(),
        limits: Limits::default(),
    };
    let mut complaints = Complaints::default();
    let pinned = freezer.pin(&reference.value, &reference.place, &mut complaints)?;
    let parameters = pinned.as_ref().and_then(|pinned| {
        let wanted = PluginUse {
            algorithm: choose(pinned, &reference, algorithm, &mut complaints)?,
            reference,
        };
        let (mut hyperparameters, mut places) = json_and_places(hyperparameters);
        // What has no place of its own is complained about where the plugin is named.
        places.insert(String::new(), wanted.reference.place.clone());
        let algorithm = pinned.algorithm(&wanted, &mut complaints)?;
        complete(&mut hyperparameters, &places, algorithm, &mut complaints);
        Some(DirectionsParameters {
            algorithm: wanted.algorithm.value,
            network,
            hyperparameters,
            seed: request.seed,
        })
    });
    let (Some(pinned), Some(parameters), true) = (pinned, parameters, complaints.is_empty()) else {
        return Err(SourceError::new(texts.0, complaints).into());
    };
    let mut inputs = BTreeMap::from([input(store, DIRECTIONS_BATCH, request.batch)?]);
    if let Some(state) = request.state {
        inputs.extend([input(store, DIRECTIONS_STATE, state)?]);
    }
    let environment = (**pinned.environment(&parameters.algorithm)).clone();
    let action = Action::new(
        StageKind::Directions,
        object(&parameters)?,
        inputs,
        Some((*pinned.pin).clone()),
        Some(environment),
    );
    Ok(store.put_action(&action)?)
}

/// The algorithm that is meant.
fn choose(
    pinned: &Pinned,
    plugin: &Placed<String>,
    wanted: Option<Placed<String>>,
    complaints: &mut Complaints,
) -> Option<Placed<String>> {
    if wanted.is_some() {
        return wanted;
    }
    let names = pinned.algorithm_names();
    let chosen = match names[..] {
        [only] => Some(only),
        _ => names.iter().copied().find(|&name| name == plugin.value),
    };
    if chosen.is_none() {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let message = format!("the plugin `{}` has several algorithms", plugin.value);
        let help = format!("name one with --algorithm: {}", names.join(", "));
        complaints.push(Diagnostic::new(message, &plugin.place).help(help));
    }
    Some(Placed {
        value: chosen?.to_owned(),
        place: plugin.place.clone(),
    })
}

/// Stores a file of the user's as an artifact of its own.
fn input(
    store: &Store,
    (role, name): (&str, &str),
    path: &Path,
) -> Result<(String, ArtifactHash), EngineError> {
    let bytes = read_file(path, "a safetensors file", u64::MAX)?;
    let file = ArtifactFile {
        object: store.put_bytes(&bytes)?,
        size: bytes.len() as u64,
        media_type: SAFETENSORS.to_owned(),
    };
    let artifact = Artifact {
        files: BTreeMap::from([(name.to_owned(), file)]),
    };
    let (hash, document) = artifact.document().map_err(EngineError::Canonical)?;
    store.put_bytes(&document)?;
    Ok((role.to_owned(), hash))
}

/// The texts that complaints about a request point into.
#[derive(Default)]
struct Texts(Vec<Source>);

impl Texts {
    /// Adds a text and gives its number.
    fn add(&mut self, name: &str, text: &str) -> usize {
        self.0.push(Source {
            name: name.to_owned(),
            text: text.to_owned(),
        });
        self.0.len() - 1
    }

    /// An argument that is a single word.
    fn argument(&mut self, name: &str, text: &str) -> Placed<String> {
        Placed {
            value: text.to_owned(),
            place: Place {
                source: self.add(name, text),
                bytes: 0..text.len(),
            },
        }
    }

    /// Hyper-parameters that `--config` gives, in braces or in a file.
    fn hyperparameters(&mut self, given: Option<&str>) -> Result<Hyperparameters, EngineError> {
        let Some(given) = given else {
            return Ok(Hyperparameters::new());
        };
        let (name, text) = if given.trim_start().starts_with('{') {
            ("--config", given.to_owned())
        } else {
            (
                given,
                read_text(Path::new(given), "a file of hyper-parameters")?,
            )
        };
        let source = self.add(name, &text);
        parse_hyperparameters(&text, source).map_err(|complaints| self.refused(complaints))
    }

    fn refused(&self, complaints: Complaints) -> EngineError {
        SourceError::new(self.0.clone(), complaints).into()
    }
}
