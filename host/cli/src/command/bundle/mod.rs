//! `pipeline bundle` and `pipeline unbundle`: a run on its way from one store to another.

mod files;
mod signature;

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_audit::{Index, Subject};
use assay_bundle::{
    Attribution, BundleError, Bundled, Checked, Contents, Limits, Options, Watch, bundle as pack,
    check_from, unbundle_from,
};
use assay_core::RunHash;
use assay_engine::Cancel;
use assay_store::Store;

use self::files::write_files;
pub(crate) use self::signature::Signature;
use self::signature::sign;
use crate::arguments::{BundleArguments, UnbundleArguments};
use crate::error::CliError;
use crate::show;
use crate::show::bytes::BytesView;
use crate::signing::{key_file, read_key};

/// A bundle that was written.
pub(crate) struct WrittenBundle<'a> {
    pub(crate) run: RunHash,
    pub(crate) pipeline: &'a str,
    pub(crate) file: &'a Path,
    pub(crate) bundled: Bundled,
    /// The file of its signature.
    pub(crate) signature: Option<PathBuf>,
}

/// A bundle that was found right.
pub(crate) struct ReadBundle<'a> {
    pub(crate) file: &'a Path,
    pub(crate) bundle: Checked,
    pub(crate) signature: Signature,
    /// The store that it is in now, and whether it had the run already.
    pub(crate) taken: Option<(&'a Path, bool)>,
    /// The files that were written beside the store.
    pub(crate) files: Vec<PathBuf>,
}

pub(crate) fn bundle(arguments: &BundleArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let store = arguments.store.open_existing()?;
    // What is bundled stays until it is.
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
    show::print(&if arguments.json {
        show::bundle::written_json(&written)
    } else {
        show::bundle::written(&written)
    })?;
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
    // What was signed is what is read: the same open file, each time from its beginning.
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
    show::print(&if arguments.json {
        show::bundle::read_json(&read)
    } else if arguments.list {
        show::bundle::list(&read)
    } else {
        show::bundle::read(&read)
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
