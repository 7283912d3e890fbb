//! Plans the stages of a pipeline file kind by kind, each after the stages that it reads, so that a
//! stage may stand before what it reads.

use std::collections::{HashMap, HashSet};
use std::iter;
use std::mem;

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
    /// The stages of the file by name.
    tables: HashMap<&'a str, &'a StageTable>,
    /// Those whose planning has begun.
    begun: HashSet<&'a str>,
    /// Those that may lack instances, since something is wrong with them or with what they read.
    incomplete: HashSet<&'a str>,
    /// Whether the stage that is being planned is one of them.
    is_incomplete: bool,
    /// Whether all of them are, since something is wrong with the file as a whole, a method or a
    /// network.
    is_flawed: bool,
}

impl<'a> Planner<'a> {
    /// Plans the stages of the file that the names in `only` begin with, or all without such names,
    /// and the stages that they read. Of the others nothing is said.
    pub(super) fn plan(
        file: &'a PipelineFile,
        only: &[String],
        complaints: &'a mut Complaints,
    ) -> Vec<PlannedStage> {
        let mut planner = Self::new(file, complaints);
        let is_wanted =
            |table: &StageTable| only.is_empty() || only.iter().any(|it| is_below(it, &table.name));
        let mut wanted: Vec<_> = file.stages.iter().filter(|it| is_wanted(it)).collect();
        // Those of no kind come first.
        wanted.sort_by_key(|table| plannable().position(|(kind, _)| is_of(kind, table)));
        for table in wanted {
            planner.plan_table(table);
        }
        planner.stages
    }

    /// A plan without stages.
    pub(super) fn new(file: &'a PipelineFile, complaints: &'a mut Complaints) -> Self {
        let tables = file.stages.iter();
        Self {
            is_incomplete: false,
            is_flawed: !complaints.is_empty(),
            file,
            complaints,
            stages: Vec::new(),
            selected: HashMap::new(),
            tables: tables.map(|table| (table.name.as_str(), table)).collect(),
            begun: HashSet::new(),
            incomplete: HashSet::new(),
        }
    }

    /// Plans a stage of the file, unless that was done.
    fn plan_table(&mut self, table: &'a StageTable) {
        if !self.begun.insert(&table.name) {
            return;
        }
        let reader_is_incomplete = mem::replace(&mut self.is_incomplete, self.is_flawed);
        let before = self.complaints.made();
        match plannable().find(|&(kind, _)| is_of(kind, table)) {
            Some((_, plan)) => plan(table, self),
            None => self.refuse_kind(&table.kind),
        }
        if self.is_incomplete || self.complaints.made() > before {
            self.incomplete.insert(&table.name);
        }
        self.is_incomplete = reader_is_incomplete;
    }

    fn refuse_kind(&mut self, kind: &Placed<String>) {
        let known = plannable().map(|(kind, _)| kind.name());
        let message = format!(
            "there is no stage kind `{}`",
            settings::shortened(&kind.value)
        );
        let help = self.complaints.choices(&kind.value, known);
        self.complaints
            .push(Diagnostic::new(message, &kind.place).help(help));
    }

    /// Adds a stage behind everything that it reads, and gives its position.
    pub(crate) fn push(&mut self, mut planned: PlannedStage) -> usize {
        planned.limits = planned.limits.or(self.file.limits);
        planned.resources = planned.resources.or(self.file.resources);
        let at = self.stages.len();
        for name in selectors(&planned.name) {
            match self.selected.get_mut(name) {
                Some(selected) => selected.push(at),
                None => drop(self.selected.insert(name.to_owned(), vec![at])),
            }
        }
        self.stages.push(planned);
        at
    }

    /// The stage of the file that `name` is the name of, planned, if it is of one of these kinds.
    fn read(&mut self, wanted: &[StageKind], name: &str) -> Read {
        let table = self.tables.get(name).copied();
        if self.file.is_broken(name) {
            self.is_incomplete = true;
            return Read::Incomplete;
        }
        let Some(table) = table else {
            return Read::Unknown;
        };
        let kind = plannable().find(|&(kind, _)| is_of(kind, table));
        if kind.is_some_and(|(kind, _)| !wanted.contains(&kind)) {
            return Read::Unknown;
        }
        self.plan_table(table);
        if self.incomplete.contains(name) {
            self.is_incomplete = true;
            return Read::Incomplete;
        }
        Read::Complete
    }

