//! List of the plugins that there are, and the description of one of them. Names, hashes and
//! handshakes are read from the files; what only the plugin itself can say is asked in a worker, in
//! a store that is thrown away, and remembered by the library's hash.

mod remembered;

use std::error::Error;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use assay_abi::Handshake;
use assay_core::{Limits, PluginHash, PluginPin};
use assay_files::TemporaryFolder;
use assay_store::Store;

use self::remembered::Remembered;
use crate::ask::ask;
use crate::cancel::Cancel;
use crate::error::{EngineError, causes};
use crate::plugin::{
    Candidate, Libraries, Library, LibraryFile, Origin, PluginDescription, SearchPath, read_library,
};
use crate::supervise::Failure;
use crate::trust::{Trust, TrustPolicy};

/// Context for looking at plugins.
#[derive(Clone)]
pub struct Catalogue<'a> {
    /// Where plugins are looked for.
    pub search: &'a SearchPath,
    /// Whom the user trusts. Where only trusted plugins may run, no other one is asked anything.
    pub trust: &'a TrustPolicy,
    /// A folder to remember answers in.
    pub remember: Option<PathBuf>,
    /// The number of plugins that are asked at a time.
    pub jobs: usize,
    /// Resource limits of each while it answers.
    pub limits: Limits,
    /// Asks it to stop.
    pub cancel: &'a Cancel,
}

/// A file that is named like a plugin.
#[derive(Debug)]
pub struct ListedPlugin {
    /// The name that it can be asked for by.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The origin of its folder in the search path.
    pub origin: Origin,
    /// The file that the name means instead, where one of an earlier folder has the same.
    pub shadowed_by: Option<PathBuf>,
    /// The library, or in one line why it cannot be used.
    pub library: Result<ListedLibrary, String>,
}

/// A library that this host can load.
#[derive(Debug)]
pub struct ListedLibrary {
    /// Its hash.
    pub hash: PluginHash,
    /// The version of the boundary it was built for.
    pub abi: String,
    /// The version of libtorch it was built for; empty if it uses none.
    pub libtorch: String,
    /// Whether the user trusts it.
    pub trust: Trust,
    /// The plugin's own version; none where it may not be asked.
    pub version: Option<String>,
}

/// One plugin, in full.
#[derive(Debug)]
pub struct PluginInfo {
    /// The file; none where the library's hash found it in the store.
    pub file: Option<PathBuf>,
    /// The library as an action names it.
    pub pin: PluginPin,
    /// The version of libtorch it was built for; empty if it uses none.
    pub libtorch: String,
    /// The kind of machine it was built for.
    pub target: String,
    /// Whether the user trusts it.
    pub trust: Trust,
    /// The plugin's description of itself.
    pub description: PluginDescription,
}

