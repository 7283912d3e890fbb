//! The rules published after 2018 against independent implementations of their equations, through
//! the boundary of the real plugins: random fully connected networks of both tasks, and networks
//! with windows.

use crate::support::host::{Samples, SplitMix};
use crate::support::images::{self, mixed, rolled};
use crate::support::later::{Given, Later, values};
use crate::support::plugin::Learner;
use crate::support::problem::{Problem, problems};
use crate::support::running::assert_close;
use crate::support::state::State;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A network and a batch, with layers as they are or unrolled.
struct Case<'a> {
    learner: Learner<'a>,
    samples: Samples,
    reconstructs: bool,
    /// `n_0` to `n_L`.
    units: Vec<usize>,
    /// The standard deviation of first weights by layer, l from 1.
    deviations: Vec<f64>,
    /// Its windows, if it has any.
    images: Option<&'a images::Problem>,
}

impl<'a> Case<'a> {
    fn dense(problem: &Problem, algorithm: &'a str) -> Self {
        let inputs: usize = problem.input.iter().product();
        let units: Vec<_> = [inputs].into_iter().chain(problem.widths.clone()).collect();
        let deviation = |pair: &[usize]| (2.0 / (pair[0] + pair[1]) as f64).sqrt();
        Self {
            learner: problem.learner(algorithm),
            samples: problem.samples(),
            reconstructs: problem.reconstructs,
            deviations: units.windows(2).map(deviation).collect(),
            units,
            images: None,
        }
    }

    fn windows(problem: &'a images::Problem, algorithm: &'a str) -> Self {
        let inputs: usize = problem.input().iter().product();
        let units: Vec<_> = [inputs].into_iter().chain(problem.widths()).collect();
        let deviation = |l: usize| {
            let (fan_in, fan_out) = match problem.windows.get(l - 1) {
                Some(it) => (it.input[0] * it.kernel * it.kernel, it.outputs),
                None => (units[l - 1], units[l]),
            };
            (2.0 / (fan_in + fan_out) as f64).sqrt()
        };
        Self {
            learner: problem.settings(algorithm, problem.seed),
            samples: problem.batch(problem.seed),
            reconstructs: problem.reconstructs(),
            deviations: (1..units.len()).map(deviation).collect(),
            units,
            images: Some(problem),
        }
    }

    fn depth(&self) -> usize {
        self.units.len() - 1
    }

