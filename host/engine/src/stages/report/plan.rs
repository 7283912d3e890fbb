//! Plans reports, and puts the published figures that one names into its parameters, so that the
//! figures decide its key and the file's name does not.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use assay_core::settings::{array, placed, string};
use assay_core::{Complaints, Diagnostic, Placed, StageKind, StageTable, settings};
use assay_network::Task;
use assay_report::Reference;
use serde_json::{Map, Value};

use super::{EntryParameters, ReportParameters};
use crate::plan::{Completion, PlannedStage, Planner, StageInPlan, Work};
use crate::source_file::read_or_reason;
use crate::stages::object;

/// A report as it is planned.
#[derive(Debug)]
struct PlannedReport {
    /// The file of published figures, relative to the pipeline file.
    figures: Option<String>,
    /// Its text, once it was read.
    text: Option<String>,
    parameters: ReportParameters,
}

pub(super) fn plan(stage: &StageTable, planner: &mut Planner<'_>) {
    let out = &mut *planner.complaints;
    let mut reader = stage.reader();
    let mut places = reader.places();
    let evaluations = reader.required("evaluations", out, |node| {
        let names = array(node)?.iter().map(placed(string));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        if names.is_empty() {
            let message = "a report gathers at least one evaluation";
            return Err(Diagnostic::new(message, &node.place));
        }
        Ok(Placed {
            value: names,
            place: node.place.clone(),
        })
    });
    let title = reader.optional("title", out, string);
    let reference = reader.optional("reference", out, placed(string));
    let limits = settings::limits(&mut reader, out);
    let resources = settings::resources(&mut reader, out);
    reader.finish(out);
    let Some(evaluations) = evaluations else {
        return;
    };
    // The parameter that comes of them.
    places.insert("entries".to_owned(), evaluations.place);
    let evaluations = evaluations.value.iter();
    let gathered: Vec<_> = evaluations
        .map(|name| (name, planner.part(StageKind::Evaluate, name)))
        .collect();
    check_tasks(&gathered, reference.as_ref(), planner);
    let mut inputs = BTreeMap::new();
    let mut entries = Vec::new();
    // The searches by the stage of their ranking, numbered as they come.
    let mut rankings = HashMap::new();
    let gathered = gathered
        .into_iter()
        .flat_map(|(_, evaluations)| evaluations);
    for (number, at) in gathered.enumerate() {
        let evaluation = planner.stage(at);
        let (Some(&training), Some(labels)) =
            (evaluation.inputs.get("training"), &evaluation.labels)
        else {
            continue;
        };
        let ranking = planner
            .stage(training)
            .chosen()
            .map(|chosen| chosen.ranking);
        // Padded, so that the roles sort in the order of the table.
        let (trained_as, evaluated_as) = (
            format!("training-{number:05}"),
            format!("evaluation-{number:05}"),
        );
        let ranked_as = ranking.map(|ranking| {
            let next = rankings.len();
            let number = *rankings.entry(ranking).or_insert(next);
            format!("ranking-{number:05}")
        });
        inputs.extend(ranked_as.clone().zip(ranking));
        entries.push(EntryParameters {
            method: labels.method.clone(),
            network: labels.network.clone(),
            dataset: labels.dataset.clone(),
            training: trained_as.clone(),
            evaluation: evaluated_as.clone(),
            ranking: ranked_as,
            figures: None,
        });
        inputs.insert(trained_as, training);
        inputs.insert(evaluated_as, at);
    }
    let parameters = ReportParameters {
        title: title.unwrap_or_else(|| stage.name.clone()),
        reference: None,
        entries,
    };
    let figures = reference.map(|reference| reference.value);
    planner.push(PlannedStage {
        name: stage.name.clone(),
        work: Box::new(PlannedReport {
            figures,
            text: None,
            parameters,
        }),
        inputs,
        plugin: None,
        limits,
        resources,
        labels: None,
        places: Arc::new(places),
        search: None,
    });
}

/// Complains about a report that mixes tasks, or has published figures for what has none.
fn check_tasks(
    gathered: &[(&Placed<String>, Vec<usize>)],
    reference: Option<&Placed<String>>,
    planner: &mut Planner<'_>,
) {
    let mut first = None;
    for (name, evaluations) in gathered {
        let labels = evaluations.iter();
        let labels = labels.filter_map(|&at| planner.stage(at).labels.as_ref());
        if labels
            .map(|labels| labels.task)
            .any(|task| *first.get_or_insert(task) != task)
        {
            let message = "a report cannot mix classification and reconstruction: their errors \
                           have different units";
            planner.complaints.push(
                Diagnostic::new(message, &name.place).help("make a report for each".to_owned()),
            );
            return;
        }
    }
    if let Some(reference) = reference.filter(|_| first == Some(Task::Reconstruction)) {
        let message = "published figures are errors of classifications, and this report has none";
        let complaint = Diagnostic::new(message, &reference.place);
        planner.complaints.push(complaint);
    }
}

impl Work for PlannedReport {
    fn kind(&self) -> StageKind {
        StageKind::Report
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(&self.parameters)
    }

    fn figures(&self) -> Option<(&str, &str)> {
        Some((self.figures.as_deref()?, self.text.as_deref()?))
    }

    fn complete(
        &mut self,
        stage: &StageInPlan<'_>,
        completion: &mut Completion<'_>,
        complaints: &mut Complaints,
    ) {
        let Some(path) = &self.figures else { return };
        let path = completion.base.join(path);
        match read_figures(&path) {
            Ok((text, reference)) => {
                self.parameters.cite(reference);
                self.text = Some(text);
            }
            Err(problem) => {
                let message = format!("{} {problem}", path.display());
                let place = stage.place("reference");
                complaints.extend(place.map(|place| Diagnostic::new(message, place)));
            }
        }
    }
}

/// A file of published figures may not be larger.
const LARGEST_REFERENCE: u64 = 1 << 20;

fn read_figures(path: &Path) -> Result<(String, Reference), String> {
    let text = read_or_reason(path, "a file of published figures", LARGEST_REFERENCE)
        .map_err(|reason| format!("cannot be read: {reason}"))?;
    let reference = Reference::parse(&text)
        .map_err(|error| format!("is no file of published figures: {error}"))?;
    Ok((text, reference))
}

impl ReportParameters {
    /// Sets published figures beside the entries that they are for.
    fn cite(&mut self, reference: Reference) {
        for entry in &mut self.entries {
            entry.figures = reference.figures(&entry.network, &entry.method);
        }
        self.reference = Some(reference.citation);
    }
}
