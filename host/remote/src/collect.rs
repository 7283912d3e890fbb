//! Removing what no run of a remote and no pin rests on.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use assay_bundle::{BundleFile, Received, Watch};
use assay_core::graph::Node;
use assay_core::{ActionKey, ActionResult, ArtifactHash, ObjectHash, RunHash};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::error::RemoteError;
use crate::listing::Listing;
use crate::place::Remote;
use crate::transfer::{TOGETHER, is_younger};

/// The most bytes of the documents of one result.
const MOST_DOCUMENTS: u64 = 64 << 20;

/// Files that no run needs, or that were removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteGarbage {
    /// By folder: `objects`, `results`, `signatures`, `contents`, `cluster`. The number of files and their bytes.
    pub folders: BTreeMap<String, (u64, u64)>,
    /// Files that nobody needs and that stay, being young.
    pub young: u64,
    /// In the order in which they go: what names others before what it names.
    names: Vec<String>,
}

/// The folders whose files may go, in the order in which they do.
const FOLDERS: [&str; 5] = ["cluster", "contents", "signatures", "results", "objects"];

/// Everything that is needed.
#[derive(Default)]
struct Needed {
    objects: BTreeSet<ObjectHash>,
    records: BTreeSet<ObjectHash>,
    runs: BTreeSet<RunHash>,
}

impl Remote {
    /// The files that no run of the remote and no pin rests on, nor a result younger than `grace`, and that are
    /// themselves older.
    ///
    /// # Errors
    /// The remote cannot be asked, or what a run or pin rests on cannot be read there: then nobody knows what is needed.
    pub fn garbage(&self, grace: Duration, watch: Watch<'_>) -> Result<RemoteGarbage, RemoteError> {
        self.runtime.block_on(self.find_garbage(grace, watch))
    }

    /// Removes garbage that was found; calls the watch's progress with the number of files removed so far.
    ///
    /// # Errors
    /// The remote cannot be written, or the watch stopped it. Whatever is left is still garbage.
    pub fn remove_garbage(
        &self,
        garbage: &RemoteGarbage,
        watch: Watch<'_>,
    ) -> Result<(), RemoteError> {
        self.runtime.block_on(async {
            let removed = Cell::new(0);
            // One folder after the other, so that nothing that is left names what is gone.
            for folder in FOLDERS {
                let names = garbage.names.iter();
                let names = names.filter(|name| name.split('/').next() == Some(folder));
                let removals = names.map(|name| {
                    let removed = &removed;
                    async move {
                        if (watch.stopped)() {
                            return Err(RemoteError::Stopped);
                        }
                        match self.written()?.delete(&self.path(name)).await {
                            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                            Err(error) => return Err(self.failed("remove", name)(error)),
                        }
                        removed.set(removed.get() + 1);
                        (watch.progress)(removed.get(), garbage.names.len() as u64);
                        Ok(())
                    }
                });
                let removals = futures_util::stream::iter(removals).buffer_unordered(TOGETHER);
                removals.try_collect::<()>().await?;
            }
            Ok(())
        })
    }

    /// Removes the marker of the run with this name, as [`Remote::find_run`] takes it: from then on the remote does not have it, and what only it rests on is
    /// garbage.
    ///
    /// # Errors
    /// As [`Remote::find_run`], the run is pinned, or the remote cannot be written.
    pub fn forget(&self, name: &str) -> Result<RunHash, RemoteError> {
        let (started_ms, run) = self.find_marker(name)?;
        let mut pins = self.pins()?.into_iter();
        if let Some((label, _)) = pins.find(|(_, pinned)| *pinned == Node::Run(run)) {
            let place = self.place.to_string();
            return Err(RemoteError::Pinned { run, label, place });
        }
        let name = BundleFile::Run { started_ms, run }.name();
        let path = self.path(&name);
        match self.runtime.block_on(self.written()?.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(run),
            Err(error) => Err(self.failed("remove", &name)(error)),
        }
    }

