//! `pipeline bundle` and `pipeline unbundle`: a run on its way from one store to another.

mod files;
mod signature;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_audit::{Index, Subject};
use assay_bundle::{
    Attribution, BundleError, Bundled, Checked, Contents, Limits, Options, Watch, bundle as pack,
    check_from, unbundle_from,
};
use assay_core::{ObjectHash, RunHash, parse_memory};
use assay_engine::Cancel;
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::signing::{key_file, read_key};
use crate::ui;
use crate::ui::bytes::BytesView;
use crate::ui::words::{path, plain, size};
use files::write_files;
use signature::Signature;
use signature::sign;

const BUNDLE_EXAMPLES: &str = "\
Examples:
  pipeline bundle latest -o run.tar.zst
  pipeline bundle quickstart -o run.tar.zst --author 'Ada Lovelace' --license CC-BY-4.0
  pipeline bundle 1165ccfa -o run.tar.zst --sign
  pipeline bundle latest -o run.tar.zst --without-libraries

The file has everything that the run rests on: its manifest, the pipeline file, each stage's
action and records, logs, every artifact, and the plugins' libraries. It is a tar archive under
zstd; unpacked it is a store of its own, and a Workflow Run RO-Crate. The same run gives the same
bytes.

Exit codes: 0 done, 2 the run is not whole in the store, or the file cannot be written, 130 stopped
by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = BUNDLE_EXAMPLES)]
pub(crate) struct BundleArguments {
    /// The run: its hash or the beginning of it, the name of a pipeline (its latest run), or `latest`
    name: String,

    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Write over the file if it is there, and remove its signature unless a new one is made
    #[arg(long)]
    force: bool,

    /// Leave out the plugins' libraries: the run can be verified then, but not executed again
    #[arg(long)]
    without_libraries: bool,

    /// What others may do with it: an SPDX identifier, or the address of a licence
    #[arg(long, value_name = "LICENSE", value_parser = license)]
    license: Option<String>,

    /// The name of who ran it
    #[arg(long, value_name = "NAME")]
    author: Option<String>,

    /// The organisation that publishes it, and that the author belongs to
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,

    #[command(flatten)]
    signing: SigningArguments,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// Whether to sign, and with which key.
#[derive(Args, Debug)]
struct SigningArguments {
    /// Sign the bundle, in FILE.minisig beside it (see `pipeline plugin keygen`)
    #[arg(long)]
    sign: bool,

    /// The secret key to sign with [default: signing.key beside your trust store]
    #[arg(long, value_name = "FILE", requires = "sign")]
    key: Option<PathBuf>,
}

/// An identifier of SPDX or an address: either is part of an address in the crate.
fn license(text: &str) -> Result<String, String> {
    let address = text.starts_with("https://") || text.starts_with("http://");
    let allowed = |char: char| {
        char.is_ascii_alphanumeric()
            || "-.+".contains(char)
            || (address && "/:_~%#?=&".contains(char))
    };
    if !text.is_empty() && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("expected an SPDX identifier such as CC-BY-4.0 or MIT, or an address".to_owned())
    }
}

const UNBUNDLE_EXAMPLES: &str = "\
Examples:
  pipeline unbundle run.tar.zst --check
  pipeline unbundle run.tar.zst --list
  pipeline unbundle run.tar.zst --store theirs
  pipeline unbundle run.tar.zst --key lab.pub --files from-them

Nothing enters the store before the whole bundle has been read, and every hash, document and
reference found right; nothing in it is executed. FILE.minisig is checked if it is there, with the
keys that you trust (`pipeline plugin trust --key`) or the one that you name.

Exit codes: 0 done, 1 the bundle is refused, 2 it cannot be read or the store cannot be written,
130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = UNBUNDLE_EXAMPLES)]
pub(crate) struct UnbundleArguments {
    /// The bundle
    file: PathBuf,

    /// Verify it, and write nothing
    #[arg(long, conflicts_with = "files")]
    check: bool,

    /// Verify it and list its files, and write nothing
    #[arg(long, conflicts_with = "files")]
    list: bool,

    #[command(flatten)]
    signature: SignatureArguments,

    /// The most that it may unpack to
    #[arg(long, value_name = "SIZE", value_parser = parse_memory, default_value = "64 GiB")]
    max_size: u64,

    /// Write the pipeline file and its file of networks into this folder too
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
}

/// Whose signature must be there.
#[derive(Args, Debug)]
struct SignatureArguments {
    /// Refuse it unless a key that you trust has signed it
    #[arg(long)]
    require_signature: bool,

    /// The public key of minisign that must have signed it, or the file that holds it
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
}

impl SignatureArguments {
    /// Whether a bundle without a good signature is refused.
    pub(crate) fn is_required(&self) -> bool {
        self.require_signature || self.key.is_some()
    }
}

/// A bundle that was written.
struct WrittenBundle<'a> {
    run: RunHash,
    pipeline: &'a str,
    file: &'a Path,
    bundled: Bundled,
    /// The file of its signature.
    signature: Option<PathBuf>,
}

