//! Writing runs to a remote: objects, then documents, then records, then the run, and its marker last.

use assay_bundle::{BundleFile, Contents, FORMAT, Watch};
use assay_core::{ObjectHash, RunHash, canonical_json};
use assay_store::{Store, StoreError};
use futures_util::{StreamExt, TryStreamExt};

use crate::error::RemoteError;
use crate::listing::Listing;
use crate::place::Remote;
use crate::transfer::{Source, TOGETHER, progress};

/// The care of a push.
#[derive(Clone, Copy, Debug, Default)]
pub struct PushOptions {
    /// Only say what would be sent.
    pub dry_run: bool,
    /// Look for every file, of a run that the remote has already too.
    pub verify: bool,
}

/// Summary of a push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Files that were sent, or would be.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there.
    pub there: u64,
    /// The remote had the run, and nothing else was asked.
    pub already: bool,
}

/// A file on its way.
struct Outgoing {
    name: String,
    size: u64,
    content: Content,
    /// Its size at the remote, where it is there with another.
    there: Option<u64>,
}

enum Content {
    Bytes(Vec<u8>),
    Object(ObjectHash),
}

impl Remote {
    /// Writes a run with everything that it rests on.
    ///
    /// # Errors
    /// Something is missing from the store or damaged, the remote cannot be written, or the watch stopped it.
    /// Nothing that was sent until then is sent again.
    pub fn push(
        &self,
        store: &Store,
        contents: &Contents,
        options: PushOptions,
        watch: Watch<'_>,
    ) -> Result<Pushed, RemoteError> {
        self.runtime
            .block_on(self.push_run(store, contents, options, watch))
    }

    async fn push_run(
        &self,
        store: &Store,
        contents: &Contents,
        options: PushOptions,
        watch: Watch<'_>,
    ) -> Result<Pushed, RemoteError> {
        let marker = contents.marker().name();
        if !options.verify && self.size(&marker).await?.is_some() {
            return Ok(Pushed {
                already: true,
                ..Pushed::default()
            });
        }
        let mut waves = outgoing(store, contents)?;
        let names: Vec<_> = waves
            .iter()
            .flatten()
            .map(|file| file.name.clone())
            .collect();
        let there = self.sizes(&names).await?;
        let mut pushed = Pushed::default();
        for wave in &mut waves {
            wave.retain_mut(|file| {
                file.there = there.get(&file.name).copied();
                file.there != Some(file.size)
            });
            pushed.files += wave.len() as u64;
            pushed.bytes += wave.iter().map(|file| file.size).sum::<u64>();
        }
        pushed.there = names.len() as u64 - pushed.files;
        if options.dry_run {
            return Ok(pushed);
        }
        let moved = progress(watch, pushed.bytes);
        // Whatever a wave names was written by the waves before it.
        for wave in waves {
            let sent = wave.into_iter().map(|file| {
                let moved = &moved;
                async move {
                    let source = match file.content {
                        Content::Bytes(bytes) => Source::Bytes(bytes),
                        Content::Object(object) => Source::Object(Box::new(store.reader(object)?)),
                    };
                    self.send(&file.name, source, file.there, moved).await
                }
            });
            let sent = futures_util::stream::iter(sent).buffer_unordered(TOGETHER);
            sent.try_collect::<()>().await?;
        }
        Ok(pushed)
    }

    /// The runs of the remote, with the time of their beginning in milliseconds since 1970 (UTC); newest
    /// last. What is no marker of a run is passed over.
    ///
    /// # Errors
    /// The remote cannot be asked.
    pub fn runs(&self) -> Result<Vec<(u64, RunHash)>, RemoteError> {
        let listed = self.runtime.block_on(self.list("runs"))?;
        let markers = listed
            .iter()
            .filter_map(|(name, _)| BundleFile::parse(name));
        let mut runs: Vec<_> = markers
            .filter_map(|file| match file {
                BundleFile::Run { started_ms, run } => Some((started_ms, run)),
                _ => None,
            })
            .collect();
        runs.sort_unstable();
        Ok(runs)
    }
}

/// The files of a run, in the waves in which they are sent.
fn outgoing(store: &Store, contents: &Contents) -> Result<Vec<Vec<Outgoing>>, RemoteError> {
    let mut listing = Listing::default();
    let mut objects = Vec::new();
    let mut documents = Vec::new();
    let mut run = Vec::new();
    for found in contents.run_objects()? {
        let (object, is_document) = (found.object, found.is_document);
        let file = Outgoing {
            name: BundleFile::Object(object).name(),
            size: store.reader(object)?.size(),
            content: Content::Object(object),
            there: None,
        };
        if is_document {
            listing.documents.insert(object);
        }
        match is_document {
            true if object == contents.run().into() => run.push(file),
            true => documents.push(file),
            false => objects.push(file),
        }
    }
    let mut records = Vec::new();
    for (action, record) in contents.record_names() {
        let bytes = store.record_bytes(action, record)?;
        let name = BundleFile::Record { action, record }.name();
        records.push(of_bytes(name, bytes));
        listing.records.entry(action).or_default().insert(record);
    }
    let listed = canonical_json(&listing).map_err(StoreError::canonical("list of a run"))?;
    run.push(of_bytes(Listing::name(contents.run()), listed));
    run.push(of_bytes(BundleFile::Format.name(), FORMAT.to_vec()));
    let marker = of_bytes(contents.marker().name(), Vec::new());
    Ok(vec![objects, documents, records, run, vec![marker]])
}

fn of_bytes(name: String, bytes: Vec<u8>) -> Outgoing {
    Outgoing {
        name,
        size: bytes.len() as u64,
        content: Content::Bytes(bytes),
        there: None,
    }
}
