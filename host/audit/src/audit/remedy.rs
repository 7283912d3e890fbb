//! Remedies for faults, and applying them. Only faulty files are moved, and the records, markers
//! and pins that vouch for them where no run would repair them: the next run then finds the result
//! missing and makes it again. Nothing is deleted.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use assay_store::{Store, StoreError, Survey};

use super::census::{Census, Filed};
use super::finding::{AuditReport, Fault, Place, Remedy};
use crate::index::Role;

/// Something that was moved, or set down as lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it was.
    pub from: PathBuf,
    /// Its folder in quarantine; nothing if it had become sound meanwhile.
    pub to: Option<PathBuf>,
}

/// Moves to quarantine what the report says is wrong, as far as moving it helps.
///
/// # Errors
/// Something cannot be moved. What was moved so far stays moved.
pub fn fix(store: &Store, report: &AuditReport) -> Result<Vec<Moved>, StoreError> {
    let _hold = store.hold()?;
    let mut moved = Vec::new();
    let mut done = BTreeSet::new();
    for finding in &report.findings {
        let why = finding.fault.to_string();
        for remedy in &finding.remedy {
            if done.insert(remedy) {
                moved.extend(apply(store, remedy, &why)?);
            }
        }
    }
    Ok(moved)
}

fn apply(store: &Store, remedy: &Remedy, why: &str) -> Result<Option<Moved>, StoreError> {
    let (from, to) = match remedy {
        Remedy::Object(object) => {
            let to = store.quarantine_object(*object, why)?;
            (store.object_path(*object), to)
        }
        // Someone else may have moved it meanwhile.
        Remedy::Entry(path) | Remedy::Marker { path, .. } if path.symlink_metadata().is_err() => {
            return Ok(None);
        }
        Remedy::Entry(path) => (path.clone(), Some(store.quarantine(path, why)?)),
        Remedy::Marker { run, path } => {
            let to = store.quarantine(path, why)?;
            mark(store, *run)?;
            (path.clone(), Some(to))
        }
    };
    Ok(Some(Moved { from, to }))
}

/// Gives a run the right marker, if what the marker vouches for is there.
fn mark(store: &Store, run: RunHash) -> Result<(), StoreError> {
    match store.run(run).and_then(|run| store.commit_run(&run)) {
        Err(error) if !error.is_damage() => Err(error),
        _ => Ok(()),
    }
}

impl Census {
    /// Steps that `fix` would take against the fault.
    pub(super) fn remedy(&self, survey: &Survey, place: &Place, fault: &Fault) -> Vec<Remedy> {
        match (place, fault) {
            (_, Fault::Unreadable(StoreError::Io { source, .. }))
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Vec::new()
            }
            // A path that cannot be listed is a folder of the store. A claim of a run that no
            // result confirms comes right when its action runs again, or never.
            (Place::Entry(_), Fault::Unreadable(_))
            | (_, Fault::NoResult { .. } | Fault::Outcome { .. } | Fault::FolderGone) => Vec::new(),
            (Place::Object(object), fault) => self.object_remedy(survey, *object, fault),
            (Place::Record { path, .. } | Place::Entry(path), _) => {
                vec![Remedy::Entry(path.clone())]
            }
            (Place::Marker { run, path }, _) => vec![Remedy::Marker {
                run: *run,
                path: path.clone(),
            }],
        }
    }

    fn object_remedy(&self, survey: &Survey, object: ObjectHash, fault: &Fault) -> Vec<Remedy> {
        let is_loss = || {
            let mut roles = self.roles.get(&object).into_iter().flatten();
            roles.all(is_bearable)
        };
        let mut remedies = Vec::new();
        if !matches!(fault, Fault::Missing) || is_loss() {
            remedies.push(Remedy::Object(object));
        }
        // Bytes that are as named and still wrong come from no run: no run replaces them.
        let is_forged = matches!(
            fault,
            Fault::Document { .. } | Fault::NotCanonical { .. } | Fault::Size { .. }
        );
        for role in self.roles.get(&object).into_iter().flatten() {
            match role {
                Role::Artifact(artifact) | Role::File { artifact, .. } => {
                    let records = self.records_of(*artifact);
                    let going = records.filter(|(action, _)| {
                        is_forged || self.has_other_result(*action, *artifact)
                    });
                    remedies.extend(going.map(|(_, filed)| Remedy::Entry(filed.path.clone())));
                }
                Role::Action(action) if is_forged => {
                    let records = self.records.get(action).into_iter().flatten();
                    remedies.extend(records.map(|filed| Remedy::Entry(filed.path.clone())));
                }
                Role::Run(run) => {
                    let markers = survey.markers.iter().filter(|marker| marker.run == *run);
                    remedies.extend(markers.map(|marker| Remedy::Marker {
                        run: *run,
                        path: marker.path.clone(),
                    }));
                }
                _ => {}
            }
        }
        let mut roles = self.roles.get(&object).into_iter().flatten();
        if !roles.any(|role| self.may_come_again(role)) {
            let pins = self.pins.iter().filter(|(_, pin)| pin.object() == object);
            remedies.extend(pins.map(|(path, _)| Remedy::Entry(path.clone())));
        }
        remedies
    }

    /// Whether a run may make again what has this role, so that a pin on it is worth keeping.
    fn may_come_again(&self, role: &Role) -> bool {
        match role {
            Role::Action(action) => {
                self.stages.contains_key(action) || self.records.contains_key(action)
            }
            Role::Artifact(artifact) => {
                self.producers.contains_key(artifact) || self.readers.contains_key(artifact)
            }
            Role::File { .. } => true,
            role => !is_bearable(role) && !matches!(role, Role::Run(_)),
        }
    }

    /// The records that say that their action gave the artifact.
    fn records_of(&self, artifact: ArtifactHash) -> impl Iterator<Item = (ActionKey, &Filed)> {
        let producers = self.producers.get(&artifact).into_iter().flatten();
        producers.flat_map(move |action| {
            let records = self.records.get(action).into_iter().flatten();
            let gave = records.filter(move |filed| filed.result.artifact == artifact);
            gave.map(|filed| (*action, filed))
        })
    }

    /// Whether the action has a result with another artifact that is whole. Then it counts as
    /// cached, and no run makes this one again.
    fn has_other_result(&self, action: ActionKey, than: ArtifactHash) -> bool {
        let records = self.records.get(&action).into_iter().flatten();
        let mut others = records.filter(|filed| filed.result.artifact != than);
        others.any(|filed| self.is_whole(filed.result.artifact))
    }

    fn is_whole(&self, artifact: ArtifactHash) -> bool {
        let files = self
            .artifacts
            .get(&artifact)
            .map(|manifest| &manifest.files);
        self.is_sound(artifact.into())
            && files.is_some_and(|files| files.values().all(|file| self.is_sound(file.object)))
    }
}

/// Whether no result's bytes are lost with what has this role, while no run can be relied on to
/// make it again.
pub(super) const fn is_bearable(role: &Role) -> bool {
    matches!(
        role,
        Role::Log { .. }
            | Role::Library { .. }
            | Role::PipelineFile(_)
            | Role::NetworksFile(_)
            | Role::Pin(_)
    )
}
