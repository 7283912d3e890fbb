//! The walk from step to step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};
use assay_store::{Index, Store};
use serde_json::{Map, Value};

use super::row::{Row, RowError, inputs_of};
use super::source::sources;
use super::step::{Direction, Execution, Lineage, Link, Maker, Step};
use crate::subject::Subject;

/// Key of a step: its action, if that is known, and the artifact that it gave, if any.
type StepKey = (Option<ActionKey>, Option<ArtifactHash>);

pub(super) struct Walk<'a> {
    store: &'a Store,
    index: &'a Index,
    direction: Direction,
    /// The actions of the run that was asked about, by what they gave there.
    preferred: BTreeMap<ArtifactHash, ActionKey>,
    known: BTreeMap<StepKey, usize>,
    waiting: VecDeque<usize>,
    lineage: Lineage,
}

impl<'a> Walk<'a> {
    pub(super) fn new(store: &'a Store, index: &'a Index, direction: Direction) -> Self {
        Self {
            store,
            index,
            direction,
            preferred: BTreeMap::new(),
            known: BTreeMap::new(),
            waiting: VecDeque::new(),
            lineage: Lineage::default(),
        }
    }

    /// Finds the steps to begin with.
    pub(super) fn begin(&mut self, subject: &Subject) {
        match subject {
            Subject::Run(run) => self.begin_run(*run),
            Subject::Stage {
                run,
                action,
                artifact,
                ..
            } => {
                self.prefer(*run);
                self.root((Some(*action), *artifact));
            }
            Subject::Action(action) => {
                for artifact in self.given_by(*action) {
                    self.root((Some(*action), artifact));
                }
            }
            Subject::Result { action, record } => {
                let results = self.index.results(*action).iter();
                let mut named = results.filter(|(name, _)| name == record);
                let artifact = named.next().map(|(_, result)| result.artifact);
                self.root((Some(*action), artifact));
            }
            Subject::Artifact(artifact) | Subject::File { artifact, .. } => {
                let place = self.made(*artifact);
                self.root(place);
            }
            Subject::Object(object) => self.begin_object(*object),
        }
    }

    /// Keeps of the one step to begin with what some rows of its table rest on.
    pub(super) fn keep_rows(&mut self, rows: &[Row]) -> Result<(), RowError> {
        let [root] = self.lineage.roots[..] else {
            return Err(RowError::NoReport);
        };
        self.waiting.clear();
        let action = match self.lineage.steps.get(root).map(|step| &step.maker) {
            Some(Maker::Action(execution)) => execution.action.clone(),
            _ => None,
        };
        let action = action.ok_or(RowError::NoReport)?;
        let parameters = |role: &str| -> Option<Map<String, Value>> {
            let (maker, _) = self.made(*action.inputs.get(role)?);
            Some(self.store.action(maker?).ok()?.parameters)
        };
        let kept = inputs_of(&action, rows, parameters)?;
        for (role, artifact) in &action.inputs {
            if kept.contains(role) {
                let place = self.made(*artifact);
                self.link(root, role, place);
            }
        }
        Ok(())
    }

    /// Goes on until nothing is left to be found.
    pub(super) fn finish(mut self) -> Lineage {
        while let Some(step) = self.waiting.pop_front() {
            for (role, place) in self.next(step) {
                self.link(step, &role, place);
            }
        }
        self.lineage
    }

    fn prefer(&mut self, run: RunHash) {
        let stages = self.index.runs().get(&run).map(|entry| &entry.run.stages);
        for stage in stages.into_iter().flatten() {
            if let (Some(action), Some(artifact)) = (stage.action, stage.artifact) {
                self.preferred.insert(artifact, action);
            }
        }
    }

    /// The stages that nothing else in the run reads, or that read nothing.
    fn begin_run(&mut self, run: RunHash) {
        self.prefer(run);
        let stages = self.index.runs().get(&run).map(|entry| &entry.run.stages);
        let stages: Vec<_> = stages.into_iter().flatten().collect();
        let inputs = |action: ActionKey| Some(&self.index.document(action)?.inputs);
        let read = stages.iter().filter_map(|stage| inputs(stage.action?));
        let read: BTreeSet<_> = read.flat_map(BTreeMap::values).collect();
        let mut roots = Vec::new();
        for stage in stages {
            let (Some(action), Some(artifact)) = (stage.action, stage.artifact) else {
                continue;
            };
            let is_root = match self.direction {
                Direction::Up => !read.contains(&artifact),
                Direction::Down => inputs(action).is_none_or(BTreeMap::is_empty),
            };
            if is_root {
                roots.push((Some(action), Some(artifact)));
            }
        }
        for place in roots {
            self.root(place);
        }
    }

