//! Exact identities of the rules published after 2018: where one of them is backpropagation, another
//! rule, or a closed form.

use std::collections::BTreeMap;

use crate::support::host::{Samples, train};
use crate::support::plugin::{Learner, network};
use crate::support::running::TOLERANCE;
use crate::support::state::{State, transposed};
use crate::support::{problem::Problem, relative_difference};

const INPUT: [usize; 3] = [2, 2, 3];

fn problem(widths: &[usize]) -> Problem {
    Problem {
        input: INPUT,
        widths: widths.to_vec(),
        reconstructs: false,
        seed: 5,
        samples: 6,
    }
}

fn with<'a>(problem: &Problem, algorithm: &'a str, hyperparameters: &'a str) -> Learner<'a> {
    Learner {
        hyperparameters,
        ..problem.learner(algorithm)
    }
}

/// `W_lᵀ` of a state.
fn transpose(state: &State, l: usize) -> Vec<f32> {
    let name = format!("forward.{l}.weight");
    let &[rows, columns] = state.shape(&name) else {
        panic!("{name} is no matrix")
    };
    transposed(&state.f32(&name), rows, columns)
}

/// Puts `W_lᵀ` in the place of every feedback matrix.
fn tie(state: &mut State, group: &str) {
    for name in state.part(&format!("{group}.")).0.into_keys() {
        let parts: Vec<_> = name.split('.').collect();
        if let [_, l, "weight"] = parts[..] {
            let tied = transpose(state, l.parse().unwrap());
            state.set(&name, &tied);
        }
    }
}

/// Fails unless the directions of the network are `factor` times those of backpropagation in the
/// same state.
fn assert_is_backpropagation(problem: &Problem, state: &State, found: &State, factor: f64) {
    let forward = state.part("forward.");
    let (_, expected) = problem.directions("bp", |own| own.0.extend(forward.0));
    for name in expected.0.keys() {
        let expected: Vec<_> = expected.f64(name).iter().map(|it| factor * it).collect();
        let difference = relative_difference(&found.f32(name), &expected);
        assert!(difference < TOLERANCE, "{name}: {difference:e}");
    }
}

#[test]
fn kolen_pollack_moves_feedback_by_the_transpose_to_the_last_bit() {
    let problem = problem(&[9, 7, 8, 4]);
    let (_, found) = problem.directions("kp", |_| {});
    for l in 2..=4 {
        let feedback = found.f32(&format!("feedback.{l}.weight"));
        assert_eq!(feedback, transpose(&found, l));
    }
}

