//! Plans the stages of a pipeline file kind by kind, each kind after those that it reads, so that a
//! stage may stand before what it reads.

use std::collections::HashMap;

use assay_core::{Complaints, Diagnostic, PipelineFile, Placed, StageKind, StageTable, settings};

use super::PlannedStage;
use crate::stages::Kind;

/// A plan in the making.
pub(crate) struct Planner<'a> {
    pub(crate) file: &'a PipelineFile,
    pub(crate) complaints: &'a mut Complaints,
    stages: Vec<PlannedStage>,
    /// The planned stages that each name selects.
    selected: HashMap<String, Vec<usize>>,
}

impl<'a> Planner<'a> {
    /// Plans every stage of the file.
    pub(super) fn plan(
        file: &'a PipelineFile,
        complaints: &'a mut Complaints,
    ) -> Vec<PlannedStage> {
        let mut planner = Self {
            file,
            complaints,
            stages: Vec::new(),
            selected: HashMap::new(),
        };
        planner.check_kinds();
        for (kind, plan) in plannable() {
            for stage in stages_of(kind, file) {
                plan(stage, &mut planner);
            }
        }
        planner.stages
    }

    /// Complains about kinds that there are not.
    fn check_kinds(&mut self) {
        let known = plannable().map(|(kind, _)| kind.name());
        for StageTable { kind, .. } in &self.file.stages {
            if !known.clone().any(|name| name == kind.value) {
                let name = settings::shortened(&kind.value);
                let message = format!("there is no stage kind `{name}`");
                let help = self.complaints.choices(&kind.value, known.clone());
                self.complaints
                    .push(Diagnostic::new(message, &kind.place).help(help));
            }
        }
    }

    /// Adds a stage behind everything that it reads, and gives its position.
    pub(crate) fn push(&mut self, mut planned: PlannedStage) -> usize {
        planned.limits = planned.limits.or(self.file.limits);
        for name in selectors(&planned.name) {
            let selected = self.selected.entry(name.to_owned()).or_default();
            selected.push(self.stages.len());
        }
        self.stages.push(planned);
        self.stages.len() - 1
    }

    /// The stages that `name` refers to, in order: all those that a stage of the file, which has to
    /// be of the kind that is wanted, became.
    pub(crate) fn whole(&mut self, wanted: StageKind, name: &Placed<String>) -> Vec<usize> {
        self.whole_of(&[wanted], name)
    }

    /// Like [`Planner::whole`], for a stage of one of these kinds.
    fn whole_of(&mut self, wanted: &[StageKind], name: &Placed<String>) -> Vec<usize> {
        let stages = wanted.iter().flat_map(|&kind| stages_of(kind, self.file));
        let known: Vec<_> = stages.map(|stage| stage.name.as_str()).collect();
        if !known.contains(&name.value.as_str()) {
            self.refuse(wanted, name, &known);
            return Vec::new();
        }
        self.selected.get(&name.value).cloned().unwrap_or_default()
    }

    /// Like [`Planner::whole`]; the name may also be that of a part, such as `evaluate/bp`.
    pub(crate) fn part(&mut self, wanted: StageKind, name: &Placed<String>) -> Vec<usize> {
        let planned = self.selected.get(&name.value).into_iter().flatten();
        let planned: Vec<_> = planned
            .copied()
            .filter(|&at| self.stages[at].kind() == wanted)
            .collect();
        let is_there = stages_of(wanted, self.file).any(|stage| stage.name == name.value);
        if planned.is_empty() && !is_there {
            let mut known = Vec::new();
            for stage in stages_of(wanted, self.file) {
                known.push(stage.name.clone());
                let parts = self.selected.get(&stage.name).into_iter().flatten();
                let parts = parts.map(|&at| self.stages[at].name.clone());
                known.extend(parts.filter(|part| *part != stage.name));
            }
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            self.refuse(&[wanted], name, &known);
        }
        planned
    }

    /// The trainings that `name` refers to, each with the name that its counterpart in `stage` has:
    /// those of a train stage, or those that a search ends with.
    pub(crate) fn for_each_training(
        &mut self,
        stage: &str,
        name: &Placed<String>,
    ) -> Vec<(String, usize)> {
        let trainings = self.whole_of(&[StageKind::Train, StageKind::Search], name);
        let trainings = trainings.into_iter();
        // The trials of a search have no labels, since no table has them as rows.
        let trainings = trainings.filter(|&at| {
            let stage = &self.stages[at];
            stage.kind() == StageKind::Train && stage.labels.is_some()
        });
        let trainings: Vec<_> = trainings.collect();
        let named = trainings.into_iter().map(|at| {
            let point = self.stages[at].name.strip_prefix(&name.value);
            (format!("{stage}{}", point.unwrap_or_default()), at)
        });
        named.collect()
    }

    /// The planned stage at this position.
    pub(crate) fn stage(&self, at: usize) -> &PlannedStage {
        &self.stages[at]
    }

    fn refuse(&mut self, wanted: &[StageKind], name: &Placed<String>, known: &[&str]) {
        let shortened = settings::shortened(&name.value);
        let wanted: Vec<_> = wanted.iter().map(|kind| kind.name()).collect();
        let wanted = wanted.join(" or ");
        let message = format!("there is no {wanted} stage `{shortened}`");
        let help = self.complaints.choices(&name.value, known.iter().copied());
        self.complaints
            .push(Diagnostic::new(message, &name.place).help(help));
    }
}

/// The kinds that a pipeline file can have, with how each is planned.
fn plannable() -> impl Iterator<Item = (StageKind, fn(&StageTable, &mut Planner<'_>))> + Clone {
    let kinds = StageKind::ALL.iter();
    kinds.filter_map(|&kind| Some((kind, Kind::of(kind).plan?)))
}

fn stages_of(kind: StageKind, file: &PipelineFile) -> impl Iterator<Item = &StageTable> {
    let stages = file.stages.iter();
    stages.filter(move |stage| stage.kind.value == kind.name())
}

/// The names that select a stage: its own, and those of what it is a part of.
pub(super) fn selectors(stage: &str) -> impl Iterator<Item = &str> {
    let parts = stage.match_indices('/').map(|(at, _)| &stage[..at]);
    parts.chain(std::iter::once(stage))
}

/// Whether `name` is one of the [`selectors`] of the stage.
pub(crate) fn is_below(stage: &str, name: &str) -> bool {
    stage
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