impl Catalogue<'_> {
    /// Every file in the search path that is named like a plugin, by name, those that a name means
    /// before those they shadow.
    ///
    /// # Errors
    /// There is no place for the plugins that have to be asked. What is wrong with one plugin is
    /// said of it.
    pub fn list(&self) -> Result<Vec<ListedPlugin>, EngineError> {
        let temporary = temporary()?;
        let store = Store::open(temporary.path().join("store"))?;
        let candidates = self.search.candidates();
        let mut listed: Vec<ListedPlugin> = Vec::with_capacity(candidates.len());
        for chunk in candidates.chunks(self.jobs.max(1)) {
            let looked_at: Vec<_> = thread::scope(|scope| {
                let store = &store;
                let look = |candidate| scope.spawn(move || self.look(store, candidate));
                let looking: Vec<_> = chunk.iter().map(look).collect();
                let joined = looking.into_iter().map(thread::ScopedJoinHandle::join);
                joined
                    .map(|looked| looked.unwrap_or_else(|panic| resume_unwind(panic)))
                    .collect()
            });
            for (candidate, library) in chunk.iter().zip(looked_at) {
                let mut winners = listed.iter().filter(|it| it.shadowed_by.is_none());
                let winner = winners.find(|it| it.name == candidate.name);
                let shadowed_by = winner.map(|it| it.file.clone());
                listed.push(ListedPlugin {
                    name: candidate.name.clone(),
                    file: candidate.file.clone(),
                    origin: candidate.origin,
                    shadowed_by,
                    library,
                });
            }
        }
        Ok(listed)
    }

    fn look(&self, store: &Store, candidate: &Candidate) -> Result<ListedLibrary, String> {
        let file = &candidate.file;
        let LibraryFile {
            handshake,
            bytes,
            hash,
        } = read_library(file).map_err(|error| one_line(&error))?;
        let pin = PluginPin {
            name: candidate.name.clone(),
            hash,
            abi: handshake.abi_version(),
        };
        let trust = self.trust.judge(&pin, file, &bytes);
        let version = if self.trust.allows(&trust) {
            let described = self.describe(store, &pin, || {
                store.put_bytes(&bytes)?;
                Ok(())
            });
            Some(described.map_err(|error| one_line(&error))?.version)
        } else {
            None
        };
        Ok(ListedLibrary {
            hash: pin.hash,
            abi: pin.abi,
            libtorch: handshake.libtorch(),
            trust,
            version,
        })
    }

    /// Everything about the plugin that `reference` means; paths are relative to the working
    /// folder. A plugin that has to be asked is asked in `store`, where a whole hash is looked for
    /// too.
    ///
    /// # Errors
    /// There is no such plugin, it may not run, or it failed when it was asked.
    pub fn info(&self, store: &Store, reference: &str) -> Result<PluginInfo, EngineError> {
        let library = self.obtain(store, reference)?;
        let trust = self.trust.admit(store, &library)?;
        let pin = library.pin();
        let description = self.describe(store, &pin, || Ok(()))?;
        let handshake: Handshake = library.handshake;
        Ok(PluginInfo {
            file: library.file,
            pin,
            libtorch: handshake.libtorch(),
            target: handshake.target(),
            trust,
            description,
        })
    }

    /// The file of the plugin that `reference` means and its name and hash; nothing in it is
    /// executed.
    ///
    /// # Errors
    /// There is no such plugin.
    pub fn locate(&self, reference: &str) -> Result<(PluginPin, Option<PathBuf>), EngineError> {
        let temporary = temporary()?;
        let store = Store::open(temporary.path().join("store"))?;
        let library = self.obtain(&store, reference)?;
        Ok((library.pin(), library.file))
    }

    fn obtain(&self, store: &Store, reference: &str) -> Result<Library, EngineError> {
        let mut libraries = Libraries {
            store,
            sources: &mut store.source_hashes(),
            search: self.search,
            base: Path::new(""),
        };
        libraries.obtain(reference)
    }

    /// The plugin's description of itself. Only if it is not remembered, `store_library` puts the
    /// library into `store`, and a worker loads it there.
    fn describe(
        &self,
        store: &Store,
        pin: &PluginPin,
        store_library: impl FnOnce() -> Result<(), EngineError>,
    ) -> Result<PluginDescription, EngineError> {
        let remembered = self
            .remember
            .as_deref()
            .map(|folder| Remembered::new(folder, pin.hash));
        if let Some(known) = remembered.as_ref().and_then(Remembered::read) {
            return Ok(known);
        }
        store_library()?;
        let description = ask(store, pin, self.limits, self.cancel)?.description;
        if let Some(remembered) = &remembered {
            remembered.write(&description);
        }
        Ok(description)
    }
}

fn temporary() -> Result<TemporaryFolder, EngineError> {
    TemporaryFolder::new().map_err(|source| EngineError::File {
        what: "make a temporary folder in",
        path: std::env::temp_dir(),
        source,
    })
}

/// An error with its causes, on one line.
fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    for cause in causes(error) {
        texts.push(cause.to_string());
        if let Some(Failure::Stage { chain, .. }) = cause.downcast_ref() {
            texts.extend(chain.iter().cloned());
        }
    }
    // Many an error says its cause itself.
    texts.dedup_by(|cause, error| error.ends_with(cause.as_str()));
    let text = texts.join(": ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
