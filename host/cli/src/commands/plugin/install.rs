//! `pipeline plugin install`: checks a library, alone or from a pack, and copies it to where the user's own
//! plugins are found by name.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_bundle::{Pack, is_pack, read_pack};
use assay_core::{Advice, Ending, Limits, PluginHash};
use assay_engine::{
    Cancel, Catalogue, CheckRequest, LibraryFile, Outcome, PluginDescription, SearchPath,
    read_library, read_signature, signature_path,
};
use assay_files::{READABLE, TemporaryFolder};
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
  pipeline plugin install mine-0.1.0.tar.zst   # a file of `pipeline plugin pack`

The library is found by its name afterwards, from any folder: `algorithm = \"mine\"` in a pipeline file. If a
signature LIBRARY.minisig lies beside it, it has to be one of a key that you trust, and is copied too. Every
check of `pipeline plugin check` is made first; a library that fails one is not installed. The licence and the
pipeline file of a pack are copied beside the library.

Exit codes: 0 installed, or was there already, 1 a check failed, or the signature or the pack is not good, 2 there
is no such library, or another one of that name is installed, 130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InstallArguments {
    /// The library, a pack, or a folder that holds one library, itself or in target/release
    #[arg(value_name = "FILE|DIR|PACK")]
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
pub(super) enum InstallError {
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
    /// The plugin's name is not part of a file name.
    #[error("the plugin calls itself {0:?}, which makes no file name")]
    Name(String),
    /// A pack says something else about its library than the library does.
    #[error("the pack {} is refused: its description is not the one that its library gives", .0.display())]
    OtherDescription(PathBuf),
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
            Self::Name(_) => "its author has to name it with letters, digits, `-` and `_`".into(),
            Self::OtherDescription(_) => "do not use it: its author did not pack it so".into(),
            Self::NoHome | Self::Write { .. } => "".into(),
        }
    }

    fn ending(&self) -> Ending {
        match self {
            Self::Failed { .. } | Self::OtherDescription(_) => Ending::Failed,
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
    let unpacked = Unpacked::of(&arguments.library)?;
    let library = match &unpacked {
        Some(unpacked) => unpacked.library(),
        None => located(&arguments.library)?,
    };
    let LibraryFile { bytes, hash, .. } = read_library(&library)?;
    let signed_by = if signature_path(&library).exists() {
        Some(signer(&library, &bytes, trusted_keys()?)?.0)
    } else {
        None
    };
    let described = described(&arguments.trust, (&library, hash), cancel)?;
    if let Some(unpacked) = &unpacked
        && !unpacked.is_of(&described)
    {
        return Err(InstallError::OtherDescription(arguments.library.clone()).into());
    }
    let name = described.name;
    if !is_file_name(&name) {
        return Err(InstallError::Name(name).into());
    }
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
    let signature = signed_by.as_ref().map(|_| read_signature(&library));
    let pack = unpacked.map(|it| it.pack).unwrap_or_default();
    let companions = Companions {
        signature: signature.transpose()?,
        licence: pack.licence,
        pipeline: pack.pipeline,
    };
    make_folder(&folder)?;
    let written = companions.write(&file)?;
    // Last, so that what can be found by name has all that belongs to it.
    if installed != Some(hash) {
        write(&file, &bytes, 0o755)?;
    }
    let view = InstalledView {
        name: &name,
        file: ShownPath(&file),
        hash,
        was_there: installed == Some(hash),
        signed_by: signed_by.as_ref().map(|key| key.key.as_str()),
        licence: written.licence.as_deref().map(ShownPath),
        pipeline: written.pipeline.as_deref().map(ShownPath),
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// A pack whose library lies in a folder of its own, where a worker can load it.
struct Unpacked {
    pack: Pack,
    folder: TemporaryFolder,
}

impl Unpacked {
    /// The pack at `given`; none if something else is there.
    fn of(given: &Path) -> Result<Option<Self>, CliError> {
        if !is_pack(given) {
            return Ok(None);
        }
        let pack = read_pack(given)?;
        let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
        let unpacked = Self { pack, folder };
        let library = unpacked.library();
        write(&library, &unpacked.pack.library, 0o755)?;
        if let Some(signature) = &unpacked.pack.signature {
            write(&signature_path(&library), signature.as_bytes(), READABLE)?;
        }
        Ok(Some(unpacked))
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("library.so")
    }

    /// True if this is the description in the pack.
    fn is_of(&self, described: &PluginDescription) -> bool {
        let packed = serde_json::from_str::<PluginDescription>(&self.pack.description);
        packed.is_ok_and(|packed| packed == *described)
    }
}

/// Texts that lie beside an installed library.
struct Companions<T> {
    signature: Option<T>,
    licence: Option<T>,
    pipeline: Option<T>,
}

impl Companions<String> {
    /// Writes each beside the library `file`; their files.
    fn write(&self, file: &Path) -> Result<Companions<PathBuf>, InstallError> {
        let put = |text: &Option<String>, path: PathBuf| match text {
            Some(text) => write(&path, text.as_bytes(), READABLE).map(|()| Some(path)),
            None => Ok(None),
        };
        Ok(Companions {
            signature: put(&self.signature, signature_path(file))?,
            licence: put(&self.licence, file.with_extension("LICENCE"))?,
            pipeline: put(&self.pipeline, file.with_extension("pipeline.toml"))?,
        })
    }
}

/// True if `text` may be part of a file name: letters, digits, and marks that mean nothing in a path.
pub(super) fn is_file_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    !text.is_empty() && text.len() <= 100 && text.chars().all(allowed)
}

/// The library that is meant: the file itself, or the only one of a folder.
pub(super) fn located(given: &Path) -> Result<PathBuf, CliError> {
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

/// The description of the library of that `hash`, which is asked in a worker.
pub(super) fn described(
    trust: &TrustArguments,
    (library, hash): (&Path, PluginHash),
    cancel: &Cancel,
) -> Result<PluginDescription, CliError> {
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = Store::open(folder.path().join("store"))?;
    let catalogue = Catalogue {
        search: &SearchPath::new([]),
        trust: &trust.policy()?,
        remember: descriptions_folder(),
        jobs: 1,
        limits: Limits::default(),
        cancel,
    };
    let info = catalogue.info(&store, &reference(library))?;
    if info.pin.hash != hash {
        return Err(InstallError::Changed(library.to_owned()).into());
    }
    Ok(info.description)
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

fn make_folder(folder: &Path) -> Result<(), InstallError> {
    fs::create_dir_all(folder).map_err(|source| InstallError::Write {
        file: folder.to_owned(),
        source,
    })
}

fn write(file: &Path, bytes: &[u8], mode: u32) -> Result<(), InstallError> {
    assay_files::replace(file, bytes, mode).map_err(|source| InstallError::Write {
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
    licence: Option<ShownPath<'a>>,
    pipeline: Option<ShownPath<'a>>,
}

fn text(view: &InstalledView<'_>) -> String {
    let said = if view.was_there {
        "was installed already"
    } else {
        "installed"
    };
    let mut text = format!(
        "{} {said}: {}\n{}\n",
        plain(view.name),
        view.file,
        view.hash
    );
    if let Some(key) = view.signed_by {
        let _ = writeln!(text, "signed by {}", plain(key));
    }
    for (what, file) in [
        ("licence", &view.licence),
        ("pipeline file", &view.pipeline),
    ] {
        if let Some(file) = file {
            let _ = writeln!(text, "{what}: {file}");
        }
    }
    text
}
