//! Notes of an audit on what is not a fault: results that differ, runs that nothing names, known
//! losses, and files that lie about.

use std::collections::BTreeSet;

use assay_core::graph::Closure;
use assay_core::{ObjectHash, Run};
use assay_store::StoreError;

use super::Scope;
use super::finding::{AuditReport, Fault, Location, Note};
use super::remedy::is_replaceable;
use super::verify::Verified;

/// The most bytes of an object that is read to see whether it is a run that no marker names.
const LARGEST_RUN: u64 = 4 << 20;

/// The objects that quarantine says are lost and that no result's bytes rest on.
pub(super) fn known_losses(
    verified: &Verified<'_>,
    report: &mut AuditReport,
) -> Result<BTreeSet<ObjectHash>, StoreError> {
    let notes = verified.store.quarantined()?;
    if !notes.is_empty() {
        report.notes.push(Note::Quarantine(notes.len()));
    }
    let missing = verified.faults.iter().filter_map(|fault| match fault {
        (Location::Object(object), Fault::Missing) => Some(*object),
        _ => None,
    });
    let missing: BTreeSet<_> = missing.collect();
    let mut lost = BTreeSet::new();
    for object in notes.iter().filter_map(|note| note.object) {
        let roles = verified.roles(object);
        if missing.contains(&object) && roles.iter().all(is_replaceable) && lost.insert(object) {
            let roles = roles.to_vec();
            report.notes.push(Note::KnownLoss { object, roles });
        }
    }
    Ok(lost)
}

/// Adds what is worth knowing of what was looked at.
pub(super) fn add(
    verified: &Verified<'_>,
    reach: Option<&Closure>,
    scope: Scope<'_>,
    report: &mut AuditReport,
) {
    let notes = &mut report.notes;
    notes.extend(
        of_actions(verified)
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
            Note::Writable(verified.writable.clone()),
            Note::Unfinished(verified.survey.scratch.clone()),
            Note::Temporary(verified.survey.temporary.clone()),
            Note::Strange(verified.survey.strange.clone()),
        ];
        notes.extend(lists.into_iter().filter(|note| !note.is_empty()));
        notes.extend(unmarked(verified));
    }
    if scope == Scope::All {
        notes.extend(unnamed(verified));
    }
}

/// Runs that pins alone name.
fn unmarked(verified: &Verified<'_>) -> impl Iterator<Item = Note> {
    let marked: BTreeSet<_> = verified
        .survey
        .markers
        .iter()
        .map(|marker| marker.run)
        .collect();
    let runs = verified.graph.runs().keys().copied();
    let unmarked = runs.filter(move |run| !marked.contains(run));
    unmarked.map(Note::UnnamedRun)
}

/// The objects that nothing names, and the runs among them.
fn unnamed(verified: &Verified<'_>) -> Vec<Note> {
    let (mut objects, mut bytes, mut notes) = (0, 0, Vec::new());
    for object in &verified.survey.objects {
        let found = verified.found.get(object);
        let found = found.filter(|found| found.hash == *object);
        let Some(found) = found.filter(|_| verified.roles(*object).is_empty()) else {
            continue;
        };
        objects += 1;
        bytes += found.size;
        if found.first == Some(b'{')
            && found.size <= LARGEST_RUN
            && let Ok(text) = verified.store.read_limited(*object, LARGEST_RUN)
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
fn of_actions(verified: &Verified<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    for (&action, entry) in verified.graph.actions().iter() {
        let gave = entry.results.iter().map(|(_, result)| result.artifact);
        let gave: BTreeSet<_> = gave.collect();
        if gave.len() > 1 {
            notes.push(Note::Irreproducible {
                action,
                artifacts: gave.into_iter().collect(),
                stages: verified.affected_stages(action).collect(),
            });
        }
    }
    for (&action, entry) in verified.graph.actions().iter() {
        if let Some(document) = &entry.document
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
