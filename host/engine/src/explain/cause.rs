//! Cause of a difference in a field of an action: a line of the pipeline file, an option, the
//! library of a plugin, the user's data, or a stage that gives another artifact.

use std::path::{Path, PathBuf};

use assay_core::{Difference, Place, Source};
use serde::Serialize;

use super::history::Comparison;
use crate::freeze::FrozenStage;

/// A field that differs, and the cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The field and its values.
    #[serde(flatten)]
    pub difference: Difference,
    /// Cause of the difference.
    pub cause: Cause,
}

/// A line of a pipeline file, of the file of networks, or an argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The file, or the argument's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The whole line.
    pub text: String,
}

/// Cause of a difference in a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Cause {
    /// The value is written at this location.
    Written(Location),
    /// The value was given and no longer is; the location is that of the stage.
    NoLongerGiven(Location),
    /// Nothing gives the value: it is the default.
    Default,
    /// The files of a dataset.
    Data(Location),
    /// A plugin, asked for there.
    Plugin {
        /// Where it is asked for.
        asked: Location,
        /// The file of its library; none if it was found in the store.
        library: Option<PathBuf>,
    },
    /// An option of the command line.
    Option {
        /// Its name.
        option: &'static str,
    },
    /// This machine or what is installed on it.
    Machine,
    /// This version of the program.
    Program,
    /// Another stage.
    Stage {
        /// Its name.
        stage: String,
        /// Why that stage gives another artifact.
        change: StageChange,
    },
}

/// Why a stage gives another artifact than it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageChange {
    /// It is another action.
    Differs(Comparison),
    /// It is the same action, which gave two artifacts.
    NotReproducible,
    /// It was explained before.
    Told,
    /// Its action then or now is not known.
    Unknown,
}

/// Where a place is, in words.
pub(super) fn location(sources: &[Source], place: &Place) -> Option<Location> {
    let source = sources.get(place.source)?;
    let (line, column) = source.line_and_column(place);
    Some(Location {
        file: source.name.clone(),
        line,
        column,
        text: source
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or("")
            .trim()
            .to_owned(),
    })
}

/// Cause of a difference in a field of the stage, unless it is an artifact that the stage reads.
pub(super) fn cause(sources: &[Source], stage: &FrozenStage, difference: &Difference) -> Cause {
    let at = |place: &Place| location(sources, place);
    let (part, name) = match difference.field.split_once('.') {
        Some((part, name)) => (part, name),
        None => (difference.field.as_str(), ""),
    };
    let known = match (part, name) {
        ("plugin", _) => stage.planned.plugin.as_ref().and_then(|plugin| {
            Some(Cause::Plugin {
                asked: at(&plugin.reference.place)?,
                library: stage.library().map(Path::to_owned),
            })
        }),
        ("environment", "threads") => Some(Cause::Option {
            option: "--threads",
        }),
        ("environment", "device") => Some(Cause::Option { option: "--device" }),
        ("environment", _) => Some(Cause::Machine),
        ("parameters", name) => {
            let place = stage.planned.place("");
            match (written(stage, name), &difference.now) {
                (Some(written), _) => written_there(stage, name, at(written)),
                (None, None) => place.and_then(at).map(Cause::NoLongerGiven),
                (None, Some(_)) => Some(Cause::Default),
            }
        }
        _ => None,
    };
    known.unwrap_or(Cause::Program)
}

/// Cause of a difference in a parameter that is written there: a dataset's files are only named in
/// the file, and differ outside of it.
fn written_there(stage: &FrozenStage, name: &str, there: Option<Location>) -> Option<Cause> {
    there.map(if is_of_files(stage, name) {
        Cause::Data
    } else {
        Cause::Written
    })
}

/// Whether the parameter comes of a dataset's files, which the pipeline file names.
fn is_of_files(stage: &FrozenStage, parameter: &str) -> bool {
    stage.planned.work.data_path().is_some()
        && parameter.starts_with("source.")
        && stage.planned.places.contains_key("path")
}

/// Where the parameter stands, or what it is a part of.
fn written<'a>(stage: &'a FrozenStage, parameter: &str) -> Option<&'a Place> {
    let places = &stage.planned.places;
    let mut name = if is_of_files(stage, parameter) {
        "path"
    } else {
        parameter
    };
    loop {
        if let Some(place) = places.get(name) {
            return Some(place);
        }
        (name, _) = name.rsplit_once('.')?;
    }
}
