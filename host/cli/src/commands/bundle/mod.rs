//! `pipeline bundle`: a run with everything that it rests on, written to one file.

mod files;
mod signature;
pub(super) mod unbundle;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_audit::{Index, Subject};
use assay_bundle::{Attribution, Bundled, Contents, Options, bundle};
use assay_core::{ObjectHash, RunHash};
use assay_engine::Cancel;
use clap::Args;
use serde::Serialize;

use crate::arguments::StoreArguments;
use crate::error::CliError;
use crate::signing::{key_file, read_key};
use crate::ui;
use crate::ui::bytes::watched;
use crate::ui::words::{count, path, plain, size};
use signature::sign;

const EXAMPLES: &str = "\
Examples:
  pipeline bundle latest -o run.tar.zst
  pipeline bundle quickstart -o run.tar.zst --author 'Ada Lovelace' --license CC-BY-4.0
  pipeline bundle 1165ccfa -o run.tar.zst --sign
  pipeline bundle latest -o run.tar.zst --without-libraries
  pipeline bundle latest -o results.tar.zst --results-only

The file has everything that the run rests on: its manifest, the pipeline file, each stage's
action and records, logs, every artifact, and the plugins' libraries. It is a tar archive under
zstd; unpacked it is a store of its own, and a Workflow Run RO-Crate. The same run gives the same
bytes.

Exit codes: 0 done, 2 the run is not whole in the store, or the file cannot be written, 130 stopped
by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BundleArguments {
    /// The run: its hash or the beginning of it, the name of a pipeline (its latest run), or `latest`
    name: String,

    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Write over the file if it is there, and remove its signature unless a new one is made
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    parts: PartArguments,

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

/// The parts of the run that go into the bundle.
#[derive(Args, Debug)]
struct PartArguments {
    /// Leave out the plugins' libraries: the run can be verified then, but not executed again
    #[arg(long)]
    without_libraries: bool,

    /// Leave out libraries, images and weights: what is left is what was measured and how
    #[arg(long, conflicts_with = "without_libraries")]
    results_only: bool,
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

/// A bundle that was written.
struct WrittenBundle<'a> {
    run: RunHash,
    pipeline: &'a str,
    file: &'a Path,
    bundled: Bundled,
    /// The file of its signature.
    signature: Option<PathBuf>,
}

pub(crate) fn run(arguments: &BundleArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    // Holds off garbage collection until the bundle is written.
    let _hold = store.hold()?;
    let index = Index::read(&store)?;
    let run = Subject::find_run(&store, &index, &arguments.name)?;
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
        without_libraries: arguments.parts.without_libraries,
        results_only: arguments.parts.results_only,
        replace: arguments.force,
    };
    let file = arguments.output.as_path();
    let bundled = watched("bundling", cancel, |watch| {
        bundle(&store, &contents, &options, file, watch)
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
    push_left_out(&mut text, &bundled.without_libraries, bundled.without_files);
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
    without_files: u64,
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
            without_files: bundled.without_files,
        }
    }
}

fn push_left_out(text: &mut String, plugins: &[String], files: u64) {
    if files > 0 {
        let files = count(files, "file");
        let _ = writeln!(
            text,
            "  results alone, without {files} of images and weights: its numbers can be read and compared, \
             and are not computed again without training"
        );
    }
    if !plugins.is_empty() {
        let plugins = plain(&plugins.join(", "));
        let _ = writeln!(
            text,
            "  without the libraries of {plugins}: it can be verified, and not executed again"
        );
    }
}
