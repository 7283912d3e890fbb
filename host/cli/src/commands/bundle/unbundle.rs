//! `pipeline unbundle`: someone's bundle of a run, verified and taken into the store.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_bundle::{BundleError, Checked, Limits, check_from, unbundle_from};
use assay_core::{ObjectHash, RunHash, parse_memory};
use assay_engine::Cancel;
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use super::files::write_files;
use super::push_left_out;
use super::signature::{self, Signature, SignatureArguments};
use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::ui;
use crate::ui::bytes::watched;
use crate::ui::words::{cut, path, plain, size};

const EXAMPLES: &str = "\
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
#[command(after_help = EXAMPLES)]
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

    /// Write the pipeline file, the files that it names, and the reports into this folder too
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArguments,
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

pub(crate) fn run(arguments: &UnbundleArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
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
    push_left_out(&mut text, &bundle.without_libraries, bundle.without_files);
    text.push_str(&signature_text(&read.signature));
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
    without_files: u64,
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
            without_files: bundle.without_files,
            files: files.collect(),
            written: written.map(|path| path.display().to_string()).collect(),
        }
    }
}

fn signature_text(signature: &Signature) -> String {
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

/// `objects/ab/cdef…`: enough to recognise it, in a line.
fn shortened(name: &str) -> String {
    let parts = name.split('/').map(|part| match part.len() {
        0..=30 => part.to_owned(),
        _ => cut(part, 11),
    });
    parts.collect::<Vec<_>>().join("/")
}
