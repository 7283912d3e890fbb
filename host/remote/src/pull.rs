//! Taking a run from a remote: its documents first, and when they agree with each other the objects that they
//! name, and when all are there its records and the run.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use assay_bundle::{BundleError, BundleFile, Contents, Received, Watch};
use assay_core::{ActionKey, ObjectHash, Record, RunHash};
use assay_store::{DOCUMENT_LIMIT, Store};
use futures_util::{StreamExt, TryStreamExt};

use crate::error::RemoteError;
use crate::listing::Listing;
use crate::place::{Files, Remote};
use crate::transfer::{TOGETHER, progress};

/// The most files of a run, and the most bytes of its documents.
const MOST_FILES: u64 = 1_000_000;
const MOST_DOCUMENTS: u64 = 256 << 20;

/// The extent of a pull.
#[derive(Clone, Copy, Debug)]
pub struct PullOptions {
    /// Only say what would be fetched.
    pub dry_run: bool,
    /// Leave out libraries, the images of datasets and the weights of networks.
    pub results_only: bool,
    /// The most bytes to fetch.
    pub max_size: u64,
}

/// Summary of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The run.
    pub run: RunHash,
    /// The name of its pipeline.
    pub pipeline: String,
    /// The store had it already.
    pub already: bool,
    /// Files that were fetched, or would be.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The number of files of libraries, images and weights that were left out and are not in the store.
    pub left_out: u64,
}

impl Remote {
    /// The run with this name: `latest`, its hash, or the beginning of it; at a web server its whole hash.
    ///
    /// # Errors
    /// There is none, or more than one, or the remote cannot be asked.
    pub fn find_run(&self, name: &str) -> Result<RunHash, RemoteError> {
        let Files::Web(_) = &self.files else {
            return Ok(self.find_marker(name)?.1);
        };
        // The marker has a time in its name, which only the run itself tells.
        let run = name.parse().map_err(|_| RemoteError::Unlisted {
            place: self.place.to_string(),
        })?;
        match self.runtime.block_on(self.size(&Listing::name(run)))? {
            Some(_) => Ok(run),
            None => Err(self.no_run(name)),
        }
    }

    fn no_run(&self, name: &str) -> RemoteError {
        RemoteError::NoRun {
            name: name.to_owned(),
            place: self.place.to_string(),
        }
    }

    /// The time of a run's beginning and the run, as its marker has them.
    pub(crate) fn find_marker(&self, name: &str) -> Result<(u64, RunHash), RemoteError> {
        let runs = self.runs()?;
        let is_meant = |run: &RunHash| run.to_string().starts_with(name);
        let mut found: Vec<_> = match name {
            "latest" => runs.last().copied().into_iter().collect(),
            "" => Vec::new(),
            _ => runs.into_iter().filter(|(_, run)| is_meant(run)).collect(),
        };
        match (found.pop(), found.is_empty()) {
            (Some(run), true) => Ok(run),
            (Some(run), false) => Err(RemoteError::Ambiguous {
                name: name.to_owned(),
                place: self.place.to_string(),
                runs: found.into_iter().chain([run]).map(|(_, run)| run).collect(),
            }),
            (None, _) => Err(self.no_run(name)),
        }
    }

    /// Takes a run that [`Remote::find_run`] found into the store. Doing so again changes nothing.
    ///
    /// # Errors
    /// Something is missing there or is not what it should be, the store cannot be written, or the watch
    /// stopped it. Then the store has at worst objects that nothing names, which are not fetched again.
    pub fn pull(
        &self,
        run: RunHash,
        store: &Store,
        options: PullOptions,
        watch: Watch<'_>,
    ) -> Result<Pulled, RemoteError> {
        self.runtime
            .block_on(self.pull_run(run, store, options, watch))
    }

    async fn pull_run(
        &self,
        run: RunHash,
        store: &Store,
        options: PullOptions,
        watch: Watch<'_>,
    ) -> Result<Pulled, RemoteError> {
        let already = store.runs()?.iter().any(|(_, known)| *known == run);
        let (contents, documents) = self.contents(run, Some(store), watch).await?;
        let marker = contents.marker().name();
        if self.size(&marker).await?.is_none() {
            return Err(self.wrong(&marker, "is not there"));
        }

        let (wanted, left_out) = self.wanted(&contents, store, options).await?;
        // Sizes are what a manifest says, which may be anything.
        let sizes = wanted.iter().map(|(_, size)| *size);
        let bytes = sizes.fold(0, u64::saturating_add);
        if bytes > options.max_size {
            return Err(RemoteError::TooLarge {
                size: bytes,
                limit: options.max_size,
            });
        }
        let pulled = Pulled {
            run,
            pipeline: contents.pipeline().to_owned(),
            already,
            files: wanted.len() as u64,
            bytes,
            left_out,
        };
        if options.dry_run {
            return Ok(pulled);
        }
        let moved = progress(watch, bytes);
        let fetched = wanted.into_iter().map(|(object, size)| {
            let moved = &moved;
            async move {
                let name = BundleFile::Object(object).name();
                self.fetch(object, &name, size, store, moved).await
            }
        });
        let fetched = futures_util::stream::iter(fetched).buffer_unordered(TOGETHER);
        fetched.try_collect::<()>().await?;
        for bytes in documents.values() {
            store.put_bytes(bytes)?;
        }
        contents.commit(store, watch)?;
        Ok(pulled)
    }

