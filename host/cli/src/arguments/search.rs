//! Where plugins are looked for, and which of them may run: what the command line and the
//! environment say about it.

use std::path::{Path, PathBuf};

use assay_engine::{Origin, SearchFolder, SearchPath, TrustError, TrustPolicy, TrustStore};
use clap::Args;

use crate::arguments::user::{plugins_folder, trust_file};

/// The variable with folders of plugins, like `PATH`.
const PLUGIN_PATH: &str = "ASSAY_PLUGIN_PATH";

const PLUGIN_DIR: &str = "\
A folder to look for plugins in; may be given many times. Folders are searched in this order: a pipeline \
file's own, these, those in ASSAY_PLUGIN_PATH, your own ($XDG_DATA_HOME/assay/plugins, or \
~/.local/share/assay/plugins), that of this program";

/// Where plugins are looked for.
#[derive(Args, Debug)]
pub(crate) struct SearchArguments {
    #[arg(long = "plugin-dir", value_name = "DIR", help = PLUGIN_DIR)]
    plugin_dirs: Vec<PathBuf>,
}

impl SearchArguments {
    /// The folders named, those of the environment, the user's own, and that of this program.
    pub(crate) fn path(&self) -> SearchPath {
        let environment = std::env::var_os(PLUGIN_PATH).unwrap_or_default();
        // An empty entry would be the working folder, which nobody meant.
        let environment =
            std::env::split_paths(&environment).filter(|path| !path.as_os_str().is_empty());
        let named = self.plugin_dirs.iter().cloned();
        let named = named.map(|path| (path, Origin::Argument));
        let others = environment
            .map(|path| (path, Origin::Environment))
            .chain(plugins_folder().map(|path| (path, Origin::User)))
            .chain(program_folder().map(|path| (path, Origin::Program)));
        let folders = named.chain(others);
        SearchPath::new(folders.map(|(path, origin)| SearchFolder { path, origin }))
    }
}

/// Which plugins may run.
#[derive(Args, Debug)]
pub(crate) struct TrustArguments {
    /// Run only plugins beside this program and those that you trust (see `pipeline plugin trust`)
    #[arg(long, env = "ASSAY_TRUSTED_ONLY", value_parser = clap::builder::FalseyValueParser::new())]
    trusted_only: bool,
}

impl TrustArguments {
    /// The trust policy: the user's trust store, the program's own folder, and whether only trusted
    /// plugins run.
    ///
    /// # Errors
    /// The trust store cannot be used.
    pub(crate) fn policy(&self) -> Result<TrustPolicy, TrustError> {
        let store = trust_file().map_or(Ok(TrustStore::default()), |path| TrustStore::read(&path));
        Ok(TrustPolicy {
            store: store?,
            program: program_folder(),
            trusted_only: self.trusted_only,
        })
    }
}

/// The folder that this program lies in.
fn program_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    program.parent().map(Path::to_owned)
}