    async fn find_garbage(
        &self,
        grace: Duration,
        watch: Watch<'_>,
    ) -> Result<RemoteGarbage, RemoteError> {
        let is_young = |file: &ObjectMeta| is_younger(file, grace);
        let mut files = Vec::new();
        for folder in FOLDERS {
            files.extend(self.list_files(folder).await?);
        }
        // Runs and pins after everything else: one that appears meanwhile is seen.
        let mut needed = Needed::default();
        let mut pinned: Vec<_> = self.read_pins().await?.into_values().collect();
        let listed = self.list("runs").await?;
        let mut runs: BTreeSet<_> = listed
            .iter()
            .filter_map(|(name, _)| match BundleFile::parse(name)? {
                BundleFile::Run { run, .. } => Some(run),
                _ => None,
            })
            .collect();
        pinned.retain(|pinned| match *pinned {
            Node::Run(run) => {
                runs.insert(run);
                false
            }
            _ => true,
        });
        for run in runs {
            self.mark_run(run, &mut needed, watch).await?;
        }
        if !pinned.is_empty() {
            let names = files.iter().map(|(name, _)| name.as_str());
            let results = self.all_results(names, watch).await?;
            self.mark_pinned(pinned, &results, &mut needed).await?;
        }
        for (name, file) in &files {
            if let Some(BundleFile::Record { action, record }) = BundleFile::parse(name)
                && is_young(file)
                && needed.records.insert(record)
            {
                if (watch.stopped)() {
                    return Err(RemoteError::Stopped);
                }
                self.mark_result(action, record, &mut needed).await?;
            }
        }
        let mut garbage = RemoteGarbage::default();
        for (name, file) in files {
            if needed.has(&name) {
                continue;
            }
            if is_young(&file) {
                garbage.young += 1;
                continue;
            }
            let folder = name.split('/').next().unwrap_or_default().to_owned();
            let (count, bytes) = garbage.folders.entry(folder).or_default();
            (*count, *bytes) = (*count + 1, bytes.saturating_add(file.size));
            garbage.names.push(name);
        }
        Ok(garbage)
    }

    async fn mark_run(
        &self,
        run: RunHash,
        needed: &mut Needed,
        watch: Watch<'_>,
    ) -> Result<(), RemoteError> {
        let (contents, documents) = self.contents(run, None, watch).await?;
        let objects = contents
            .run_objects()?
            .into_iter()
            .map(|found| found.object);
        needed.objects.extend(objects.chain(documents.into_keys()));
        needed
            .records
            .extend(contents.record_names().map(|(_, record)| record));
        needed.runs.insert(run);
        Ok(())
    }

