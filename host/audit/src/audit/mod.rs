//! Whether a store is intact: every object is what its name says, every document is whole and
//! agrees with the others, and nothing lies where it does not belong. It says what each fault
//! affects; only [`fix`] changes anything, and that deletes nothing.

mod affected;
mod bytes;
mod census;
mod finding;
mod notes;
mod reach;
mod relations;
mod remedy;

use std::collections::BTreeSet;

use assay_core::ObjectHash;
use assay_store::{Found, Store, StoreError, Survey};

pub use self::finding::{
    Affected, AffectedStage, AuditReport, Counts, Fault, Finding, Note, Place, Remedy, RunName,
};
pub use self::reach::Scope;
pub use self::remedy::{Moved, fix};

use self::census::Census;
use self::reach::Reach;

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
    let _hold = store.hold()?;
    let mut survey = store.survey();
    let mut census = Census::take(store, &survey);
    let reach = match scope {
        Scope::Subjects(subjects) => Some(Reach::of(&census, subjects)),
        Scope::Named | Scope::All => None,
    };
    let objects = match (&reach, scope) {
        (Some(reach), _) => reach.objects.clone(),
        (None, Scope::All) => {
            let all = survey.objects.iter().chain(census.roles.keys());
            all.copied().collect()
        }
        (None, _) => census.roles.keys().copied().collect(),
    };
    read_objects(store, &mut census, objects, observer);
    let contradictions = relations::contradictions(&census, &survey);
    census.faults.extend(contradictions);

    let mut report = AuditReport::default();
    let lost = notes::known_losses(store, &census, &mut report)?;
    let mut faults = std::mem::take(&mut census.faults);
    faults.extend(entries(&mut survey));
    faults.retain(|(place, fault)| {
        let is_known =
            matches!((place, fault), (Place::Object(it), Fault::Missing) if lost.contains(it));
        !is_known && reach.as_ref().is_none_or(|reach| reach.contains(place))
    });
    faults.sort_by(|(one, _), (other, _)| one.cmp(other));
    report.findings = findings(&census, &survey, faults);
    notes::add(store, &survey, &census, reach.as_ref(), scope, &mut report);
    report.counts = counts(&census, reach.as_ref());
    name_runs(&census, &mut report);
    Ok(report)
}

/// Reads the objects that have not been read as documents.
fn read_objects(
    store: &Store,
    census: &mut Census,
    objects: BTreeSet<ObjectHash>,
    observer: &dyn AuditObserver,
) {
    let unread = objects
        .into_iter()
        .filter(|object| !census.seen.contains(object));
    for (object, examined) in bytes::examine(store, unread.collect(), observer) {
        census.seen.insert(object);
        let fault = match examined {
            Ok(found) => {
                census.add_found(store, object, found);
                wrong_bytes(object, found)
            }
            Err(error) => Some(Fault::of(error)),
        };
        census
            .faults
            .extend(fault.map(|fault| (Place::Object(object), fault)));
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
fn entries(survey: &mut Survey) -> Vec<(Place, Fault)> {
    let foreign = survey.foreign.iter().map(|path| (path, Fault::Foreign));
    let absent = survey.absent.iter().map(|path| (path, Fault::FolderGone));
    let mut faults: Vec<_> = foreign
        .chain(absent)
        .map(|(path, fault)| (Place::Entry(path.clone()), fault))
        .collect();
    for (path, error) in survey.unlisted.drain(..) {
        faults.push((Place::Entry(path), Fault::Unreadable(error)));
    }
    faults
}

fn findings(census: &Census, survey: &Survey, faults: Vec<(Place, Fault)>) -> Vec<Finding> {
    let finding = |(place, fault): (Place, Fault)| Finding {
        affected: census.affected(&place, &fault),
        remedy: census.remedy(survey, &place, &fault),
        place,
        fault,
    };
    faults.into_iter().map(finding).collect()
}

fn counts(census: &Census, reach: Option<&Reach>) -> Counts {
    let is_reached = |object: &ObjectHash| reach.is_none_or(|reach| reach.objects.contains(object));
    let found = census.found.iter().filter(|(object, _)| is_reached(object));
    let (objects, bytes) = found.fold((0, 0), |(objects, bytes), (_, found)| {
        (objects + 1, bytes + found.size)
    });
    let records = census.records.iter();
    let records = records.filter(|(key, _)| reach.is_none_or(|it| it.actions.contains(key)));
    Counts {
        runs: reach.map_or(census.runs.len(), |reach| reach.runs.len()) as u64,
        results: records.map(|(_, records)| records.len() as u64).sum(),
        actions: reach.map_or(census.actions.len(), |reach| reach.actions.len()) as u64,
        artifacts: reach.map_or(census.artifacts.len(), |reach| reach.artifacts.len()) as u64,
        objects,
        bytes,
    }
}

/// Sets down the names of the runs that the report speaks of.
fn name_runs(census: &Census, report: &mut AuditReport) {
    let affected = report
        .findings
        .iter()
        .flat_map(|finding| &finding.affected.runs);
    let noted = report.notes.iter().flat_map(|note| match note {
        Note::Irreproducible { stages, .. } => stages.as_slice(),
        _ => &[],
    });
    let runs: BTreeSet<_> = affected
        .chain(noted.map(|stage| &stage.run))
        .copied()
        .collect();
    for hash in runs {
        if let Some(run) = census.runs.get(&hash) {
            let name = RunName {
                pipeline: run.pipeline.clone(),
                started_ms: run.started_ms,
            };
            report.runs.insert(hash, name);
        }
    }
}
