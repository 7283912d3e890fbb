//! Notes of an audit on what is not a fault: results that differ, runs that nothing names, known
//! losses, and files that lie about.

use std::collections::BTreeSet;

use assay_core::{ObjectHash, Run};
use assay_store::{Store, StoreError, Survey};

use super::census::Census;
use super::finding::{AuditReport, Fault, Note, Place};
use super::reach::{Reach, Scope};
use super::remedy::is_bearable;

/// The most bytes of an object that is read to see whether it is a run that no marker names.
const LARGEST_RUN: u64 = 4 << 20;

/// The objects that quarantine says are lost and that no result's bytes rest on.
pub(super) fn known_losses(
    store: &Store,
    census: &Census,
    report: &mut AuditReport,
) -> Result<BTreeSet<ObjectHash>, StoreError> {
    let notes = store.quarantined()?;
    if !notes.is_empty() {
        report.notes.push(Note::Quarantine(notes.len()));
    }
    let missing = census.faults.iter().filter_map(|fault| match fault {
        (Place::Object(object), Fault::Missing) => Some(*object),
        _ => None,
    });
    let missing: BTreeSet<_> = missing.collect();
    let mut lost = BTreeSet::new();
    for object in notes.iter().filter_map(|note| note.object) {
        let roles: Vec<_> = census.roles.get(&object).into_iter().flatten().collect();
        if missing.contains(&object)
            && roles.iter().all(|role| is_bearable(role))
            && lost.insert(object)
        {
            let roles = roles.into_iter().cloned().collect();
            report.notes.push(Note::KnownLoss { object, roles });
        }
    }
    Ok(lost)
}

/// Adds what is worth knowing of what was looked at.
pub(super) fn add(
    store: &Store,
    survey: &Survey,
    census: &Census,
    reach: Option<&Reach>,
    scope: Scope<'_>,
    report: &mut AuditReport,
) {
    let notes = &mut report.notes;
    notes.extend(
        of_actions(census)
            .into_iter()
            .filter(|note| match (note, reach) {
                (
                    Note::Irreproducible { action, .. } | Note::NewerRevision { action, .. },
                    Some(reach),
                ) => reach.actions.contains(action),
                _ => true,
            }),
    );
    if reach.is_none() {
        let lists = [
            Note::Writable(census.writable.clone()),
            Note::Unfinished(survey.scratch.clone()),
            Note::Temporary(survey.temporary.clone()),
            Note::Strange(survey.strange.clone()),
        ];
        notes.extend(lists.into_iter().filter(|note| !note.is_empty()));
        notes.extend(unmarked(survey, census));
    }
    if scope == Scope::All {
        notes.extend(unnamed(store, survey, census));
    }
}

/// Runs that pins alone name.
fn unmarked(survey: &Survey, census: &Census) -> impl Iterator<Item = Note> {
    let marked: BTreeSet<_> = survey.markers.iter().map(|marker| marker.run).collect();
    let runs = census.runs.keys().copied();
    let unmarked = runs.filter(move |run| !marked.contains(run));
    unmarked.map(Note::UnnamedRun)
}

/// The objects that nothing names, and the runs among them.
fn unnamed(store: &Store, survey: &Survey, census: &Census) -> Vec<Note> {
    let (mut objects, mut bytes, mut notes) = (0, 0, Vec::new());
    for object in &survey.objects {
        let found = census
            .found
            .get(object)
            .filter(|found| found.hash == *object);
        let Some(found) = found.filter(|_| !census.roles.contains_key(object)) else {
            continue;
        };
        objects += 1;
        bytes += found.size;
        if found.first == Some(b'{')
            && found.size <= LARGEST_RUN
            && let Ok(text) = store.read_limited(*object, LARGEST_RUN)
            && let Ok(run) = serde_json::from_slice::<Run>(&text)
            && let Ok((hash, _)) = run.document()
            && ObjectHash::from(hash) == *object
        {
            notes.push(Note::UnnamedRun(hash));
        }
    }
    if objects > 0 {
        notes.push(Note::Unnamed { objects, bytes });
    }
    notes
}

/// Notes on actions: results that differ, revisions of later versions.
fn of_actions(census: &Census) -> Vec<Note> {
    let mut notes = Vec::new();
    for (&action, records) in &census.records {
        let gave: BTreeSet<_> = records.iter().map(|filed| filed.result.artifact).collect();
        if gave.len() > 1 {
            notes.push(Note::Irreproducible {
                action,
                artifacts: gave.into_iter().collect(),
                stages: census.affected_stages(action).collect(),
            });
        }
    }
    for (&action, document) in &census.actions {
        if let Some(document) = document
            && document.revision > document.kind.revision()
        {
            notes.push(Note::NewerRevision {
                action,
                kind: document.kind,
                revision: document.revision,
            });
        }
    }
    notes
}
