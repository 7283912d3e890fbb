//! How far an audit goes: everything that a run or a result names, that and all the rest, or a
//! few subjects with all that they rest on.

use std::collections::BTreeSet;

use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};

use super::census::Census;
use super::finding::Place;
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

/// Some subjects and everything that they rest on.
#[derive(Debug, Default)]
pub(super) struct Reach {
    pub(super) runs: BTreeSet<RunHash>,
    pub(super) actions: BTreeSet<ActionKey>,
    pub(super) artifacts: BTreeSet<ArtifactHash>,
    pub(super) objects: BTreeSet<ObjectHash>,
}

impl Reach {
    pub(super) fn of(census: &Census, subjects: &[Subject]) -> Self {
        let mut reach = Self::default();
        for subject in subjects {
            match subject {
                Subject::Run(run) => reach.add_run(census, *run),
                Subject::Stage {
                    action, artifact, ..
                } => {
                    reach.add_action(census, *action);
                    reach.add_artifacts(census, artifact.iter().copied());
                }
                Subject::Action(action) | Subject::Result { action, .. } => {
                    reach.add_action(census, *action);
                }
                Subject::Artifact(artifact) => reach.add_artifacts(census, [*artifact]),
                Subject::File {
                    artifact, object, ..
                } => {
                    reach.objects.extend([*object, (*artifact).into()]);
                }
                Subject::Object(object) => {
                    reach.objects.insert(*object);
                }
            }
        }
        reach
    }

    pub(super) fn contains(&self, place: &Place) -> bool {
        match place {
            Place::Object(object) => self.objects.contains(object),
            Place::Record { action, .. } => self.actions.contains(action),
            Place::Marker { run, .. } => self.runs.contains(run),
            Place::Entry(_) => false,
        }
    }

    fn add_run(&mut self, census: &Census, hash: RunHash) {
        self.runs.insert(hash);
        self.objects.insert(hash.into());
        let Some(run) = census.runs.get(&hash) else {
            return;
        };
        self.objects.insert(run.file);
        self.objects.extend(run.networks);
        for stage in &run.stages {
            if let Some(action) = stage.action {
                self.add_action(census, action);
            }
            self.add_artifacts(census, stage.artifact);
        }
    }

    /// An action, its results, and all that it reads.
    fn add_action(&mut self, census: &Census, action: ActionKey) {
        let mut waiting = vec![action];
        while let Some(key) = waiting.pop() {
            if !self.actions.insert(key) {
                continue;
            }
            self.objects.insert(key.into());
            let mut artifacts = BTreeSet::new();
            for filed in census.records.get(&key).into_iter().flatten() {
                self.objects.extend(filed.result.log);
                artifacts.insert(filed.result.artifact);
            }
            let document = census.actions.get(&key).and_then(Option::as_ref);
            if let Some(action) = document {
                self.objects
                    .extend(action.plugin.iter().map(|pin| ObjectHash::from(pin.hash)));
                artifacts.extend(action.inputs.values());
            }
            for artifact in artifacts {
                waiting.extend(self.add_artifact(census, artifact));
            }
        }
    }

    fn add_artifacts(
        &mut self,
        census: &Census,
        artifacts: impl IntoIterator<Item = ArtifactHash>,
    ) {
        for artifact in artifacts {
            for producer in self.add_artifact(census, artifact) {
                self.add_action(census, producer);
            }
        }
    }

    /// Adds an artifact and its files; returns the actions that gave it, if it is new here.
    fn add_artifact(&mut self, census: &Census, artifact: ArtifactHash) -> Vec<ActionKey> {
        if !self.artifacts.insert(artifact) {
            return Vec::new();
        }
        self.objects.insert(artifact.into());
        let files = census.artifacts.get(&artifact).into_iter();
        let files = files.flat_map(|manifest| manifest.files.values());
        self.objects.extend(files.map(|file| file.object));
        census.producers.get(&artifact).cloned().unwrap_or_default()
    }
}
