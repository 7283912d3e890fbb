//! `pipeline plugin install`: checks a library and copies it to where the user's own plugins are found
//! by name.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_core::{Advice, Ending, Limits, PluginHash};
use assay_engine::{
    Cancel, Catalogue, CheckRequest, LibraryFile, Outcome, SearchPath, read_library, signature_path,
};
use assay_files::TemporaryFolder;
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use super::check::make_checks;
use super::sign::signer;
use crate::arguments::compute::ComputeArguments;
use crate::arguments::search::TrustArguments;
use crate::arguments::user::{descriptions_folder, plugins_folder};
use crate::error::CliError;
use crate::signing::trusted_keys;
use crate::ui;
use crate::ui::words::{ShownPath, plain};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin install ./libassay_mine.so
  pipeline plugin install .                    # the crate's target/release/libassay_*.so
  pipeline plugin install ./libassay_mine.so --replace

The library is found by its name afterwards, from any folder: `algorithm = \"mine\"` in a pipeline file. If a
signature LIBRARY.minisig lies beside it, it has to be one of a key that you trust, and is copied too. Every
check of `pipeline plugin check` is made first; a library that fails one is not installed.

Exit codes: 0 installed, or was there already, 1 a check failed or the signature is not good, 2 there is no
such library, or another one of that name is installed, 130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InstallArguments {
    /// The library, or a folder that holds one, itself or in target/release
    #[arg(value_name = "FILE|DIR")]
    library: PathBuf,

    /// Write over another library of the same name
    #[arg(long)]
    replace: bool,

    /// Install it without the checks of `pipeline plugin check`
    #[arg(long)]
    unchecked: bool,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    compute: ComputeArguments,

    #[command(flatten)]
    trust: TrustArguments,
}

/// Why a library is not installed.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    /// There is nowhere to put it.
    #[error("there is no folder for your own plugins: set HOME or XDG_DATA_HOME")]
    NoHome,
    /// A folder with no library, or several.
    #[error("{} and its target/release hold {}", folder.display(), listed(found))]
    NotOne {
        /// The folder.
        folder: PathBuf,
        /// Libraries in it.
        found: Vec<PathBuf>,
    },
    /// It changed while it was checked.
    #[error("{} changed while it was checked", .0.display())]
    Changed(PathBuf),
    /// Another library has the name.
    #[error("{} is another library, {installed}", file.display())]
    Taken {
        /// Its file.
        file: PathBuf,
        /// Its hash.
        installed: PluginHash,
    },
    /// It does not keep what plugins promise.
    #[error("{failed} checks failed, so it is not installed")]
    Failed {
        /// The number of checks.
        failed: usize,
    },
    /// It cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Advice for InstallError {
    fn help(&self) -> Cow<'_, str> {
        match self {
            Self::NotOne { .. } => "name the file".into(),
            Self::Taken { .. } => "`--replace` writes over it".into(),
            Self::Changed(_) => "try again once nothing writes to it".into(),
            Self::Failed { .. } => "`--unchecked` installs it all the same".into(),
            Self::NoHome | Self::Write { .. } => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Failed { .. } => Ending::Failed,
            _ => Ending::Refused,
        }
    }
}

fn listed(found: &[PathBuf]) -> String {
    match found {
        [] => "no libassay_*.so".to_owned(),
        found => format!("{} libraries", found.len()),
    }
}