    /// Noise and draws for a rule with these settings, each with its shape.
    fn given(&self, algorithm: &str, settings: &Value) -> Vec<(String, Vec<usize>)> {
        let (b, depth) = (self.samples.labels.len(), self.depth());
        let of = |name: &str, l: usize| (format!("noise.{name}{l}"), vec![b, self.units[l]]);
        let weight = |name: &str, l: usize| {
            let shape = vec![self.units[l], self.units[l - 1]];
            (format!("noise.{name}{l}"), shape)
        };
        match algorithm {
            "fdfa" => (1..depth).map(|l| of("tangent.", l)).collect(),
            "weight-mirror" => (1..depth).map(|l| of("", l)).collect(),
            "ddtp" => (1..depth).map(|l| of("", l)).collect(),
            "l-drl" => (1..depth)
                .flat_map(|l| [of("", l), of("output.", l + 1)])
                .collect(),
            "sign-symmetry" if settings["magnitude"] == "batch" => {
                (2..=depth).map(|l| weight("magnitude.", l)).collect()
            }
            "forward-forward" => vec![of("negative.", depth)],
            "perturbation" => (1..=settings["draws"].as_u64().unwrap())
                .flat_map(|k| {
                    let tag = format!("direction.{k}.");
                    let (of, weight) = (&of, &weight);
                    let weights = settings["place"] == "weights";
                    (1..=depth).flat_map(move |l| {
                        if weights {
                            let bias = format!("noise.{tag}bias.{l}");
                            vec![weight(&tag, l), (bias, vec![self.units[l]])]
                        } else if l < depth {
                            vec![of(&tag, l)]
                        } else {
                            Vec::new()
                        }
                    })
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Fails unless the rule's directions are those of the reference.
    fn follows(&self, settings: &Value) {
        let algorithm = self.learner.algorithm;
        let text = settings.to_string();
        let learner = Learner {
            hyperparameters: &text,
            ..self.learner.clone()
        };
        let mut random = SplitMix(self.learner.seed ^ 0x77);
        let mut given = Given::new();
        let mut file = State::default();
        for (name, shape) in self.given(algorithm, settings) {
            let values = values(&mut random, shape.iter().product(), 0.5);
            file.insert(&name, &shape, &values);
            given.insert(name, values);
        }
        let bytes = if given.is_empty() {
            Vec::new()
        } else {
            file.to_bytes()
        };
        let (mut handle, state) = learner.prepared(|state| {
            // Heads start at zero, which would hide what goes through them.
            for name in state.part("head.").0.into_keys() {
                let count = state.f32(&name).len();
                state.set(&name, &values(&mut random, count, 1.0));
            }
        });
        let found = self.samples.with(|batch| handle.directions(batch, &bytes));
        let found = State::parse(&found.unwrap());
        let dense = match self.images {
            Some(problem) => problem.unrolled(&state),
            None => state.clone(),
        };
        let network = crate::support::reference::Reference {
            reconstructs: self.reconstructs,
            ..crate::support::reference::Reference::new(algorithm, &dense)
        };
        let reference = Later {
            algorithm,
            settings,
            network,
            state: &dense,
            given: &given,
            deviations: self.deviations.clone(),
        };
        let expected = reference.directions(&self.samples);
        let windows = images::Problem {
            windows: Vec::new(),
            ..mixed()
        };
        let expected = rolled(self.images.unwrap_or(&windows), expected);
        assert!(
            found.0.keys().eq(expected.keys()),
            "{:?} for {:?}",
            found.0.keys(),
            expected.keys()
        );
        for (name, direction) in &expected {
            assert_close(name, &found.f32(name), direction);
        }
        if ["equilibrium-propagation", "forward-forward"].contains(&algorithm) {
            let expected = reference.predictions(&self.samples);
            let mut outputs = vec![f32::NAN; expected.len()];
            let predicted = self
                .samples
                .with(|batch| handle.predict(batch.inputs, &mut outputs));
            predicted.unwrap();
            assert_close("outputs", &outputs, &expected);
        }
    }
}

fn dense(problem: &Problem, algorithm: &str, settings: &Value) {
    Case::dense(problem, algorithm).follows(settings);
}

/// On locally connected layers, convolutions and dense layers above them.
fn windows(algorithm: &str, settings: &Value) {
    Case::windows(&mixed(), algorithm).follows(settings);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn drtp_follows_its_equations(problem in problems(1..=5)) {
        dense(&problem, "drtp", &json!({}));
    }

    #[test]
    fn kp_follows_its_equations(problem in problems(1..=5)) {
        dense(&problem, "kp", &json!({}));
    }

    #[test]
    fn dkp_follows_its_equations(problem in problems(1..=5)) {
        dense(&problem, "dkp", &json!({}));
    }

    #[test]
    fn fdfa_follows_its_equations(problem in problems(1..=5)) {
        dense(&problem, "fdfa", &json!({}));
    }

    #[test]
    fn sign_symmetry_follows_its_equations(
        problem in problems(1..=5),
        magnitude in prop_oneof![Just("uniform"), Just("fixed"), Just("batch")],
        output in prop_oneof![Just("sign"), Just("transpose")],
    ) {
        // The weights of the last layer have no draw where they take its place.
        prop_assume!(magnitude != "batch" || output == "sign");
        let settings = json!({
            "magnitude": magnitude, "output": output, "feedback_scale": 1.5,
        });
        dense(&problem, "sign-symmetry", &settings);
    }

    #[test]
    fn pepita_follows_its_equations(
        problem in problems(1..=5),
        presynaptic in prop_oneof![Just("modulated"), Just("plain"), Just("time-local")],
    ) {
        let settings = json!({ "presynaptic": presynaptic, "feedback_scale": 0.5 });
        dense(&problem, "pepita", &settings);
    }

    #[test]
    fn fw_dtp_follows_its_equations(problem in problems(1..=5)) {
        dense(&problem, "fw-dtp", &json!({ "beta": 0.7 }));
    }

    #[test]
    fn l_drl_follows_its_equations(problem in problems(1..=5)) {
        dense(&problem, "l-drl", &json!({ "beta": 0.7 }));
    }

    #[test]
    fn ddtp_follows_its_equations(problem in problems(1..=5), random_units in 0..9_u32) {
        let settings = json!({
            "target_step": 0.5, "sigma": 0.25, "inverse_decay": 0.125,
            "random_units": random_units,
        });
        dense(&problem, "ddtp", &settings);
    }

    #[test]
    fn local_losses_follow_their_equations(
        mut problem in problems(1..=5),
        losses in prop_oneof![Just("pred"), Just("sim"), Just("predsim")],
    ) {
        // Of a single class there is nothing to compare.
        prop_assume!(problem.widths.last() > Some(&1));
        problem.reconstructs = false;
        dense(&problem, "local-loss", &json!({ "losses": losses, "beta": 0.75 }));
    }

    #[test]
    fn node_perturbation_follows_its_equations(problem in problems(1..=5), draws in 1..4_u32) {
        let settings = json!({ "place": "activities", "estimator": "jvp", "draws": draws });
        dense(&problem, "perturbation", &settings);
        let settings = json!({
            "place": "activities", "estimator": "difference", "step": 0.25, "draws": draws,
        });
        dense(&problem, "perturbation", &settings);
    }

    #[test]
    fn the_forward_gradient_follows_its_equations(problem in problems(1..=5), draws in 1..4_u32) {
        let settings = json!({ "place": "weights", "estimator": "jvp", "draws": draws });
        dense(&problem, "perturbation", &settings);
    }

    #[test]
    fn weight_mirroring_follows_its_equations(problem in problems(1..=5)) {
        let settings = json!({ "mirror_rate": 0.5, "mirror_forgetting": 0.125 });
        dense(&problem, "weight-mirror", &settings);
    }

    #[test]
    fn predictive_coding_follows_its_equations(
        problem in problems(1..=5),
        mode in prop_oneof![Just("strict"), Just("fixed-prediction")],
        steps in 0..5_u32,
    ) {
        let settings = json!({
            "mode": mode, "settling_steps": steps, "settling_rate": 0.25, "beta": 0.5,
        });
        dense(&problem, "predictive-coding", &settings);
    }

    #[test]
    fn equilibrium_propagation_follows_its_equations(
        problem in problems(1..=4),
        nudging in prop_oneof![Just("symmetric"), Just("one-sided")],
    ) {
        let settings = json!({
            "beta": 0.5, "free_steps": 6, "nudged_steps": 3, "nudging": nudging,
        });
        dense(&problem, "equilibrium-propagation", &settings);
    }

    #[test]
    fn forward_forward_follows_its_equations(mut problem in problems(2..=5)) {
        // Of a single class no other can be shown.
        prop_assume!(problem.widths.last() > Some(&1));
        problem.reconstructs = false;
        dense(&problem, "forward-forward", &json!({ "threshold": 0.3 }));
    }
}

#[test]
fn on_windows_every_rule_follows_its_equations() {
    windows("drtp", &json!({}));
    windows("kp", &json!({}));
    windows("dkp", &json!({}));
    windows("fdfa", &json!({}));
    let signs = json!({ "magnitude": "uniform", "output": "sign", "feedback_scale": 1.0 });
    windows("sign-symmetry", &signs);
    windows("pepita", &json!({ "presynaptic": "modulated" }));
    windows("fw-dtp", &json!({ "beta": 0.7 }));
    windows("l-drl", &json!({ "beta": 0.7 }));
    let ddtp = json!({
        "target_step": 0.5, "sigma": 0.25, "inverse_decay": 0.125, "random_units": 0,
    });
    windows("ddtp", &ddtp);
    windows("local-loss", &json!({ "losses": "pred", "beta": 0.0 }));
    let perturbation = json!({ "place": "activities", "estimator": "jvp", "draws": 2 });
    windows("perturbation", &perturbation);
    // Weights that only padding would meet fade too, and an unrolled layer has none of them.
    let mirror = json!({ "mirror_rate": 0.5, "mirror_forgetting": 0.0 });
    windows("weight-mirror", &mirror);
    let settling = json!({
        "mode": "strict", "settling_steps": 3, "settling_rate": 0.25, "beta": 0.5,
    });
    windows("predictive-coding", &settling);
    let equilibrium = json!({
        "beta": 0.5, "free_steps": 6, "nudged_steps": 3, "nudging": "symmetric",
    });
    windows("equilibrium-propagation", &equilibrium);
    windows("forward-forward", &json!({ "threshold": 0.3 }));
}
