//! Remedies for faults, and applying them. Only faulty files are moved, and the records, markers
//! and pins that name them where no run would repair them: the next run then finds the result
//! missing and makes it again. Nothing is deleted.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use assay_store::{Store, StoreError};

use super::finding::{AuditReport, Fault, Location, Remedy};
use super::verify::Verified;

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
    let _guard = store.hold()?;
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
        Remedy::Path(path) | Remedy::Marker { path, .. } if path.symlink_metadata().is_err() => {
            return Ok(None);
        }
        Remedy::Path(path) => (path.clone(), Some(store.quarantine(path, why)?)),
        Remedy::Marker { run, path } => {
            let to = store.quarantine(path, why)?;
            mark(store, *run)?;
            (path.clone(), Some(to))
        }
    };
    Ok(Some(Moved { from, to }))
}

/// Gives a run the right marker, if what the marker refers to is there.
fn mark(store: &Store, run: RunHash) -> Result<(), StoreError> {
    match store.run(run).and_then(|run| store.commit_run(&run)) {
        Err(error) if !error.is_damage() => Err(error),
        _ => Ok(()),
    }
}

impl Verified<'_> {
    /// Steps that `fix` would take against the fault.
    pub(super) fn remedy(&self, location: &Location, fault: &Fault) -> Vec<Remedy> {
        match (location, fault) {
            (_, Fault::Unreadable(StoreError::Io { source, .. }))
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Vec::new()
            }
            // A path that cannot be listed is a folder of the store. A claim of a run that no
            // result confirms comes right when its action runs again, or never.
            (Location::Path(_), Fault::Unreadable(_))
            | (_, Fault::NoResult { .. } | Fault::Outcome { .. } | Fault::FolderGone) => Vec::new(),
            (Location::Object(object), fault) => self.object_remedy(*object, fault),
            (Location::Record { path, .. } | Location::Path(path), _) => {
                vec![Remedy::Path(path.clone())]
            }
            (Location::Marker { run, path }, _) => vec![Remedy::Marker {
                run: *run,
                path: path.clone(),
            }],
        }
    }

    fn object_remedy(&self, object: ObjectHash, fault: &Fault) -> Vec<Remedy> {
        let roles = self.roles(object);
        let mut remedies = Vec::new();
        if !matches!(fault, Fault::Missing) || roles.iter().all(is_replaceable) {
            remedies.push(Remedy::Object(object));
        }
        // Bytes that are as named and still wrong come from no run: no run replaces them.
        let is_forged = matches!(
            fault,
            Fault::Document { .. } | Fault::NotCanonical { .. } | Fault::Size { .. }
        );
        for role in roles {
            match role {
                Role::Artifact(artifact) | Role::File { artifact, .. } => {
                    for action in self.graph.producers(*artifact) {
                        if is_forged || self.has_other_result(action, *artifact) {
                            let is_it = |gave: ArtifactHash| gave == *artifact;
                            remedies.extend(self.record_remedies(action, is_it));
                        }
                    }
                }
                Role::Action(action) if is_forged => {
                    remedies.extend(self.record_remedies(*action, |_| true));
                }
                Role::Run(run) => {
                    let markers = self.survey.markers.iter();
                    let markers = markers.filter(|marker| marker.run == *run);
                    remedies.extend(markers.map(|marker| Remedy::Marker {
                        run: *run,
                        path: marker.path.clone(),
                    }));
                }
                Role::Action(_)
                | Role::Library { .. }
                | Role::Log { .. }
                | Role::PipelineFile(_)
                | Role::NetworksFile(_)
                | Role::FiguresFile(_)
                | Role::Pin(_) => {}
            }
        }
        if !roles.iter().any(|role| self.may_come_again(role)) {
            let pins = self.graph.labels(object);
            remedies.extend(pins.map(|label| Remedy::Path(self.store.pin_path(label))));
        }
        remedies
    }

    /// Whether a run may make again what has this role, so that a pin on it is worth keeping.
    fn may_come_again(&self, role: &Role) -> bool {
        match role {
            Role::Action(action) => {
                let is_used = !self.graph.stages(*action).is_empty();
                is_used || !self.graph.results(*action).is_empty()
            }
            Role::Artifact(artifact) => {
                let is_given = self.graph.claimed_producers(*artifact).next().is_some();
                is_given || self.graph.readers(*artifact).next().is_some()
            }
            Role::File { .. } => true,
            Role::Run(_)
            | Role::Library { .. }
            | Role::Log { .. }
            | Role::PipelineFile(_)
            | Role::NetworksFile(_)
            | Role::FiguresFile(_)
            | Role::Pin(_) => false,
        }
    }

    /// Moving the records of the action whose artifact is such.
    fn record_remedies(
        &self,
        action: ActionKey,
        is_such: impl Fn(ArtifactHash) -> bool,
    ) -> impl Iterator<Item = Remedy> {
        let records = self.graph.results(action).iter();
        let records = records.filter(move |(_, result)| is_such(result.artifact));
        records.map(move |(name, _)| Remedy::Path(self.store.record_path(action, *name)))
    }

    /// Whether the action has a result with another artifact that is whole. Then it counts as
    /// cached, and no run makes this one again.
    fn has_other_result(&self, action: ActionKey, than: ArtifactHash) -> bool {
        let results = self.graph.results(action).iter();
        let mut others = results.filter(|(_, result)| result.artifact != than);
        others.any(|(_, result)| self.is_whole(result.artifact))
    }

    fn is_whole(&self, artifact: ArtifactHash) -> bool {
        let manifest = self.graph.artifacts().get(&artifact);
        let mut files = manifest.into_iter().flat_map(|it| it.files.values());
        self.is_sound(artifact.into())
            && manifest.is_some()
            && files.all(|file| self.is_sound(file.object))
    }
}

/// Whether no result's bytes are lost with what has this role, while no run can be relied on to
/// make it again.
pub(super) const fn is_replaceable(role: &Role) -> bool {
    match role {
        Role::Log { .. }
        | Role::Library { .. }
        | Role::PipelineFile(_)
        | Role::NetworksFile(_)
        | Role::FiguresFile(_)
        | Role::Pin(_) => true,
        Role::Run(_) | Role::Action(_) | Role::Artifact(_) | Role::File { .. } => false,
    }
}
