//! Plans searches: for each point of the stage's matrix the trials, the ranking of each round, the
//! trainings that go on, and the best configuration trained again from fresh seeds.

use std::sync::{Arc, OnceLock};

use assay_core::settings::{Node, Reader, array, integer, one_of};
use assay_core::{
    Complaints, Diagnostic, Hyperparameters, Instance, Place, Placed, StageKind, StageTable,
    settings,
};
use assay_report::Split;
use serde_json::{Map, Value, json};

use super::SearchParameters;
use super::points::{Point, Sampling};
use super::space::grid_size;
use super::trainings::{ChosenTraining, Design, PlannedTrial, read_space};
use crate::plan::{Chosen, Parallel, PlannedStage, Planner, SearchPart, Work};
use crate::stages::train::{TrainingSettings, read_training};
use crate::stages::{LARGEST_SEED, object};

/// The role of the ranking of the round before.
pub(super) const EARLIER: &str = "earlier";
/// The beginning of the role of a training.
pub(super) const TRIAL: &str = "trial-";

/// The role of a training; padded, so that roles sort in the order of their numbers.
pub(super) fn role(number: usize) -> String {
    format!("{TRIAL}{number:05}")
}

/// More trials than anybody means.
const MOST_TRIALS: i64 = 100_000;
const MOST_EPOCHS: i64 = 1_000_000;
/// Values of a grid of each range, unless stated.
const STEPS: u32 = 3;
/// Fresh seeds for the best configuration, unless stated.
const FRESH_SEEDS: u64 = 3;

/// The settings of a search beside those of its trainings.
struct SearchSettings {
    trials: Option<Placed<u32>>,
    points: SamplingName,
    steps: Option<Placed<u32>>,
    seed: u64,
    ranges: Hyperparameters,
    with_declared: bool,
    /// The rounds before the last.
    halving: Vec<Round>,
    halving_place: Option<Place>,
    max_parallel: Option<usize>,
    retrain: Option<Retrain>,
    chosen_on: Split,
}

#[derive(Clone, Copy, PartialEq)]
enum SamplingName {
    Random,
    Halton,
    Grid,
}

/// A round of successive halving.
struct Round {
    /// The epochs after which it ranks.
    epochs: u32,
    /// The trials that go on.
    keep: u32,
}

/// How the best configuration is trained again.
#[derive(Default)]
struct Retrain {
    seeds: Option<Placed<Vec<u64>>>,
    epochs: Option<u32>,
}

pub(super) fn plan(stage: &StageTable, planner: &mut Planner<'_>) {
    for instance in stage.instances(planner.complaints) {
        let Some((training, search)) = read_training(&instance, planner, read_search) else {
            continue;
        };
        if let Some(search) = Search::new(&instance, training, search, planner.complaints) {
            search.plan(planner);
        }
    }
}

fn read_search(reader: &mut Reader<'_>, out: &mut Complaints) -> SearchSettings {
    let sampling = [
        ("random", SamplingName::Random),
        ("halton", SamplingName::Halton),
        ("grid", SamplingName::Grid),
    ];
    let protocols = [("validation", Split::Validation), ("paper", Split::Test)];
    let count = |most| {
        move |node: &Node| {
            Ok(Placed {
                value: integer(1..=most)(node)? as u32,
                place: node.place.clone(),
            })
        }
    };
    let trials = reader.optional("trials", out, count(MOST_TRIALS));
    let points = reader.optional("points", out, one_of(&sampling));
    let steps = reader.optional("steps", out, count(MOST_TRIALS));
    let seed = reader.optional("search_seed", out, integer(0..=LARGEST_SEED));
    let space = reader.optional("space", out, read_ranges);
    let halving = reader.optional("halving", out, |node| Ok((array(node)?, &node.place)));
    let max_parallel = reader.optional("max_parallel", out, integer(1..=MOST_TRIALS));
    let retrain = reader.optional("retrain", out, Ok);
    let protocol = reader.optional("protocol", out, one_of(&protocols));
    let halving_place = halving.map(|(_, place)| place.clone());
    let rounds = halving.into_iter().flat_map(|(rounds, _)| rounds);
    let (ranges, with_declared) = match space {
        Some(Ranges::Own(ranges)) => (ranges, false),
        Some(Ranges::Declared) | None => (Hyperparameters::new(), true),
    };
    SearchSettings {
        trials,
        points: points.unwrap_or(SamplingName::Random),
        steps,
        seed: seed.unwrap_or(1) as u64,
        ranges,
        with_declared,
        halving: rounds.filter_map(|node| read_round(node, out)).collect(),
        halving_place,
        max_parallel: max_parallel.map(|most| most as usize),
        retrain: retrain.and_then(|node| read_retrain(node, out)),
        chosen_on: protocol.unwrap_or(Split::Validation),
    }
}