    /// The contents of a run with its documents, all of which were verified. What `store` has is not fetched.
    pub(crate) async fn contents(
        &self,
        run: RunHash,
        store: Option<&Store>,
        watch: Watch<'_>,
    ) -> Result<(Contents, HashMap<ObjectHash, Vec<u8>>), RemoteError> {
        let listing = self.listing(run).await?;
        let memory = Cell::new(MOST_DOCUMENTS);
        let documents = self.documents(&listing, store, &memory, watch).await?;
        let records = self.records(&listing, &memory, watch).await?;
        let read = |what: &'static str, object| match documents.get(&object) {
            Some(bytes) => Ok(bytes.as_slice()),
            None => Err(BundleError::Missing {
                what: what.to_owned(),
                object,
            }),
        };
        let contents = Received::new(&read, &records).contents(run)?;
        Ok((contents, documents))
    }

    async fn listing(&self, run: RunHash) -> Result<Listing, RemoteError> {
        let name = Listing::name(run);
        let memory = Cell::new(MOST_DOCUMENTS);
        let bytes = self.read(&name, DOCUMENT_LIMIT, &memory).await?;
        let listing: Listing = serde_json::from_slice(&bytes).map_err(|error| {
            match bytes.trim_ascii_start().first() {
                Some(b'<') => self.wrong(&name, "is a page for people, and no list of a run"),
                _ => self.wrong(&name, format!("cannot be read: {error}")),
            }
        })?;
        if listing.files() > MOST_FILES {
            return Err(self.wrong(&name, format!("names more than {MOST_FILES} files")));
        }
        Ok(listing)
    }

    /// The documents of a run: from the store where they are there, and otherwise from the remote.
    async fn documents(
        &self,
        listing: &Listing,
        store: Option<&Store>,
        memory: &Cell<u64>,
        watch: Watch<'_>,
    ) -> Result<HashMap<ObjectHash, Vec<u8>>, RemoteError> {
        let read = listing.documents.iter().map(|&object| async move {
            let name = BundleFile::Object(object).name();
            let limit = DOCUMENT_LIMIT.min(memory.get());
            let bytes = match store.map(|store| store.read_limited(object, limit)) {
                Some(Ok(bytes)) => {
                    memory.set(memory.get().saturating_sub(bytes.len() as u64));
                    bytes
                }
                Some(Err(error)) if !error.is_damage() => return Err(error.into()),
                Some(Err(_)) | None => self.read_checked(&name, object, memory).await?,
            };
            if (watch.stopped)() {
                return Err(RemoteError::Stopped);
            }
            Ok((object, bytes))
        });
        let read = futures_util::stream::iter(read).buffer_unordered(TOGETHER);
        read.try_collect().await
    }

    async fn records(
        &self,
        listing: &Listing,
        memory: &Cell<u64>,
        watch: Watch<'_>,
    ) -> Result<BTreeMap<ActionKey, Vec<Record>>, RemoteError> {
        let names = listing.records.iter();
        let names =
            names.flat_map(|(&action, names)| names.iter().map(move |&name| (action, name)));
        let read = names.map(|(action, record)| async move {
            let name = BundleFile::Record { action, record }.name();
            let bytes = self.read_checked(&name, record, memory).await?;
            if (watch.stopped)() {
                return Err(RemoteError::Stopped);
            }
            Ok((action, Received::record(action, record, &bytes)?))
        });
        let read = futures_util::stream::iter(read).buffered(TOGETHER);
        let read: Vec<_> = read.try_collect().await?;
        let mut records = BTreeMap::<_, Vec<_>>::new();
        for (action, record) in read {
            records.entry(action).or_default().push(record);
        }
        Ok(records)
    }

    /// The objects to fetch with their sizes, and how many others the store will lack.
    async fn wanted(
        &self,
        contents: &Contents,
        store: &Store,
        options: PullOptions,
    ) -> Result<(Vec<(ObjectHash, u64)>, u64), RemoteError> {
        let mut wanted = Vec::new();
        let mut of_unknown_size = Vec::new();
        let mut left_out = 0;
        let objects = contents.run_objects()?;
        for found in objects.iter().filter(|found| !found.is_document) {
            let (object, size) = (found.object, found.size);
            let is_there = match size {
                Some(size) => store.contains(object, size)?,
                None => store.size(object)?.is_some(),
            };
            match size {
                _ if is_there => {}
                _ if options.results_only && found.may_stay_behind => left_out += 1,
                Some(size) => wanted.push((object, size)),
                None => of_unknown_size.push(object),
            }
        }
        let names = of_unknown_size.iter();
        let names: Vec<_> = names
            .map(|&object| BundleFile::Object(object).name())
            .collect();
        let sizes = self.sizes(&names).await?;
        for (object, name) in of_unknown_size.into_iter().zip(names) {
            let size = sizes
                .get(&name)
                .ok_or_else(|| self.wrong(&name, "is not there"))?;
            wanted.push((object, *size));
        }
        Ok((wanted, left_out))
    }
}
