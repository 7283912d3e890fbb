//! Kernels that workers of a plugin compile for a card, passed on to the next. They decide no byte: a plugin that finds
//! none, or others than it needs, compiles its own. An audit does not pass them on.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use assay_core::{ObjectHash, PluginPin};
use assay_store::Store;

use super::{Begun, Execution};
use crate::environment::is_portable;

/// The variable that names the file to the plugin.
pub(super) const VARIABLE: &str = "ASSAY_KERNELS";

/// The file in the scratch folder of a worker's first action.
const FILE: &str = "kernels";

/// The beginning of the names in the cache.
const NAME: &str = "kernels-1";

/// The most bytes that are passed on.
const LIMIT: u64 = 64 << 20;

/// The kernels of a plugin on the way through a worker.
pub(super) struct Kernels<'a> {
    store: &'a Store,
    plugin: &'a PluginPin,
    /// The name in the cache: one plugin has one file for each kind of card.
    name: String,
    path: PathBuf,
    /// The bytes that earlier workers left.
    before: Option<Vec<u8>>,
}

impl Execution<'_> {
    /// Lends the worker of an action what earlier ones compiled, if it computes with kernels of its plugin's own.
    pub(super) fn lend_kernels<'a>(&'a self, begun: &'a Begun) -> Option<Kernels<'a>> {
        let card = self.card?;
        let plugin = begun.action.plugin.as_ref()?;
        if !is_portable(begun.action.environment.as_ref()) {
            return None;
        }
        let of = format!("{}\n{}", plugin.name, card.name);
        let mut kernels = Kernels {
            store: self.store,
            plugin,
            name: format!("{NAME}-{}", ObjectHash::of(of.as_bytes()).short()),
            path: std::path::absolute(begun.scratch.join(FILE)).ok()?,
            before: None,
        };
        kernels.lend().ok()?;
        Some(kernels)
    }
}

impl Kernels<'_> {
    /// The file for the worker to read and write.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn lend(&mut self) -> io::Result<()> {
        let kept = self.store.remembered(&self.name);
        let hash = self.plugin.hash.as_bytes();
        let before = kept
            .as_deref()
            .and_then(|it| it.strip_prefix(hash.as_slice()));
        let mut file = self.store.empty_temporary().map_err(io::Error::other)?;
        file.write_all(before.unwrap_or_default())?;
        file.persist(&self.path)?;
        self.before = before.map(<[u8]>::to_vec);
        Ok(())
    }

    /// Keeps what the worker left there. Where that cannot be done, the next one compiles them again.
    pub(super) fn keep(self) {
        let Ok(left) = assay_files::read_itself(&self.path, LIMIT) else {
            return;
        };
        if !left.is_empty() && self.before.as_ref() != Some(&left) {
            let kept = [self.plugin.hash.as_bytes().as_slice(), &left].concat();
            let _ = self.store.remember(&self.name, &kept);
        }
    }
}
