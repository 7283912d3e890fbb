//! Whether a store is intact: every object is what its name says, every document is whole and
//! agrees with the others, and nothing lies where it does not belong. It says what each fault
//! affects; only [`fix`] changes anything, and that deletes nothing.

mod affected;
mod bytes;
mod finding;
mod notes;
mod relations;
mod remedy;
mod verify;

use std::collections::BTreeSet;

use assay_core::ObjectHash;
use assay_core::graph::{Closure, Node, ProducerRule, RunEntry};
use assay_store::{Found, Store, StoreError, Survey};

pub use self::finding::{
    Affected, AffectedStage, AuditReport, Counts, Fault, Finding, Location, Note, Remedy, RunName,
};
pub use self::remedy::{Moved, fix};

use self::verify::Verified;
use crate::subject::Subject;

/// Extent of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everything that a run or a result names, and every name in the store's folders.
    Named,
    /// The same, and every object that nothing names.
    All,
    /// These subjects, and everything that they rest on.
    Subjects(&'a [Subject]),
}

/// Is told how an audit gets on, from any thread.
pub trait AuditObserver: Sync {
    /// The documents are read; so many files are next, with about so many bytes.
    fn begin(&self, _files: u64, _bytes: u64) {}

    /// So many more bytes were read.
    fn read(&self, _bytes: u64) {}
}

/// Sees nothing.
impl AuditObserver for () {}

/// Reads what `scope` says and holds it against its names and against each other. Damage is no
/// error: it is what the report is about.
///
/// No garbage is collected meanwhile.
///
/// # Errors
/// The folder of quarantine cannot be listed, or garbage collection cannot be kept away.
pub fn audit(
    store: &Store,
    scope: Scope<'_>,
    observer: &dyn AuditObserver,
) -> Result<AuditReport, StoreError> {
    let _guard = store.hold()?;
    let mut verified = Verified::load(store);
    let reach = match scope {
        Scope::Subjects(subjects) => {
            let nodes = subjects.iter().flat_map(nodes);
            Some(Closure::of(&verified.graph, ProducerRule::All, nodes))
        }
        Scope::Named | Scope::All => None,
    };
    let named = || verified.graph.objects().keys().copied();
    let objects = match (&reach, scope) {
        (Some(reach), _) => reach.objects.clone(),
        (None, Scope::All) => named()
            .chain(verified.survey.objects.iter().copied())
            .collect(),
        (None, Scope::Named | Scope::Subjects(_)) => named().collect(),
    };
    read_objects(&mut verified, &objects, observer);
    let contradictions = relations::contradictions(&verified);
    verified.faults.extend(contradictions);

    let mut report = AuditReport::default();
    let lost = notes::known_losses(&verified, &mut report)?;
    let mut faults = std::mem::take(&mut verified.faults);
    faults.extend(entries(&mut verified.survey));
    faults.retain(|(location, fault)| {
        let is_known =
            matches!((location, fault), (Location::Object(it), Fault::Missing) if lost.contains(it));
        !is_known && reach.as_ref().is_none_or(|reach| reaches(reach, location))
    });
    faults.sort_by(|(one, _), (other, _)| one.cmp(other));
    report.findings = findings(&verified, faults);
    notes::add(&verified, reach.as_ref(), scope, &mut report);
    report.counts = counts(&verified, reach.as_ref());
    name_runs(&verified, &mut report);
    Ok(report)
}

/// The nodes that an audit of the subject begins with.
fn nodes(subject: &Subject) -> Vec<Node> {
    match subject {
        Subject::Run(run) => vec![Node::Run(*run)],
        Subject::Stage {
            action, artifact, ..
        } => {
            let artifact = artifact.map(Node::Artifact);
            [Node::Action(*action)]
                .into_iter()
                .chain(artifact)
                .collect()
        }
        Subject::Action(action) | Subject::Result { action, .. } => vec![Node::Action(*action)],
        Subject::Artifact(artifact) => vec![Node::Artifact(*artifact)],
        // The file and the manifest that names it, and nothing else.
        Subject::File {
            artifact, object, ..
        } => vec![Node::Object(*object), Node::Object((*artifact).into())],
        Subject::Object(object) => vec![Node::Object(*object)],
    }
}

