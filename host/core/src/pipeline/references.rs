//! Checks that the stages of a pipeline file name each other rightly.

use std::collections::{HashMap, HashSet};

use assay_network::Task;

use super::diagnostic::{Complaints, Diagnostic};
use super::reader::shortened;
use super::spec::{EvaluateStage, Placed, ReportStage, Stage, StageWork, TrainStage};
use super::stage::{instance_name, selectors};

/// Every stage that another names exists and is of the kind that is needed there; nothing is asked
/// of a training that the task of its network does not have, and no report mixes tasks.
pub(super) fn check_references(stages: &[Stage], out: &mut Complaints) {
    let named = Named::of(stages);
    for stage in stages {
        match &stage.work {
            StageWork::Dataset(_) => {}
            StageWork::Train(trainings) => {
                for training in trainings {
                    named.check("dataset", &training.dataset, out);
                }
            }
            StageWork::Evaluate(evaluate) => {
                named.check("train", &evaluate.training, out);
                named.check_top_k(evaluate, out);
            }
            StageWork::Report(report) => {
                for evaluation in &report.evaluations {
                    named.check("evaluate", evaluation, out);
                }
                named.check_tasks(report, out);
            }
        }
    }
}

/// The names by which stages are referred to, each kind in the order of the file.
struct Named<'a> {
    datasets: Known<'a>,
    trains: Known<'a>,
    trainings: HashMap<&'a str, &'a [TrainStage]>,
    /// Evaluate stages and their instances.
    evaluations: Vec<String>,
    /// The tasks of what each evaluate stage, or part of one, measures.
    tasks: HashMap<String, HashSet<Task>>,
}

/// Names in their order.
#[derive(Default)]
struct Known<'a> {
    names: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    fn add(&mut self, name: &'a str) {
        self.names.push(name);
        self.set.insert(name);
    }
}

impl<'a> Named<'a> {
    fn of(stages: &'a [Stage]) -> Self {
        let (mut datasets, mut trains) = (Known::default(), Known::default());
        let mut trainings = HashMap::new();
        for stage in stages {
            match &stage.work {
                StageWork::Dataset(_) => datasets.add(&stage.name),
                StageWork::Train(instances) => {
                    trains.add(&stage.name);
                    trainings.insert(stage.name.as_str(), instances.as_slice());
                }
                StageWork::Evaluate(_) | StageWork::Report(_) => {}
            }
        }
        let mut named = Self {
            datasets,
            trains,
            trainings,
            evaluations: Vec::new(),
            tasks: HashMap::new(),
        };
        for stage in stages {
            if let StageWork::Evaluate(evaluate) = &stage.work {
                named.add_evaluations(&stage.name, evaluate);
            }
        }
        named
    }

    fn add_evaluations(&mut self, stage: &str, evaluate: &EvaluateStage) {
        self.evaluations.push(stage.to_owned());
        self.tasks.entry(stage.to_owned()).or_default();
        for training in self.measured_by(evaluate) {
            let name = instance_name(stage, &training.instance);
            for selector in selectors(&name) {
                let tasks = self.tasks.entry(selector.to_owned()).or_default();
                tasks.insert(training.network.1.value.task());
            }
            self.evaluations.push(name);
        }
    }

    /// The trainings that an evaluate stage measures.
    fn measured_by(&self, evaluate: &EvaluateStage) -> &'a [TrainStage] {
        let trainings = self.trainings.get(evaluate.training.value.as_str());
        trainings.copied().unwrap_or_default()
    }

    /// Complains unless `reference` names a stage of the kind that is wanted.
    fn check(&self, wanted: &str, reference: &Placed<String>, out: &mut Complaints) {
        let Placed { value: name, place } = reference;
        let (is_known, help) = if wanted == "evaluate" {
            let names = self.evaluations.iter().map(String::as_str);
            let is_known = self.tasks.contains_key(name);
            (is_known, (!is_known).then(|| out.choices(name, names)))
        } else {
            let known = if wanted == "train" {
                &self.trains
            } else {
                &self.datasets
            };
            let is_known = known.set.contains(name.as_str());
            let names = known.names.iter().copied();
            (is_known, (!is_known).then(|| out.choices(name, names)))
        };
        if !is_known {
            let message = format!("there is no {wanted} stage `{}`", shortened(name));
            out.push(Diagnostic::new(message, place).help(help.flatten()));
        }
    }

    fn check_top_k(&self, evaluate: &EvaluateStage, out: &mut Complaints) {
        let Some(top_k) = &evaluate.top_k else { return };
        let mut tasks = self
            .measured_by(evaluate)
            .iter()
            .map(|it| it.network.1.value.task());
        if tasks.any(|task| task == Task::Reconstruction) {
            let message = "a reconstruction has no classes to be among the `top_k`";
            out.push(Diagnostic::new(message, &top_k.place));
        }
    }

    fn check_tasks(&self, report: &ReportStage, out: &mut Complaints) {
        let mut first = None;
        for name in &report.evaluations {
            let mut tasks = self.tasks.get(&name.value).into_iter().flatten();
            if tasks.any(|task| first.get_or_insert(task) != &task) {
                out.push(
                    Diagnostic::new(
                        "a report cannot mix classification and reconstruction: their errors have \
                         different units",
                        &name.place,
                    )
                    .help("make a report for each".to_owned()),
                );
                return;
            }
        }
        let reference = report.places.get("reference");
        if let Some(place) = reference.filter(|_| first == Some(&Task::Reconstruction)) {
            let message =
                "published figures are errors of classifications, and this report has none";
            out.push(Diagnostic::new(message, place));
        }
    }
}