    /// The stages that `name` refers to, in order: all those that a stage of the file, which has to
    /// be of the kind that is wanted, became.
    pub(crate) fn whole(&mut self, wanted: StageKind, name: &Placed<String>) -> Vec<usize> {
        self.whole_of(&[wanted], name)
    }

    /// Like [`Planner::whole`], for a stage of one of these kinds.
    fn whole_of(&mut self, wanted: &[StageKind], name: &Placed<String>) -> Vec<usize> {
        if self.read(wanted, &name.value) == Read::Unknown {
            let stages = wanted.iter().flat_map(|&kind| stages_of(kind, self.file));
            let known = stages.map(|stage| stage.name.as_str());
            let help = self.complaints.choices(&name.value, known);
            self.refuse(wanted, name, help);
            return Vec::new();
        }
        self.selected.get(&name.value).cloned().unwrap_or_default()
    }

    /// Like [`Planner::whole`]; the name may also be that of a part, such as `evaluate/bp`.
    pub(crate) fn part(&mut self, wanted: StageKind, name: &Placed<String>) -> Vec<usize> {
        let whole = name.value.split('/').next().unwrap_or_default();
        let read = self.read(&[wanted], whole);
        let planned = self.selected.get(&name.value).into_iter().flatten();
        let planned: Vec<_> = planned
            .copied()
            .filter(|&at| self.stages[at].kind() == wanted)
            .collect();
        let is_there = match read {
            Read::Unknown => false,
            // The part may be among what is missing.
            Read::Incomplete => true,
            Read::Complete => !planned.is_empty() || whole == name.value,
        };
        if !is_there {
            let known = stages_of(wanted, self.file).flat_map(|stage| {
                let parts = self.selected.get(&stage.name).into_iter().flatten();
                let parts = parts.map(|&at| self.stages[at].name.as_str());
                let parts = parts.filter(|part| *part != stage.name);
                iter::once(stage.name.as_str()).chain(parts)
            });
            let help = self.complaints.choices(&name.value, known);
            self.refuse(&[wanted], name, help);
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

    fn refuse(&mut self, wanted: &[StageKind], name: &Placed<String>, help: Option<String>) {
        let shortened = settings::shortened(&name.value);
        let wanted: Vec<_> = wanted.iter().map(|kind| kind.name()).collect();
        let wanted = wanted.join(" or ");
        let message = format!("there is no {wanted} stage `{shortened}`");
        self.complaints
            .push(Diagnostic::new(message, &name.place).help(help));
    }
}

/// What became of a stage of the file that another reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// There is none of that name and kind.
    Unknown,
    /// It may lack instances, for a reason that has been complained about.
    Incomplete,
    /// It has all of its instances.
    Complete,
}

/// The kinds that a pipeline file can have, with how each is planned.
pub(super) fn plannable()
-> impl Iterator<Item = (StageKind, fn(&StageTable, &mut Planner<'_>))> + Clone {
    let kinds = StageKind::ALL.iter();
    kinds.filter_map(|&kind| Some((kind, Kind::of(kind).plan?)))
}

fn is_of(kind: StageKind, table: &StageTable) -> bool {
    table.kind.value == kind.name()
}

fn stages_of(kind: StageKind, file: &PipelineFile) -> impl Iterator<Item = &StageTable> + Clone {
    let stages = file.stages.iter();
    stages.filter(move |stage| is_of(kind, stage))
}

/// The names that select a stage: its own, and those of what it is a part of.
pub(super) fn selectors(stage: &str) -> impl Iterator<Item = &str> {
    let parts = stage.match_indices('/').map(|(at, _)| &stage[..at]);
    parts.chain(iter::once(stage))
}

/// Whether `name` is one of the [`selectors`] of the stage.
pub(crate) fn is_below(stage: &str, name: &str) -> bool {
    stage
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