fn reaches(reach: &Closure, location: &Location) -> bool {
    match location {
        Location::Object(object) => reach.objects.contains(object),
        Location::Record { action, .. } => reach.actions.contains(action),
        Location::Marker { run, .. } => reach.runs.contains(run),
        Location::Path(_) => false,
    }
}

/// Reads the objects that have not been read as documents.
fn read_objects(
    verified: &mut Verified<'_>,
    objects: &BTreeSet<ObjectHash>,
    observer: &dyn AuditObserver,
) {
    let unread = objects.difference(&verified.seen).copied().collect();
    for (object, examined) in bytes::examine(verified.store, unread, observer) {
        verified.seen.insert(object);
        let fault = match examined {
            Ok(found) => {
                verified.add_found(object, found);
                wrong_bytes(object, found)
            }
            Err(error) => Some(Fault::of(error)),
        };
        let fault = fault.map(|fault| (Location::Object(object), fault));
        verified.faults.extend(fault);
    }
}

fn wrong_bytes(object: ObjectHash, found: Found) -> Option<Fault> {
    (found.hash != object).then_some(Fault::Bytes {
        found: found.hash,
        size: found.size,
    })
}

/// Faults of the store's folders themselves: foreign entries, missing folders, and folders that
/// cannot be listed.
fn entries(survey: &mut Survey) -> Vec<(Location, Fault)> {
    let foreign = survey.foreign.iter().map(|path| (path, Fault::Foreign));
    let absent = survey.absent.iter().map(|path| (path, Fault::FolderGone));
    let mut faults: Vec<_> = foreign
        .chain(absent)
        .map(|(path, fault)| (Location::Path(path.clone()), fault))
        .collect();
    for (path, error) in survey.unlisted.drain(..) {
        faults.push((Location::Path(path), Fault::Unreadable(error)));
    }
    faults
}

fn findings(verified: &Verified<'_>, faults: Vec<(Location, Fault)>) -> Vec<Finding> {
    let finding = |(location, fault): (Location, Fault)| Finding {
        affected: verified.affected(&location, &fault),
        remedy: verified.remedy(&location, &fault),
        location,
        fault,
    };
    faults.into_iter().map(finding).collect()
}

fn counts(verified: &Verified<'_>, reach: Option<&Closure>) -> Counts {
    let graph = &verified.graph;
    let is_reached = |object: &ObjectHash| reach.is_none_or(|reach| reach.objects.contains(object));
    let found = verified
        .found
        .iter()
        .filter(|(object, _)| is_reached(object));
    let (objects, bytes) = found.fold((0, 0), |(objects, bytes), (_, found)| {
        (objects + 1, bytes + found.size)
    });
    let actions = graph.actions().iter();
    let actions = actions.filter(|(key, _)| reach.is_none_or(|it| it.actions.contains(key)));
    Counts {
        runs: reach.map_or(graph.runs().len(), |reach| reach.runs.len()) as u64,
        results: actions.map(|(_, entry)| entry.results.len() as u64).sum(),
        actions: reach.map_or(graph.actions().len(), |reach| reach.actions.len()) as u64,
        artifacts: reach.map_or(graph.artifacts().len(), |reach| reach.artifacts.len()) as u64,
        objects,
        bytes,
    }
}

/// Sets down the names of the runs that the report speaks of.
fn name_runs(verified: &Verified<'_>, report: &mut AuditReport) {
    let affected = report
        .findings
        .iter()
        .flat_map(|finding| &finding.affected.runs);
    let noted = report.notes.iter().flat_map(|note| match note {
        Note::Irreproducible { stages, .. } => stages.as_slice(),
        Note::UnnamedRun(_)
        | Note::NewerRevision { .. }
        | Note::KnownLoss { .. }
        | Note::Writable(_)
        | Note::Unnamed { .. }
        | Note::Unfinished(_)
        | Note::Temporary(_)
        | Note::Strange(_)
        | Note::Quarantine(_) => &[],
    });
    let runs: BTreeSet<_> = affected
        .chain(noted.map(|stage| &stage.run))
        .copied()
        .collect();
    for hash in runs {
        if let Some(RunEntry { run, .. }) = verified.graph.runs().get(&hash) {
            let name = RunName {
                pipeline: run.pipeline.clone(),
                started_ms: run.started_ms,
            };
            report.runs.insert(hash, name);
        }
    }
}