/// A bundle that was found right.
struct ReadBundle<'a> {
    file: &'a Path,
    bundle: Checked,
    signature: Signature,
    /// The store that it is in now, and whether it had the run already.
    taken: Option<(&'a Path, bool)>,
    /// The files that were written beside the store.
    files: Vec<PathBuf>,
}

pub(crate) fn bundle(arguments: &BundleArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    // Holds off garbage collection until the bundle is written.
    let _hold = store.hold()?;
    let index = Index::read(&store)?;
    let subject = Subject::find(&store, &index, &arguments.name)?;
    let Subject::Run(run) = subject else {
        return Err(CliError::Arguments(format!(
            "`{}` is not a run but the {} {}; `pipeline show` says which runs have it",
            arguments.name,
            subject.what(),
            subject.object().short()
        )));
    };
    // Before anything is written: a password may be asked for.
    let signing = &arguments.signing;
    let key = if signing.sign {
        Some(read_key(&key_file(signing.key.as_deref())?)?)
    } else {
        None
    };
    let contents = Contents::of_run(&store, &index, run)?;
    let options = Options {
        about: Attribution {
            license: arguments.license.clone(),
            author: arguments.author.clone(),
            organization: arguments.organization.clone(),
        },
        without_libraries: arguments.without_libraries,
        replace: arguments.force,
    };
    let file = arguments.output.as_path();
    let bundled = watched("bundling", cancel, |watch| {
        pack(&store, &contents, &options, file, watch)
    })?;
    let signature = key.map(|key| sign(&key, file, bundled.hash)).transpose()?;
    if signature.is_none() && arguments.force {
        signature::remove(file)?;
    }
    let written = WrittenBundle {
        run,
        pipeline: contents.pipeline(),
        file,
        bundled,
        signature,
    };
    let view = || WrittenView::of(&written);
    ui::print_either(arguments.json, view, || written_text(&written))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn unbundle(
    arguments: &UnbundleArguments,
    cancel: &Cancel,
) -> Result<ExitCode, CliError> {
    let path = arguments.file.as_path();
    let failed = |source| BundleError::File {
        what: "open",
        path: path.to_owned(),
        source,
    };
    let file = assay_files::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let signature = signature::check(&arguments.signature, path, &file)?;
    let limits = Limits {
        size: arguments.max_size,
        ..Limits::default()
    };
    // The signed bytes and those read are the same: one open file, each time from its beginning.
    let verify = || {
        let input = from_beginning(&file, path)?;
        watched("verifying", cancel, |watch| {
            check_from(input, length, &limits, watch)
        })
    };
    let read = if arguments.check || arguments.list {
        ReadBundle {
            file: path,
            bundle: verify()?,
            signature,
            taken: None,
            files: Vec::new(),
        }
    } else {
        // A bundle that is refused makes no store either.
        if arguments.store.open_existing().is_err() {
            verify()?;
        }
        let store = Store::open(&arguments.store.path)?;
        let input = from_beginning(&file, path)?;
        let unbundled = watched("unbundling", cancel, |watch| {
            unbundle_from(input, length, &store, &limits, watch)
        })?;
        let files = match &arguments.files {
            Some(folder) => write_files(&store, &unbundled.bundle, folder)?,
            None => Vec::new(),
        };
        ReadBundle {
            file: path,
            bundle: unbundled.bundle,
            signature,
            taken: Some((&arguments.store.path, unbundled.already)),
            files,
        }
    };
    let view = || ReadView::of(&read);
    ui::print_either(arguments.json, view, || {
        if arguments.list {
            list(&read)
        } else {
            read_text(&read)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn from_beginning<'a>(mut file: &'a File, path: &Path) -> Result<BufReader<&'a File>, BundleError> {
    file.rewind().map_err(|source| BundleError::File {
        what: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// Does long work with a bar on the terminal, until Ctrl-C.
fn watched<T>(
    what: &'static str,
    cancel: &Cancel,
    work: impl FnOnce(Watch<'_>) -> Result<T, BundleError>,
) -> Result<T, BundleError> {
    let view = BytesView::new(what);
    let done = work(Watch {
        progress: &|done, total| view.advance(done, total),
        stopped: &|| cancel.is_requested(),
    });
    view.finish();
    done
}

fn written_text(written: &WrittenBundle<'_>) -> String {
    let file = path(written.file);
    let bundled = &written.bundled;
    let mut text = format!(
        "wrote run {} of `{}` to {file}\n  {} files, {}, packed to {}\n  blake3 {}\n",
        written.run.short(),
        plain(written.pipeline),
        bundled.files,
        size(bundled.unpacked),
        size(bundled.packed),
        bundled.hash
    );
    push_left_out(&mut text, &bundled.without_libraries);
    if let Some(signature) = &written.signature {
        let _ = writeln!(text, "  signed in {}", path(signature));
    }
    let _ = writeln!(text, "\nwho receives it: pipeline unbundle {file}");
    text
}

/// A bundle that was written.
#[derive(Serialize)]
struct WrittenView<'a> {
    run: RunHash,
    pipeline: &'a str,
    file: String,
    files: u64,
    unpacked: u64,
    packed: u64,
    hash: ObjectHash,
    signature: Option<String>,
    without_libraries: &'a [String],
}

impl<'a> WrittenView<'a> {
    fn of(written: &'a WrittenBundle<'_>) -> Self {
        let bundled = &written.bundled;
        let signature = written.signature.as_ref();
        Self {
            run: written.run,
            pipeline: written.pipeline,
            file: written.file.display().to_string(),
            files: bundled.files,
            unpacked: bundled.unpacked,
            packed: bundled.packed,
            hash: bundled.hash,
            signature: signature.map(|path| path.display().to_string()),
            without_libraries: &bundled.without_libraries,
        }
    }
}

fn read_text(read: &ReadBundle<'_>) -> String {
    let bundle = &read.bundle;
    let run = bundle.run.short();
    let what = format!("run {run} of `{}`", plain(&bundle.pipeline));
    let mut text = match read.taken {
        None => format!("{} is {what}; nothing was written\n", path(read.file)),
        Some((store, true)) => format!("{what} was in the store {} already\n", path(store)),
        Some((store, false)) => format!("took {what} into the store {}\n", path(store)),
    };
    let _ = writeln!(
        text,
        "  {} files, {}: every hash, document and reference is right",
        bundle.files.len(),
        size(bundle.unpacked())
    );
    push_left_out(&mut text, &bundle.without_libraries);
    text.push_str(&signature(&read.signature));
    for file in &read.files {
        let _ = writeln!(text, "  wrote {}", path(file));
    }
    if let Some((store, _)) = read.taken {
        let store = path(store);
        let _ = write!(
            text,
            "\nnext:\n  pipeline show {run} --store {store}\n  pipeline lineage {run} --store {store}\n  \
             pipeline audit {run} --store {store}\n"
        );
    }
    text
}

/// The content of a bundle, a line for each file.
fn list(bundle: &ReadBundle<'_>) -> String {
    let mut text = String::new();
    for (name, bytes, what) in &bundle.bundle.files {
        let name = plain(&shortened(name));
        let _ = writeln!(text, "{:>10}  {name:<42}  {}", size(*bytes), plain(what));
    }
    text.push('\n');
    text.push_str(&read_text(bundle));
    text
}

/// A bundle that was read.
#[derive(Serialize)]
struct ReadView<'a> {
    run: RunHash,
    pipeline: &'a str,
    pipeline_file: ObjectHash,
    networks_file: Option<ObjectHash>,
    /// Nothing where nothing was taken into a store.
    store: Option<String>,
    already: Option<bool>,
    signed: &'static str,
    key: Option<&'a str>,
    comment: Option<&'a str>,
    without_libraries: &'a [String],
    files: Vec<FileView<'a>>,
    written: Vec<String>,
}

#[derive(Serialize)]
struct FileView<'a> {
    name: &'a str,
    size: u64,
    what: &'a str,
}

impl<'a> ReadView<'a> {
    fn of(read: &'a ReadBundle<'_>) -> Self {
        let bundle = &read.bundle;
        let files = bundle.files.iter();
        let files = files.map(|(name, size, what)| FileView {
            name,
            size: *size,
            what,
        });
        let (signed, key, comment) = match &read.signature {
            Signature::None => ("no", None, None),
            Signature::Unknown => ("by another key", None, None),
            Signature::Good(key, comment) => {
                ("yes", Some(key.key.as_str()), Some(comment.as_str()))
            }
        };
        let written = read.files.iter();
        Self {
            run: bundle.run,
            pipeline: &bundle.pipeline,
            pipeline_file: bundle.file,
            networks_file: bundle.networks,
            store: read.taken.map(|(store, _)| store.display().to_string()),
            already: read.taken.map(|(_, already)| already),
            signed,
            key,
            comment,
            without_libraries: &bundle.without_libraries,
            files: files.collect(),
            written: written.map(|path| path.display().to_string()).collect(),
        }
    }
}

fn signature(signature: &Signature) -> String {
    match signature {
        Signature::None => "  not signed: who made it is not known\n".to_owned(),
        Signature::Unknown => {
            "  signed, but by no key that you trust; check with --key PUB, or trust it with \
             `pipeline plugin trust --key`\n"
                .to_owned()
        }
        Signature::Good(key, comment) => {
            let name = match key.comment.as_str() {
                "" => String::new(),
                comment => format!(" ({})", plain(comment)),
            };
            format!(
                "  signed by {}{name}\n    {}\n",
                key.key.as_str(),
                plain(comment)
            )
        }
    }
}

fn push_left_out(text: &mut String, plugins: &[String]) {
    if !plugins.is_empty() {
        let plugins = plain(&plugins.join(", "));
        let _ = writeln!(
            text,
            "  without the libraries of {plugins}: it can be verified, and not executed again"
        );
    }
}

/// `objects/ab/cdef…`: enough to recognise it, in a line.
fn shortened(name: &str) -> String {
    let parts = name
        .split('/')
        .map(|part| match part.char_indices().nth(10) {
            Some((end, _)) if part.len() > 30 => format!("{}…", part.get(..end).unwrap_or(part)),
            _ => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("/")
}