#[test]
fn kolen_pollack_with_the_transposed_weights_is_backpropagation_for_ever() {
    let problem = problem(&[9, 7, 8, 4]);
    for optimiser in ["adam", "sgd"] {
        let settings = format!(r#"{{"optimiser": "{optimiser}", "learning_rate": 0.01}}"#);
        let (mut learner, _) =
            with(&problem, "kp", &settings).prepared(|state| tie(state, "feedback"));
        for epoch in 1..=3 {
            let batches = [problem.samples()];
            train(&mut learner, epoch, &batches, None).1.unwrap();
        }
        let state = State::parse(&learner.save().unwrap());
        let mut tied = state.clone();
        tie(&mut tied, "feedback");
        for name in state.part("feedback.").0.keys() {
            assert_eq!(state.f32(name), tied.f32(name), "{optimiser} {name}");
        }
        let samples = problem.samples();
        let found = samples.with(|batch| learner.directions(batch, &[]).unwrap());
        assert_is_backpropagation(&problem, &state, &State::parse(&found), 1.0);
    }
}

#[test]
fn the_difference_of_weights_and_feedback_fades_by_the_decay_alone() {
    let problem = problem(&[9, 7, 8, 4]);
    for optimiser in ["adam", "sgd"] {
        let settings = format!(
            r#"{{"optimiser": "{optimiser}", "learning_rate": 0.001, "weight_decay": 0.01}}"#
        );
        let (mut learner, before) = with(&problem, "kp", &settings).prepared(|_| {});
        let steps = 20;
        for epoch in 1..=steps {
            train(&mut learner, epoch, &[problem.samples()], None)
                .1
                .unwrap();
        }
        let after = State::parse(&learner.save().unwrap());
        for l in 2..=4 {
            let difference = |state: &State| -> f64 {
                let feedback = state.f32(&format!("feedback.{l}.weight"));
                let pairs = transpose(state, l).into_iter().zip(feedback);
                pairs
                    .map(|(w, b)| f64::from(w - b).powi(2))
                    .sum::<f64>()
                    .sqrt()
            };
            let faded = difference(&after) / difference(&before);
            let expected = 0.99_f64.powi(steps as i32);
            assert!(
                (faded / expected - 1.0).abs() < 1e-4,
                "{optimiser} {l}: {faded}"
            );
        }
    }
}

#[test]
fn direct_kolen_pollack_in_two_layers_is_kolen_pollack() {
    let problem = problem(&[9, 4]);
    let (state, dkp) = problem.directions("dkp", |_| {});
    let feedback = state.f32("feedback.1.weight");
    let (_, kp) = problem.directions("kp", |own| {
        own.0.extend(state.part("forward.").0);
        own.set("feedback.2.weight", &feedback);
    });
    for name in kp.part("forward.").0.keys() {
        assert_eq!(kp.f32(name), dkp.f32(name), "{name}");
    }
    assert_eq!(kp.f32("feedback.2.weight"), dkp.f32("feedback.1.weight"));
}

#[test]
fn signs_of_weights_of_one_magnitude_are_the_weights() {
    let problem = problem(&[9, 7, 8, 4]);
    let settings = r#"{"feedback_scale": 1.0}"#;
    let (state, found) =
        problem.directions_of(&with(&problem, "sign-symmetry", settings), &[], |state| {
            for (l, (inputs, units)) in (1..).zip([(12, 9), (9, 7), (7, 8), (8, 4)]) {
                let name = format!("forward.{l}.weight");
                let magnitude = (2.0 / f64::from(inputs + units)).sqrt() as f32;
                let signs: Vec<_> = state
                    .f32(&name)
                    .iter()
                    .map(|w| magnitude * w.signum())
                    .collect();
                state.set(&name, &signs);
            }
        });
    assert_is_backpropagation(&problem, &state, &found, 1.0);
}

#[test]
fn signs_do_not_change_with_the_size_of_the_weights() {
    // The output layer alone: other layers' sizes change the activations.
    let problem = problem(&[9, 4]);
    let signal = |factor: f32| {
        let (_, found) = problem.directions("sign-symmetry", |state| {
            // All logits alike, so that the error is the same.
            let zero = vec![0.0; 9];
            state.set("forward.1.bias", &zero);
            let small: Vec<_> = state
                .f32("forward.2.weight")
                .iter()
                .map(|w| 1e-9 * factor * w)
                .collect();
            state.set("forward.2.weight", &small);
        });
        found.f64("forward.1.weight")
    };
    let (one, three) = (signal(1.0), signal(3.0));
    let found: Vec<_> = three.iter().map(|&x| x as f32).collect();
    assert!(relative_difference(&found, &one) < TOLERANCE);
}

#[test]
fn fixed_magnitudes_of_the_weights_are_the_weights() {
    let problem = problem(&[9, 7, 8, 4]);
    let settings = r#"{"magnitude": "fixed"}"#;
    let (state, found) =
        problem.directions_of(&with(&problem, "sign-symmetry", settings), &[], |state| {
            for l in 2..=4 {
                let weights = state.f32(&format!("forward.{l}.weight"));
                let magnitudes: Vec<_> = weights.iter().map(|w| w.abs()).collect();
                state.set(&format!("feedback.{l}.weight"), &magnitudes);
            }
        });
    assert_is_backpropagation(&problem, &state, &found, 1.0);
}

#[test]
fn mirrored_weights_are_backpropagation() {
    let problem = problem(&[9, 7, 8, 4]);
    let (state, found) = problem.directions("weight-mirror", |state| tie(state, "feedback"));
    assert_is_backpropagation(&problem, &state, &found, 1.0);
}

#[test]
fn mirroring_finds_the_transposed_weights() {
    // Many mirror steps and no other: B is then σ² Wᵀ with scaled columns, plus noise.
    let settings = r#"{"mirror_epochs": 100, "mirror_rate": 1.0, "mirror_forgetting": 0.01}"#;
    let learner = Learner {
        algorithm: "weight-mirror",
        hyperparameters: settings,
        network: network(&[1, 2, 3], &["fc 5", "fc 4", "softmax 3"]),
        ..Learner::default()
    };
    let mut learner = learner.create().unwrap();
    let batches: Vec<_> = (0..30)
        .map(|seed| Samples::random(seed, 64, [1, 2, 3], 3))
        .collect();
    let start = State::parse(&learner.save().unwrap());
    for epoch in 1..=50 {
        train(&mut learner, epoch, &batches, None).1.unwrap();
    }
    let state = State::parse(&learner.save().unwrap());
    assert_eq!(state.part("forward."), start.part("forward."));
    for l in 2..=3 {
        let cosine = |state: &State| {
            let (b, w) = (
                state.f32(&format!("feedback.{l}.weight")),
                transpose(state, l),
            );
            let inner = |a: &[f32], b: &[f32]| -> f64 {
                a.iter()
                    .zip(b)
                    .map(|(&a, &b)| f64::from(a) * f64::from(b))
                    .sum()
            };
            inner(&b, &w) / (inner(&b, &b) * inner(&w, &w)).sqrt()
        };
        assert!(cosine(&state) > 0.98, "{l}: {}", cosine(&state));
        assert!(cosine(&start) < 0.9, "{l}: {}", cosine(&start));
    }
}

#[test]
fn predictive_coding_with_fixed_predictions_is_backpropagation() {
    let problem = problem(&[9, 7, 8, 4]);
    let settings = r#"{"mode": "fixed-prediction", "settling_rate": 1.0, "settling_steps": 3}"#;
    let (state, found) =
        problem.directions_of(&with(&problem, "predictive-coding", settings), &[], |_| {});
    assert_is_backpropagation(&problem, &state, &found, 1.0);
}

#[test]
fn predictive_coding_without_settling_moves_the_output_layer_alone() {
    let problem = problem(&[9, 7, 8, 4]);
    let settings = r#"{"settling_steps": 0}"#;
    let (state, found) =
        problem.directions_of(&with(&problem, "predictive-coding", settings), &[], |_| {});
    let forward = state.part("forward.");
    let (_, bp) = problem.directions("bp", |own| own.0.extend(forward.0));
    for name in found.0.keys() {
        let of_output = name.starts_with("forward.4.");
        let expected = if of_output {
            bp.f64(name)
        } else {
            vec![0.0; bp.f32(name).len()]
        };
        let scale = if of_output { 1.0 } else { f64::MIN_POSITIVE };
        assert!(
            relative_difference(&found.f32(name), &expected) * scale < TOLERANCE,
            "{name}"
        );
    }
}

#[test]
fn settled_predictive_coding_nears_backpropagation_as_beta_falls() {
    let problem = problem(&[9, 7, 8, 4]);
    let deviation = |beta: &str| {
        let settings =
            format!(r#"{{"beta": {beta}, "settling_rate": 0.2, "settling_steps": 400}}"#);
        let (state, found) =
            problem.directions_of(&with(&problem, "predictive-coding", &settings), &[], |_| {});
        let (_, bp) = problem.directions("bp", |own| own.0.extend(state.part("forward.").0));
        relative_difference(&found.f32("forward.1.weight"), &bp.f64("forward.1.weight"))
    };
    let (large, small) = (deviation("0.5"), deviation("0.01"));
    assert!(small < 0.1 && small < large / 5.0, "{large} {small}");
}

/// Noise of a perturbation whose every value is zero but those of `draw`, unit by unit.
fn unit_directions(problem: &Problem) -> (usize, Vec<u8>) {
    let hidden = &problem.widths[..problem.widths.len() - 1];
    let count: usize = hidden.iter().sum();
    let mut file = State::default();
    let mut k = 0;
    for (at, &units) in hidden.iter().enumerate() {
        for unit in 0..units {
            k += 1;
            for (l, &width) in (1..).zip(hidden) {
                let value = |unit_of: usize| {
                    let is_it = l == at + 1 && unit_of % width == unit;
                    if is_it { (count as f32).sqrt() } else { 0.0 }
                };
                let values: Vec<_> = (0..problem.samples * width).map(value).collect();
                file.insert(
                    &format!("noise.direction.{k}.{l}"),
                    &[problem.samples, width],
                    &values,
                );
            }
        }
    }
    (count, file.to_bytes())
}

#[test]
fn node_perturbation_by_every_unit_in_turn_is_backpropagation() {
    let problem = problem(&[5, 4, 3]);
    let (draws, noise) = unit_directions(&problem);
    for (estimator, tolerance) in [("jvp", 1e-5), ("difference", 1e-3)] {
        let settings = format!(r#"{{"draws": {draws}, "estimator": "{estimator}"}}"#);
        let learner = with(&problem, "perturbation", &settings);
        let (state, found) = problem.directions_of(&learner, &noise, |_| {});
        let (_, bp) = problem.directions("bp", |own| own.0.extend(state.part("forward.").0));
        for name in bp.0.keys() {
            let difference = relative_difference(&found.f32(name), &bp.f64(name));
            assert!(difference < tolerance, "{estimator} {name}: {difference:e}");
        }
    }
}

#[test]
fn pepita_without_modulation_leaves_hidden_layers_alone() {
    let problem = problem(&[9, 7, 4]);
    let (state, found) = problem.directions("pepita", |state| {
        let zeros = vec![0.0; 12 * 4];
        state.set("feedback.input.weight", &zeros);
    });
    let (_, bp) = problem.directions("bp", |own| own.0.extend(state.part("forward.").0));
    for name in found.0.keys() {
        if name.starts_with("forward.3.") {
            assert!(
                relative_difference(&found.f32(name), &bp.f64(name)) < TOLERANCE,
                "{name}"
            );
        } else {
            assert!(found.f32(name).iter().all(|&value| value == 0.0), "{name}");
        }
    }
}

#[test]
fn difference_targets_by_direct_feedback_of_the_transposed_weights_are_backpropagation() {
    // One hidden layer: with Q = W_Lᵀ the rule's directions are 2t times the true ones.
    let problem = problem(&[9, 4]);
    let settings = r#"{"target_step": 0.25}"#;
    let (state, found) = problem.directions_of(&with(&problem, "ddtp", settings), &[], |state| {
        let tied = transpose(state, 2);
        state.set("inverse.1.weight", &tied);
    });
    assert_is_backpropagation(&problem, &state, &found.part("forward."), 0.5);
}

#[test]
fn direct_targets_through_the_matrices_of_dfa_are_dfa() {
    let problem = problem(&[9, 7, 4]);
    let (dfa_state, dfa) = problem.directions("dfa", |_| {});
    let settings = r#"{"target_step": 0.25}"#;
    let (_, found) = problem.directions_of(&with(&problem, "ddtp", settings), &[], |state| {
        state.0.extend(dfa_state.part("forward.").0);
        for l in 1..=2 {
            let matrix = dfa_state.f32(&format!("feedback.{l}.weight"));
            state.set(&format!("inverse.{l}.weight"), &matrix);
        }
    });
    for name in dfa.0.keys() {
        let expected: Vec<_> = dfa.f64(name).iter().map(|it| 0.5 * it).collect();
        assert!(
            relative_difference(&found.f32(name), &expected) < TOLERANCE,
            "{name}"
        );
    }
}

#[test]
fn a_local_classifier_tied_to_the_output_layer_sends_the_true_error() {
    let problem = problem(&[9, 7, 4]);
    let settings = r#"{"losses": "pred"}"#;
    let (state, found) =
        problem.directions_of(&with(&problem, "local-loss", settings), &[], |state| {
            for part in ["weight", "bias"] {
                let values = state.f32(&format!("forward.3.{part}"));
                state.set(&format!("head.2.{part}"), &values);
            }
        });
    let (_, bp) = problem.directions("bp", |own| own.0.extend(state.part("forward.").0));
    for name in ["forward.2.weight", "forward.2.bias"] {
        assert!(
            relative_difference(&found.f32(name), &bp.f64(name)) < TOLERANCE,
            "{name}"
        );
    }
}

#[test]
fn forward_feedback_of_a_linear_network_estimates_the_transposed_jacobian() {
    // Activations of nearly zero make the network linear; the mean of many draws is J_lᵀ.
    let problem = Problem {
        samples: 4000,
        ..problem(&[5, 4, 3])
    };
    let learner = problem.learner("fdfa");
    let (mut learner, state) = learner.prepared(|state| {
        for name in state.part("forward.").0.into_keys() {
            if name.contains(".bias") || name.starts_with("forward.1.") {
                let zeros = vec![0.0; state.f32(&name).len()];
                state.set(&name, &zeros);
            }
        }
        for name in state.part("feedback.").0.into_keys() {
            let zeros = vec![0.0; state.f32(&name).len()];
            state.set(&name, &zeros);
        }
    });
    let samples = problem.samples();
    let found = samples.with(|batch| learner.directions(batch, &[]).unwrap());
    let found = State::parse(&found);
    let (w2, w3) = (state.f64("forward.2.weight"), state.f64("forward.3.weight"));
    let product = |row: usize, column: usize| -> f64 {
        (0..4).map(|k| w3[row * 4 + k] * w2[k * 5 + column]).sum()
    };
    let jacobians = BTreeMap::from([
        (
            "feedback.1.weight",
            (0..15)
                .map(|at| product(at % 3, at / 3))
                .collect::<Vec<_>>(),
        ),
        (
            "feedback.2.weight",
            (0..12).map(|at| w3[at % 3 * 4 + at / 3]).collect(),
        ),
    ]);
    for (name, jacobian) in jacobians {
        // A mean over 4000 samples of products of unit variance: a deviation of about 0.03.
        let estimate: Vec<_> = found.f64(name).iter().map(|it| -it).collect();
        for (found, expected) in estimate.iter().zip(&jacobian) {
            assert!(
                (found - expected).abs() < 0.15,
                "{name}: {found} for {expected}"
            );
        }
    }
}

#[test]
fn target_projection_is_the_same_for_samples_of_a_class_and_needs_no_output() {
    let problem = problem(&[9, 7, 4]);
    let (state, found) = problem.directions("drtp", |_| {});
    let (_, other) = problem.directions("drtp", |own| {
        own.0.extend(state.part("forward.").0);
        let doubled: Vec<_> = own
            .f32("forward.3.weight")
            .iter()
            .map(|w| 2.0 * w)
            .collect();
        own.set("forward.3.weight", &doubled);
    });
    for name in ["forward.1.weight", "forward.2.weight", "forward.1.bias"] {
        assert_eq!(found.f32(name), other.f32(name), "{name}");
    }
}

#[test]
fn linear_differences_are_direct_feedback_through_all_layers_above() {
    // V so small that tanh is linear: B_l = V_{l+1} ⋯ V_L, times 2β.
    let problem = problem(&[9, 7, 4]);
    let settings = r#"{"beta": 1.0, "feedback_scale": 0.001}"#;
    let (state, found) = problem.directions_of(&with(&problem, "fw-dtp", settings), &[], |_| {});
    let (v2, v3) = (
        state.f32("feedback.2.weight"),
        state.f32("feedback.3.weight"),
    );
    let mut product = vec![0.0_f32; 9 * 4];
    for row in 0..9 {
        for column in 0..4 {
            product[row * 4 + column] = (0..7).map(|k| v2[row * 7 + k] * v3[k * 4 + column]).sum();
        }
    }
    let (_, dfa) = problem.directions("dfa", |own| {
        own.0.extend(state.part("forward.").0);
        own.set("feedback.1.weight", &product);
        own.set("feedback.2.weight", &v3);
    });
    for name in dfa.0.keys() {
        let expected: Vec<_> = dfa.f64(name).iter().map(|it| 2.0 * it).collect();
        let difference = relative_difference(&found.f32(name), &expected);
        assert!(difference < 1e-3, "{name}: {difference:e}");
    }
}

#[test]
fn the_reconstruction_loss_of_a_linear_inverse_is_least_at_the_transposed_weights() {
    // Slopes of the loss over many draws vanish where V = Wᵀ; elsewhere they do not.
    let problem = Problem {
        samples: 4000,
        ..problem(&[4, 3])
    };
    let slope = |tied: bool| {
        let (_, found) = problem.directions_of(
            &with(&problem, "l-drl", r#"{"sigma": 0.05}"#),
            &[],
            |state| {
                for name in [
                    "forward.1.weight",
                    "forward.1.bias",
                    "forward.2.bias",
                    "inverse.2.bias",
                ] {
                    let zeros = vec![0.0; state.f32(name).len()];
                    state.set(name, &zeros);
                }
                let tied_weights = transpose(state, 2);
                if tied {
                    state.set("inverse.2.weight", &tied_weights);
                }
            },
        );
        let norm: f64 = found.f64("inverse.2.weight").iter().map(|it| it * it).sum();
        norm.sqrt()
    };
    let (tied, other) = (slope(true), slope(false));
    assert!(tied < other / 5.0, "{tied} {other}");
}

#[test]
fn draws_are_made_by_seed_and_step_and_given_ones_are_taken() {
    let problem = problem(&[9, 7, 4]);
    let settings = with(&problem, "perturbation", "{}");
    let samples = problem.samples();
    let asked = |learner: &mut assay_abi::LearnerHandle| {
        samples.with(|batch| learner.directions(batch, &[]).unwrap())
    };
    let (mut one, mut two) = (settings.create().unwrap(), settings.create().unwrap());
    assert_eq!(asked(&mut one), asked(&mut one));
    assert_eq!(asked(&mut one), asked(&mut two));
    train(&mut one, 1, &[problem.samples()], None).1.unwrap();
    let saved = one.save().unwrap();
    let mut restored = Learner {
        seed: 99,
        ..settings
    }
    .create()
    .unwrap();
    restored.restore(&saved).unwrap();
    assert_eq!(asked(&mut restored), asked(&mut one));
    let step = State::parse(&saved).0["noise.draws.step"].bytes.clone();
    assert_eq!(step, 1_i64.to_le_bytes());
}

#[test]
fn equilibrium_propagation_in_one_hidden_layer_nears_backpropagation() {
    let problem = problem(&[9, 4]);
    let deviation = |beta: &str| {
        let settings = format!(r#"{{"beta": {beta}}}"#);
        let learner = with(&problem, "equilibrium-propagation", &settings);
        let (state, found) = problem.directions_of(&learner, &[], |_| {});
        let (_, bp) = problem.directions("bp", |own| own.0.extend(state.part("forward.").0));
        let differences =
            bp.0.keys()
                .map(|name| relative_difference(&found.f32(name), &bp.f64(name)));
        differences.fold(0.0, f64::max)
    };
    let (large, small) = (deviation("0.5"), deviation("0.05"));
    // The error falls with the square of β, until rounding shows.
    assert!(small < 5e-3 && small < large / 20.0, "{large} {small}");
}

#[test]
fn forward_forward_moves_a_layer_whatever_the_layers_above_are() {
    let problem = problem(&[9, 7, 8, 4]);
    let (state, found) = problem.directions("forward-forward", |_| {});
    let (_, other) = problem.directions("forward-forward", |own| {
        own.0.extend(state.part("forward.").0);
        for l in 3..=4 {
            let name = format!("forward.{l}.weight");
            let doubled: Vec<_> = own.f32(&name).iter().map(|w| 2.0 * w).collect();
            own.set(&name, &doubled);
        }
    });
    for name in ["forward.1.weight", "forward.2.weight", "label.1.weight"] {
        assert_eq!(found.f32(name), other.f32(name), "{name}");
    }
    assert_ne!(found.f32("forward.3.weight"), other.f32("forward.3.weight"));
}

#[test]
fn networks_that_a_rule_cannot_train_are_refused_with_the_reason() {
    let refused = |algorithm, hyperparameters, layers: &[&str]| {
        let learner = Learner {
            algorithm,
            hyperparameters,
            network: network(&[1, 4, 4], layers),
            ..Learner::default()
        };
        let error = learner.create().err().unwrap();
        assert_eq!(error.code, assay_abi::ErrorCode::UNSUPPORTED);
        error.to_string()
    };
    let image = ["conv 3x3 2 s1", "softmax 3"];
    assert!(refused("local-loss", "{}", &image).contains("fully connected"));
    let autoencoder = ["fc 5", "fc 16"];
    assert!(refused("local-loss", "{}", &autoencoder).contains("reconstructs"));
    assert!(refused("forward-forward", "{}", &autoencoder).contains("reconstructs"));
    assert!(refused("forward-forward", "{}", &["softmax 3"]).contains("hidden layer"));
    let by_goodness = r#"{"prediction": "goodness"}"#;
    let shallow = refused("forward-forward", by_goodness, &["fc 5", "softmax 3"]);
    assert!(shallow.contains("above the first"), "{shallow}");
    let differences = r#"{"place": "weights", "estimator": "difference"}"#;
    assert!(refused("perturbation", differences, &["fc 5", "softmax 3"]).contains("jvp"));
}
