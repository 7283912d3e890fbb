//! The multiply-adds that learners count, against those of the rules' equations; and what rules say
//! that they transport, against the documentation.

use assay_abi::Cost;
use serde_json::Value;

use crate::support::host::{Samples, train};
use crate::support::plugin::{Learner, load, network, rules};

const CLASSES: usize = 3;

/// The multiply-adds of an epoch of `settings`, for each sample.
fn per_sample(settings: &Learner<'_>, input: [usize; 3]) -> u64 {
    let batches: Vec<_> = [8, 8, 3]
        .into_iter()
        .zip(1..)
        .map(|(samples, seed)| Samples::random(seed, samples, input, CLASSES))
        .collect();
    let mut learner = settings.create().unwrap();
    assert_eq!(learner.cost().unwrap(), Some(Cost::default()));
    train(&mut learner, 1, &batches, None).1.unwrap();
    let cost = learner.cost().unwrap().unwrap();
    assert_eq!(cost.samples, 19, "{}", settings.algorithm);
    assert_eq!(cost.multiply_adds % cost.samples, 0);

    // Only training costs.
    let mut outputs = [0.0; 8 * CLASSES];
    batches[0].with(|batch| {
        learner.predict(batch.inputs, &mut outputs).unwrap();
        learner.directions(batch, &[]).unwrap();
    });
    let saved = learner.save().unwrap();
    learner.restore(&saved).unwrap();
    assert_eq!(learner.cost().unwrap(), Some(cost));
    train(&mut learner, 2, &batches, None).1.unwrap();
    let twice = Cost {
        multiply_adds: 2 * cost.multiply_adds,
        samples: 2 * cost.samples,
    };
    assert_eq!(learner.cost().unwrap(), Some(twice));
    cost.multiply_adds / cost.samples
}

#[test]
fn a_fully_connected_network_costs_what_the_equations_say() {
    // 6, 5, 4 and 3 units.
    let (first, second, third) = (6 * 5, 5 * 4, 4 * 3);
    let layers = first + second + third;
    let (forward, gradients) = (layers, layers);
    let direct = 3 * (5 + 4);
    // g_2(ĥ_2) and g_2(h_2) below the step of W_3ᵀ e.
    let targets = third + 2 * second;
    // f_2, g_2 and the gradient of V_2.
    let inverses = 3 * second;
    let backpropagation = forward + second + third + gradients;
    let cases = [
        ("bp", "{}", backpropagation),
        ("fa", "{}", backpropagation),
        ("dfa", "{}", forward + direct + gradients),
        ("drtp", "{}", forward + direct + gradients),
        // The feedback weights have gradients too.
        ("kp", "{}", backpropagation + second + third),
        ("dtp", "{}", forward + targets + gradients + inverses),
        // The pass of the inverses has a forward pass of its own.
        (
            "dtp",
            r#"{"schedule": "alternating"}"#,
            2 * forward + targets + gradients + inverses,
        ),
        // x + F e, and a second pass.
        ("pepita", "{}", forward + 3 * 6 + forward + gradients),
    ];
    for (algorithm, hyperparameters, expected) in cases {
        let settings = Learner {
            algorithm,
            hyperparameters,
            ..Learner::default()
        };
        let counted = per_sample(&settings, [1, 2, 3]);
        assert_eq!(counted, expected, "{algorithm} {hyperparameters}");
    }
}

/// The pairs of an output position and an input that a kernel of side 3 connects along an axis.
fn met(inputs: usize, stride: usize) -> usize {
    let outputs = inputs.div_ceil(stride);
    let seen = |output: usize| {
        let middle = output * stride;
        (0..inputs).filter(move |input| input.abs_diff(middle) <= 1)
    };
    (0..outputs).flat_map(seen).count()
}

#[test]
fn windows_cost_what_they_meet_without_padding() {
    let input = [2, 5, 4];
    let first = met(5, 2) * met(4, 2) * 2 * 3;
    let second = met(3, 1) * met(2, 1) * 3 * 2;
    let third = 3 * 2 * 2 * CLASSES;
    let forward = (first + second + third) as u64;
    let transposed = (second + third) as u64;
    for layers in [
        ["lc 3x3 3 s2", "conv 3x3 2 s1", "softmax 3"],
        ["conv 3x3 3 s2", "lc 3x3 2 s1", "softmax 3"],
    ] {
        for algorithm in ["bp", "fa"] {
            let settings = Learner {
                algorithm,
                network: network(&input, &layers),
                ..Learner::default()
            };
            let counted = per_sample(&settings, input);
            assert_eq!(counted, forward + transposed + forward, "{layers:?}");
        }
    }
}

#[test]
fn every_rule_says_what_it_transports_as_the_documentation_does() {
    let methods = include_str!("../../docs/methods.md");
    let rules = rules();
    assert!(rules.len() > 20, "{rules:?}");
    for rule in rules {
        let algorithms = load(&rule).algorithms().unwrap();
        let schema: Value = serde_json::from_str(&algorithms[0].hyperparameters).unwrap();
        let transports = schema["transports"].as_str().unwrap_or_default();
        let row = format!("| `{rule}` | {transports} |");
        assert!(methods.contains(&row), "docs/methods.md has no {row:?}");
    }
}