pub(crate) fn install(arguments: &InstallArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let folder = plugins_folder().ok_or(InstallError::NoHome)?;
    let library = located(&arguments.library)?;
    let LibraryFile { bytes, hash, .. } = read_library(&library)?;
    let signature = signature_path(&library);
    let signed_by = if signature.exists() {
        Some(signer(&library, &bytes, trusted_keys()?)?.0)
    } else {
        None
    };
    let name = name_of(arguments, &library, cancel)?;
    let file = folder.join(format!("libassay_{}.so", name.replace('-', "_")));
    let installed = read_library(&file).ok().map(|it| it.hash);
    if let Some(installed) = installed
        && installed != hash
        && !arguments.replace
    {
        return Err(InstallError::Taken { file, installed }.into());
    }
    if !arguments.unchecked {
        check(arguments, &library, hash, cancel)?;
    }
    if installed != Some(hash) {
        write(&folder, &file, &bytes)?;
    }
    if signed_by.is_some() {
        let text = assay_files::read(&signature, LARGEST_SIGNATURE);
        let target = signature_path(&file);
        let copied = text.and_then(|text| assay_files::replace(&target, &text, 0o644));
        copied.map_err(|source| InstallError::Write {
            file: target,
            source,
        })?;
    }
    let view = InstalledView {
        name: &name,
        file: ShownPath(&file),
        hash,
        was_there: installed == Some(hash),
        signed_by: signed_by.as_ref().map(|key| key.key.as_str()),
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// More than any signature has.
const LARGEST_SIGNATURE: u64 = 64 << 10;

/// The library that is meant: the file itself, or the only one of a folder.
fn located(given: &Path) -> Result<PathBuf, CliError> {
    if !given.is_dir() {
        return Ok(given.to_owned());
    }
    let mut found = Vec::new();
    for folder in [given.to_owned(), given.join("target/release")] {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("libassay_") && name.ends_with(".so") {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    match &found[..] {
        [one] => Ok(one.clone()),
        _ => Err(InstallError::NotOne {
            folder: given.to_owned(),
            found,
        }
        .into()),
    }
}

/// The name that the plugin gives itself, asked of it in a worker.
fn name_of(
    arguments: &InstallArguments,
    library: &Path,
    cancel: &Cancel,
) -> Result<String, CliError> {
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let catalogue = Catalogue {
        search: &SearchPath::new([]),
        trust: &arguments.trust.policy()?,
        remember: descriptions_folder(),
        jobs: 1,
        limits: Limits::default(),
        cancel,
    };
    let info = catalogue.info(&store, &reference(library))?;
    Ok(info.description.name)
}

/// A path as a pipeline file names a plugin: with a slash.
fn reference(library: &Path) -> String {
    let text = library.to_string_lossy().into_owned();
    if text.contains('/') {
        text
    } else {
        format!("./{text}")
    }
}

/// Makes every check of the library, which has to be the one of that `hash`.
fn check(
    arguments: &InstallArguments,
    library: &Path,
    hash: PluginHash,
    cancel: &Cancel,
) -> Result<(), CliError> {
    let trust = arguments.trust.policy()?;
    let settings = arguments.compute.settings(true, cancel)?;
    let request = CheckRequest {
        plugin: &reference(library),
        algorithms: &[],
        search: SearchPath::new([]),
        trust: &trust,
        only: &[],
        seed: 1,
        time_limit: 300,
    };
    let report = make_checks(&request, &settings, !arguments.json, cancel)?;
    if report.stopped {
        return Err(CliError::Stopped);
    }
    if report.library != Some(hash) {
        return Err(InstallError::Changed(library.to_owned()).into());
    }
    match report.count(Outcome::Failed) {
        0 => Ok(()),
        failed => Err(InstallError::Failed { failed }.into()),
    }
}

fn write(folder: &Path, file: &Path, bytes: &[u8]) -> Result<(), InstallError> {
    let written =
        fs::create_dir_all(folder).and_then(|()| assay_files::replace(file, bytes, 0o755));
    written.map_err(|source| InstallError::Write {
        file: file.to_owned(),
        source,
    })
}

/// A library that is installed.
#[derive(Serialize)]
struct InstalledView<'a> {
    name: &'a str,
    file: ShownPath<'a>,
    hash: PluginHash,
    was_there: bool,
    signed_by: Option<&'a str>,
}

fn text(view: &InstalledView<'_>) -> String {
    let said = if view.was_there {
        "was installed already"
    } else {
        "installed"
    };
    let signed = match view.signed_by {
        Some(key) => format!("signed by {}\n", plain(key)),
        None => String::new(),
    };
    format!(
        "{} {said}: {}\n{}\n{signed}",
        plain(view.name),
        view.file,
        view.hash
    )
}
