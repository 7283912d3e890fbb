//! The effects of a fault: the stages that made or use the faulty item, the stages that read what
//! these produced, and so on to the reports, by name.

use std::collections::BTreeSet;

use assay_core::graph::Role;
use assay_core::{ActionKey, ArtifactHash, ObjectHash, RunHash};

use super::finding::{Affected, AffectedStage, Fault, Location};
use super::verify::Verified;

impl Verified<'_> {
    /// Roles, stages, actions and runs affected by the fault.
    pub(super) fn affected(&self, location: &Location, fault: &Fault) -> Affected {
        match location {
            Location::Object(object) => self.affected_by_object(*object, fault),
            Location::Record { action, .. } => {
                self.affected_by_actions(&BTreeSet::from([*action]), true)
            }
            Location::Marker { run, .. } => Affected {
                runs: vec![*run],
                ..Affected::default()
            },
            Location::Path(_) => Affected::default(),
        }
    }

    /// The stages of runs that an action is.
    pub(super) fn affected_stages(&self, action: ActionKey) -> impl Iterator<Item = AffectedStage> {
        let kind = self.graph.document(action).map(|action| action.kind);
        let stages = self.graph.stages(action).into_owned().into_iter();
        stages.map(move |stage| AffectedStage {
            run: stage.run,
            stage: stage.stage,
            action,
            kind,
        })
    }

    fn affected_by_object(&self, object: ObjectHash, fault: &Fault) -> Affected {
        let mut actions = BTreeSet::new();
        let mut runs = BTreeSet::new();
        let mut spreads = false;
        let roles = self.roles(object);
        for role in roles {
            match role {
                Role::Artifact(artifact) | Role::File { artifact, .. } => {
                    let mut producers = self.graph.claimed_producers(*artifact).peekable();
                    // Nobody's result, or that of a record that is gone: whoever reads it knows.
                    let is_given = producers.peek().is_some();
                    actions.extend(producers);
                    if !is_given {
                        actions.extend(self.reading(*artifact));
                    }
                    spreads = true;
                }
                Role::Action(action) | Role::Library { action, .. } => {
                    actions.insert(*action);
                    spreads = true;
                }
                Role::Log { action, .. } => {
                    actions.insert(*action);
                }
                Role::Run(run)
                | Role::PipelineFile(run)
                | Role::NetworksFile(run)
                | Role::FiguresFile(run) => {
                    runs.insert(*run);
                }
                Role::Pin(_) => {}
            }
        }
        if let (Fault::NoResult { stage, .. } | Fault::Outcome { stage }, Some(run)) =
            (fault, runs.first())
        {
            actions.extend(self.action_of(*run, stage));
            spreads = true;
        }
        let mut affected = self.affected_by_actions(&actions, spreads);
        affected.runs.extend(runs);
        affected.runs.sort_unstable();
        affected.runs.dedup();
        affected.roles = roles.to_vec();
        affected
    }

    fn affected_by_actions(&self, own: &BTreeSet<ActionKey>, spreads: bool) -> Affected {
        let mut downstream = BTreeSet::new();
        let mut waiting: Vec<_> = if spreads {
            own.iter().copied().collect()
        } else {
            Vec::new()
        };
        while let Some(action) = waiting.pop() {
            let gave = self.graph.claimed_results(action).into_iter();
            for reader in gave.flat_map(|artifact| self.reading(artifact)) {
                if !own.contains(&reader) && downstream.insert(reader) {
                    waiting.push(reader);
                }
            }
        }
        let stages = |actions: &BTreeSet<ActionKey>| -> Vec<_> {
            let stages = actions
                .iter()
                .flat_map(|action| self.affected_stages(*action));
            stages.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let mut affected = Affected {
            stages: stages(own),
            downstream: stages(&downstream),
            ..Affected::default()
        };
        let all = affected.stages.iter().chain(&affected.downstream);
        affected.runs = all.map(|stage| stage.run).collect();
        affected.runs.sort_unstable();
        affected.runs.dedup();
        let unnamed = own.union(&downstream).copied();
        affected.actions = unnamed
            .filter(|action| self.graph.stages(*action).is_empty())
            .collect();
        affected
    }

    fn reading(&self, artifact: ArtifactHash) -> impl Iterator<Item = ActionKey> {
        self.graph.readers(artifact).map(|(action, _)| action)
    }

    fn action_of(&self, run: RunHash, stage: &str) -> Option<ActionKey> {
        let stages = &self.graph.runs().get(&run)?.run.stages;
        stages.iter().find(|known| known.name == stage)?.action
    }
}