/// The `space` of a stage.
enum Ranges {
    /// Those that the algorithm declares.
    Declared,
    Own(Hyperparameters),
}

fn read_ranges(node: &Node) -> Result<Ranges, Diagnostic> {
    match &node.value {
        settings::Value::String(word) if word == "declared" => return Ok(Ranges::Declared),
        settings::Value::String(_) => {
            let message = "a space is \"declared\", for the ranges of the algorithm, or a table of \
                           ranges";
            return Err(Diagnostic::new(message, &node.place));
        }
        settings::Value::Outline(outline) => outline.accept(json!({ "const": "declared" })),
        _ => {}
    }
    Ok(Ranges::Own(settings::hyperparameters(node)?))
}

fn read_round(node: &Node, out: &mut Complaints) -> Option<Round> {
    let mut reader = Reader::of(node, "a round of `halving`", out)?;
    let epochs = reader.required("epochs", out, integer(1..=MOST_EPOCHS));
    let keep = reader.required("keep", out, integer(1..=MOST_TRIALS));
    reader.finish(out);
    Some(Round {
        epochs: epochs? as u32,
        keep: keep? as u32,
    })
}

fn read_retrain(node: &Node, out: &mut Complaints) -> Option<Retrain> {
    let mut reader = Reader::of(node, "`retrain`", out)?;
    let seeds = reader.optional("seeds", out, |node| {
        let seeds = array(node)?.iter().map(integer(0..=LARGEST_SEED));
        let seeds = seeds.map(|seed| Ok(seed? as u64));
        Ok(Placed {
            value: seeds.collect::<Result<Vec<_>, Diagnostic>>()?,
            place: node.place.clone(),
        })
    });
    let epochs = reader.optional("epochs", out, integer(1..=MOST_EPOCHS));
    reader.finish(out);
    Some(Retrain {
        seeds,
        epochs: epochs.map(|epochs| epochs as u32),
    })
}

/// A search whose settings were checked.
struct Search {
    name: String,
    training: TrainingSettings,
    trials: u32,
    seed: u64,
    design: Arc<Design>,
    halving: Vec<Round>,
    parallel: Option<Parallel>,
    fresh_seeds: Vec<u64>,
    retrain_epochs: u32,
    chosen_on: Split,
}

impl Search {
    fn new(
        instance: &Instance,
        training: TrainingSettings,
        search: SearchSettings,
        out: &mut Complaints,
    ) -> Option<Self> {
        let mut written = training.space.clone();
        written.extend(search.ranges);
        let space = match read_space(&written) {
            Ok(space) => space,
            Err(complaint) => {
                out.push(complaint);
                return None;
            }
        };
        let place = training.places.get("").cloned();
        let mut complain = |message: &str, at: Option<&Place>| {
            let at = at.or(place.as_ref());
            out.extend(at.map(|at| Diagnostic::new(message, at)));
        };
        let steps = search.steps.as_ref().map_or(STEPS, |steps| steps.value);
        let (sampling, trials) = match search.points {
            SamplingName::Grid if space.is_empty() => {
                complain("the points of a grid are made of ranges in the file", None);
                return None;
            }
            SamplingName::Grid => {
                let size = grid_size(&space, steps).filter(|&size| size <= MOST_TRIALS as u64);
                let Some(size) = size else {
                    complain(
                        "the grid has more points than anybody can train",
                        search.steps.as_ref().map(|steps| &steps.place),
                    );
                    return None;
                };
                if let Some(trials) = search.trials.filter(|it| u64::from(it.value) != size) {
                    let message = format!("the grid has {size} points, so it has {size} trials");
                    complain(&message, Some(&trials.place));
                }
                (Sampling::Grid { steps }, Some(size as u32))
            }
            name => {
                if let Some(steps) = &search.steps {
                    complain("only a grid has `steps`", Some(&steps.place));
                }
                let sampling = match name {
                    SamplingName::Halton => Sampling::Halton,
                    _ => Sampling::Random,
                };
                let trials = search.trials.map(|trials| trials.value);
                if trials.is_none() {
                    complain("a search has a number of `trials`", None);
                }
                (sampling, trials)
            }
        };
        // A grid has no more dimensions than the file says, since their number decides its size.
        let with_declared = search.with_declared && search.points != SamplingName::Grid;
        let (trials, own_seed) = (trials?, training.parameters.seed);
        let epochs = training.parameters.epochs;
        check_rounds(&search.halving, trials, epochs, &mut |message| {
            complain(message, search.halving_place.as_ref());
        });
        let Retrain {
            seeds,
            epochs: retrain_epochs,
        } = search.retrain.unwrap_or_default();
        let fresh_seeds = match seeds {
            None => (1..=FRESH_SEEDS).map(|number| own_seed + number).collect(),
            Some(Placed { value, place }) => {
                if value.contains(&own_seed) {
                    let message = "the seed of the trials is not a fresh one: the best \
                                   configuration was chosen by what it did with it";
                    complain(message, Some(&place));
                }
                value
            }
        };
        Some(Self {
            name: instance.name.clone(),
            design: Arc::new(Design {
                space,
                with_declared,
                sampling,
                is_ranked_on_validation: search.chosen_on == Split::Validation,
                drawn: OnceLock::new(),
            }),
            training,
            trials,
            seed: search.seed,
            halving: search.halving,
            parallel: search.max_parallel.map(|most| Parallel {
                search: instance.name.as_str().into(),
                most,
            }),
            fresh_seeds,
            retrain_epochs: retrain_epochs.unwrap_or(epochs),
            chosen_on: search.chosen_on,
        })
    }