    /// The results among these files that can be read.
    async fn all_results<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        watch: Watch<'_>,
    ) -> Result<Vec<(ObjectHash, ActionResult)>, RemoteError> {
        let records = names.filter_map(|name| match BundleFile::parse(name)? {
            BundleFile::Record { action, record } => Some((name, action, record)),
            _ => None,
        });
        let read = records.map(|(name, action, record)| async move {
            if (watch.stopped)() {
                return Err(RemoteError::Stopped);
            }
            let memory = Cell::new(MOST_DOCUMENTS);
            let bytes = readable(self.read_checked(name, record, &memory).await)?;
            Ok(bytes.and_then(|bytes| Received::record(action, record, &bytes).ok()))
        });
        let read = futures_util::stream::iter(read).buffer_unordered(TOGETHER);
        let read: Vec<_> = read.try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Marks what is pinned, and of an action or an artifact what led to it: all results of the action, and all
    /// actions that gave the artifact.
    async fn mark_pinned(
        &self,
        pinned: Vec<Node>,
        results: &[(ObjectHash, ActionResult)],
        needed: &mut Needed,
    ) -> Result<(), RemoteError> {
        let mut seen = BTreeSet::new();
        let mut open = pinned;
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            let object = node.object();
            needed.objects.insert(object);
            if let Node::Run(_) | Node::Object(_) = node {
                continue;
            }
            let name = BundleFile::Object(object).name();
            let memory = Cell::new(MOST_DOCUMENTS);
            let bytes = self.read_checked(&name, object, &memory).await?;
            match node {
                Node::Artifact(artifact) => {
                    let files = Received::artifact(artifact, &bytes)?.files.into_values();
                    needed.objects.extend(files.map(|file| file.object));
                    let makers = results.iter().filter(|(_, it)| it.artifact == artifact);
                    open.extend(makers.map(|(_, result)| Node::Action(result.action)));
                }
                Node::Action(key) => {
                    let action = Received::action(key, &bytes)?;
                    let library = action.plugin.map(|plugin| ObjectHash::from(plugin.hash));
                    needed.objects.extend(library);
                    open.extend(action.inputs.into_values().map(Node::Artifact));
                    for (record, result) in results.iter().filter(|(_, it)| it.action == key) {
                        needed.records.insert(*record);
                        needed.objects.extend(result.log);
                        open.push(Node::Artifact(result.artifact));
                    }
                }
                Node::Run(_) | Node::Object(_) => {}
            }
        }
        Ok(())
    }

    /// Marks a result that no run names; of one that cannot be read, nothing but itself.
    async fn mark_result(
        &self,
        action: ActionKey,
        record: ObjectHash,
        needed: &mut Needed,
    ) -> Result<(), RemoteError> {
        let memory = Cell::new(MOST_DOCUMENTS);
        let name = BundleFile::Record { action, record }.name();
        let Some(bytes) = readable(self.read_checked(&name, record, &memory).await)? else {
            return Ok(());
        };
        let Ok((_, result)) = Received::record(action, record, &bytes) else {
            return Ok(());
        };
        needed.objects.extend(result.log);
        needed.objects.insert(action.into());
        self.mark_artifact(result.artifact, &memory, needed).await?;
        let name = BundleFile::Object(action.into()).name();
        let Some(bytes) = readable(self.read_checked(&name, action.into(), &memory).await)? else {
            return Ok(());
        };
        if let Ok(action) = Received::action(action, &bytes) {
            needed
                .objects
                .extend(action.plugin.map(|plugin| ObjectHash::from(plugin.hash)));
            for input in action.inputs.into_values() {
                self.mark_artifact(input, &memory, needed).await?;
            }
        }
        Ok(())
    }

    async fn mark_artifact(
        &self,
        artifact: ArtifactHash,
        memory: &Cell<u64>,
        needed: &mut Needed,
    ) -> Result<(), RemoteError> {
        let object = ObjectHash::from(artifact);
        if !needed.objects.insert(object) {
            return Ok(());
        }
        let name = BundleFile::Object(object).name();
        let Some(bytes) = readable(self.read_checked(&name, object, memory).await)? else {
            return Ok(());
        };
        if let Ok(manifest) = Received::artifact(artifact, &bytes) {
            needed
                .objects
                .extend(manifest.files.into_values().map(|file| file.object));
        }
        Ok(())
    }
}

impl Needed {
    fn has(&self, name: &str) -> bool {
        if let Some(record) = name.strip_prefix("signatures/") {
            let record = record
                .split('/')
                .next()
                .and_then(|record| record.parse().ok());
            return record.is_some_and(|record| self.records.contains(&record));
        }
        match BundleFile::parse(name) {
            Some(BundleFile::Object(object)) => self.objects.contains(&object),
            Some(BundleFile::Record { record, .. }) => self.records.contains(&record),
            _ => self.runs.iter().any(|&run| Listing::name(run) == name),
        }
    }
}

/// The bytes, if they are there and what their name says.
fn readable(read: Result<Vec<u8>, RemoteError>) -> Result<Option<Vec<u8>>, RemoteError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(RemoteError::Content { .. } | RemoteError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