    fn begin_object(&mut self, object: ObjectHash) {
        let roles = self.index.roles(object).into_owned();
        let mut users = Vec::new();
        for role in roles {
            match role {
                Role::File { artifact, .. } => {
                    let place = self.made(artifact);
                    self.root(place);
                }
                Role::Log { action, record } => {
                    self.begin(&Subject::Result { action, record });
                }
                Role::Library { action, plugin } => users.push((action, plugin)),
                Role::Run(_)
                | Role::Action(_)
                | Role::Artifact(_)
                | Role::PipelineFile(_)
                | Role::NetworksFile(_)
                | Role::FiguresFile(_)
                | Role::Pin(_) => {}
            }
        }
        if !self.lineage.roots.is_empty() {
            return;
        }
        let step = self.add(Step {
            maker: Maker::Object(object),
            artifact: None,
            next: Vec::new(),
            uses: Vec::new(),
        });
        self.lineage.roots.push(step);
        if self.direction == Direction::Down {
            for (action, plugin) in users {
                for artifact in self.given_by(action) {
                    self.link(step, &format!("plugin {plugin}"), (Some(action), artifact));
                }
            }
        }
    }

    fn root(&mut self, place: StepKey) {
        let step = self.step(place);
        if !self.lineage.roots.contains(&step) {
            self.lineage.roots.push(step);
        }
    }

    fn link(&mut self, from: usize, role: &str, place: StepKey) {
        let step = self.step(place);
        if let Some(from) = self.lineage.steps.get_mut(from) {
            let role = role.to_owned();
            from.next.push(Link { role, step });
        }
    }

    /// Steps that this one was made from, or that were made from it, by role.
    fn next(&self, step: usize) -> Vec<(String, StepKey)> {
        let Some(step) = self.lineage.steps.get(step) else {
            return Vec::new();
        };
        match (self.direction, &step.maker) {
            (Direction::Up, Maker::Action(execution)) => {
                let inputs = execution.action.iter().flat_map(|action| &action.inputs);
                let mut inputs: Vec<_> = inputs.collect();
                // `evaluation-00000` and `training-00000` belong together.
                inputs.sort_by_key(|(role, _)| role.rsplit_once('-').map(|(_, number)| number));
                let made = inputs.into_iter();
                made.map(|(role, artifact)| (role.clone(), self.made(*artifact)))
                    .collect()
            }
            (Direction::Up, _) => Vec::new(),
            (Direction::Down, _) => {
                let readers = step
                    .artifact
                    .into_iter()
                    .flat_map(|it| self.index.readers(it));
                let steps = readers.flat_map(|(action, role)| {
                    let given = self.given_by(action).into_iter();
                    given.map(move |artifact| (role.to_owned(), (Some(action), artifact)))
                });
                steps.collect()
            }
        }
    }

    /// Where the artifact was made.
    fn made(&self, artifact: ArtifactHash) -> StepKey {
        let preferred = self.preferred.get(&artifact).copied();
        let maker = preferred.or_else(|| self.index.first_producer(artifact));
        (maker, Some(artifact))
    }

    /// Artifacts that the action produced, each once; a single `None` if it has no result.
    fn given_by(&self, action: ActionKey) -> Vec<Option<ArtifactHash>> {
        let mut given = Vec::new();
        for (_, result) in self.index.results(action) {
            if !given.contains(&Some(result.artifact)) {
                given.push(Some(result.artifact));
            }
        }
        if given.is_empty() {
            given.push(None);
        }
        given
    }

    /// The step at this place, found once.
    fn step(&mut self, place: StepKey) -> usize {
        if let Some(step) = self.known.get(&place) {
            return *step;
        }
        let (action, artifact) = place;
        let maker = match action {
            Some(key) => Maker::Action(Box::new(self.execution(key, artifact))),
            None => Maker::Unknown,
        };
        let uses = action.map(|action| self.index.stages(action).into_owned());
        let step = self.add(Step {
            maker,
            artifact,
            next: Vec::new(),
            uses: uses.unwrap_or_default(),
        });
        self.known.insert(place, step);
        step
    }

    fn add(&mut self, step: Step) -> usize {
        let place = self.lineage.steps.len();
        self.lineage.steps.push(step);
        self.waiting.push_back(place);
        place
    }

    fn execution(&self, key: ActionKey, artifact: Option<ArtifactHash>) -> Execution {
        let results = self.index.results(key).iter();
        let records = results.filter(|(_, result)| Some(result.artifact) == artifact);
        let records: Vec<_> = records.cloned().collect();
        let action = self.store.action(key).ok();
        let sources = action.as_ref().map(|it| sources(self.store, it, &records));
        let producers = artifact.map_or(0, |it| self.index.producers(it).count());
        Execution {
            key,
            sources: sources.unwrap_or_default(),
            action,
            records,
            others: producers.saturating_sub(1),
        }
    }
}