    fn plan(&self, planner: &mut Planner<'_>) {
        let first_epochs = self.halving.first().map(|round| round.epochs);
        let mut trials = Vec::new();
        for trial in 0..self.trials {
            let mut parameters = self.training.parameters.clone();
            parameters.epochs = first_epochs.unwrap_or(parameters.epochs);
            let work = PlannedTrial {
                parameters,
                point: Point {
                    seed: self.seed,
                    trial,
                },
                design: Arc::clone(&self.design),
            };
            let stage = self.training_stage(&format!("trial={trial}"), Box::new(work), None);
            trials.push(planner.push(stage));
        }
        let mut earlier = None;
        for (number, round) in self.halving.iter().enumerate() {
            let name = format!("epochs={}/ranking", round.epochs);
            let ranking = planner.push(self.ranking(&name, &trials, earlier));
            let next = self.halving.get(number + 1);
            let epochs = next.map_or(self.training.parameters.epochs, |next| next.epochs);
            trials.clear();
            for rank in 0..round.keep as usize {
                let name = format!("epochs={epochs}/rank={}", rank + 1);
                let work = ChosenTraining { epochs, seed: None };
                let chosen = Chosen { ranking, rank };
                let stage = self.training_stage(&name, Box::new(work), Some(chosen));
                trials.push(planner.push(stage));
            }
            earlier = Some(ranking);
        }
        let ranking = planner.push(self.ranking("ranking", &trials, earlier));
        for &seed in &self.fresh_seeds {
            let work = ChosenTraining {
                epochs: self.retrain_epochs,
                seed: Some(seed),
            };
            let chosen = Chosen { ranking, rank: 0 };
            let stage = self.training_stage(&format!("seed={seed}"), Box::new(work), Some(chosen));
            planner.push(PlannedStage {
                labels: Some(self.training.labels.clone()),
                ..stage
            });
        }
    }

    fn training_stage(
        &self,
        name: &str,
        work: Box<dyn Work>,
        chosen: Option<Chosen>,
    ) -> PlannedStage {
        PlannedStage {
            name: format!("{}/{name}", self.name),
            work,
            inputs: self.training.inputs(),
            plugin: Some(self.training.plugin.clone()),
            limits: self.training.limits,
            resources: self.training.resources,
            labels: None,
            places: Arc::clone(&self.training.places),
            search: Some(SearchPart {
                chosen,
                parallel: self.parallel.clone(),
            }),
        }
    }

    fn ranking(&self, name: &str, trials: &[usize], earlier: Option<usize>) -> PlannedStage {
        let trials = trials.iter().enumerate();
        let trials = trials.map(|(number, &at)| (role(number), at));
        let earlier = earlier.map(|at| (EARLIER.to_owned(), at));
        let parameters = SearchParameters {
            chosen_on: self.chosen_on.to_string(),
        };
        PlannedStage {
            name: format!("{}/{name}", self.name),
            work: Box::new(parameters),
            inputs: trials.chain(earlier).collect(),
            plugin: None,
            limits: self.training.limits,
            resources: self.training.resources,
            labels: None,
            places: Arc::clone(&self.training.places),
            search: None,
        }
    }
}

fn check_rounds(rounds: &[Round], trials: u32, epochs: u32, complain: &mut dyn FnMut(&str)) {
    let (mut left, mut after) = (trials, 0);
    for round in rounds {
        if round.keep > left {
            complain("a round of halving keeps at most the trials that reach it");
        }
        if round.epochs <= after {
            complain("each round of halving has more epochs than the one before");
        }
        (left, after) = (round.keep, round.epochs);
    }
    if after >= epochs && !rounds.is_empty() {
        complain("the rounds of halving end before the `epochs` of the search");
    }
}

impl Work for SearchParameters {
    fn kind(&self) -> StageKind {
        StageKind::Search
    }

    fn parameters(&self) -> Result<Map<String, Value>, serde_json::Error> {
        object(self)
    }
}
