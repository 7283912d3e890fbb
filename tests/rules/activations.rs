//! Networks with `relu` and `norm` against 64-bit floats and numerical derivatives, and which rules take
//! them.

use serde_json::json;

use crate::support::host::{Samples, SplitMix, train, train_recording};
use crate::support::plugin::{Learner, network};
use crate::support::relative_difference;
use crate::support::running::TOLERANCE;
use crate::support::state::{State, transposed};

const INPUT: [usize; 3] = [2, 2, 3];

/// The difference that 64-bit central differences and 32-bit gradients may have.
const CLOSE: f64 = 2e-5;

/// A network of fully connected layers as its notation, in 64-bit floats.
#[derive(Clone)]
struct Plain {
    layers: Vec<Dense>,
    reconstructs: bool,
}

#[derive(Clone)]
struct Dense {
    weight: Vec<f64>,
    bias: Vec<f64>,
    relu: bool,
    norm: bool,
}

impl Plain {
    fn new(notation: &[&str], state: &State) -> Self {
        let layers = (1..).zip(notation).map(|(l, text)| Dense {
            weight: state.f64(&format!("forward.{l}.weight")),
            bias: state.f64(&format!("forward.{l}.bias")),
            relu: text.contains("relu"),
            norm: text.contains("norm"),
        });
        Self {
            layers: layers.collect(),
            reconstructs: !notation.last().unwrap().starts_with("softmax"),
        }
    }

    /// `h_0` to `h_{L-1}` and `a_L` of one sample.
    fn run(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut values = vec![x.to_vec()];
        for (at, layer) in self.layers.iter().enumerate() {
            let sums = layer.sums(values.last().unwrap());
            let is_last = at + 1 == self.layers.len();
            values.push(if is_last { sums } else { layer.activated(sums) });
        }
        values
    }

    /// The mean loss.
    fn loss(&self, samples: &Samples) -> f64 {
        let batch = samples
            .inputs
            .chunks(samples.inputs.len() / samples.labels.len());
        let losses = batch.zip(&samples.labels).map(|(x, &label)| {
            let x: Vec<_> = x.iter().map(|&x| f64::from(x)).collect();
            let a = self.run(&x).pop().unwrap();
            if self.reconstructs {
                a.iter().zip(&x).map(|(a, x)| (a.tanh() - x).powi(2)).sum()
            } else {
                a.iter().map(|a| a.exp()).sum::<f64>().ln() - a[label as usize]
            }
        });
        losses.sum::<f64>() / samples.labels.len() as f64
    }
}

impl Dense {
    fn sums(&self, below: &[f64]) -> Vec<f64> {
        let rows = self.weight.chunks(below.len()).zip(&self.bias);
        rows.map(|(row, b)| b + row.iter().zip(below).map(|(w, h)| w * h).sum::<f64>())
            .collect()
    }

    fn activated(&self, sums: Vec<f64>) -> Vec<f64> {
        let mut h: Vec<_> = sums
            .into_iter()
            .map(|a| if self.relu { a.max(0.0) } else { a.tanh() })
            .collect();
        if self.norm {
            let n = h.len() as f64;
            let mean = h.iter().sum::<f64>() / n;
            let variance = h.iter().map(|h| (h - mean).powi(2)).sum::<f64>() / n;
            for h in &mut h {
                *h = (*h - mean) / (variance + 1e-5).sqrt();
            }
        }
        h
    }
}

/// The derivatives of `loss` by every one of `values`, by central differences.
fn numerical(values: usize, mut loss: impl FnMut(usize, f64) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-6;
    (0..values)
        .map(|at| (loss(at, STEP) - loss(at, -STEP)) / (2.0 * STEP))
        .collect()
}

fn learner<'a>(algorithm: &'a str, layers: &[&str], hyperparameters: &'a str) -> Learner<'a> {
    Learner {
        algorithm,
        network: network(&INPUT, layers),
        hyperparameters,
        seed: 11,
        ..Learner::default()
    }
}

fn samples() -> Samples {
    Samples::random(3, 7, INPUT, 4)
}

const NETWORKS: [[&str; 4]; 5] = [
    ["fc 9 relu", "fc 7 relu", "fc 8 relu", "softmax 4"],
    ["fc 9 norm", "fc 7 norm", "fc 8 norm", "softmax 4"],
    [
        "fc 9 relu norm",
        "fc 7 norm relu",
        "fc 8 relu norm",
        "softmax 4",
    ],
    ["fc 9", "fc 7 relu", "fc 8 norm", "softmax 4"],
    ["fc 9 relu norm", "fc 7", "fc 8 relu", "fc 12"],
];

#[test]
fn backpropagation_gives_the_gradient_by_central_differences() {
    for layers in NETWORKS {
        let (state, found) = learner("bp", &layers, "{}").directions(&samples(), &[], |_| {});
        let plain = Plain::new(&layers, &state);
        let weight: fn(&mut Dense) -> &mut Vec<f64> = |layer| &mut layer.weight;
        let bias: fn(&mut Dense) -> &mut Vec<f64> = |layer| &mut layer.bias;
        for at in 0..layers.len() {
            for (part, values) in [("weight", weight), ("bias", bias)] {
                let count = values(&mut plain.layers[at].clone()).len();
                let expected = numerical(count, |of, step| {
                    let mut moved = plain.clone();
                    values(&mut moved.layers[at])[of] += step;
                    moved.loss(&samples())
                });
                let name = format!("forward.{}.{part}", at + 1);
                let difference = relative_difference(&found.f32(&name), &expected);
                assert!(difference < CLOSE, "{layers:?} {name}: {difference:e}");
            }
        }
    }
}

/// Logits of the whole batch, sample by sample.
fn predictions(
    learner: &Learner<'_>,
    state: &State,
    samples: &Samples,
    outputs: usize,
) -> Vec<f32> {
    let mut learner = learner.create().unwrap();
    learner.restore(&state.to_bytes()).unwrap();
    let mut found = vec![0.0; samples.labels.len() * outputs];
    samples.with(|batch| learner.predict(batch.inputs, &mut found).unwrap());
    found
}

#[test]
fn predictions_follow_the_notation() {
    for layers in NETWORKS {
        let learner = learner("bp", &layers, "{}");
        let (_, state) = learner.prepared(|_| {});
        let (plain, samples) = (Plain::new(&layers, &state), samples());
        let outputs = if plain.reconstructs { 12 } else { 4 };
        let found = predictions(&learner, &state, &samples, outputs);
        let batch = samples.inputs.chunks(INPUT.iter().product());
        let expected: Vec<_> = batch
            .flat_map(|x| {
                let x: Vec<_> = x.iter().map(|&x| f64::from(x)).collect();
                let a = plain.run(&x).pop().unwrap();
                a.into_iter()
                    .map(|a| if plain.reconstructs { a.tanh() } else { a })
            })
            .collect();
        let difference = relative_difference(&found, &expected);
        assert!(difference < TOLERANCE, "{layers:?}: {difference:e}");
    }
}

#[test]
fn windows_take_both_options() {
    let layers = [
        "conv 3x3 4 s1 relu norm",
        "lc 3x3 6 s2 norm",
        "fc 12 relu",
        "softmax 4",
    ];
    let learner = Learner {
        network: network(&[2, 4, 4], &layers),
        ..learner("bp", &layers, "{}")
    };
    let samples = Samples::random(3, 7, [2, 4, 4], 4);
    let (state, found) = learner.directions(&samples, &[], |_| {});
    let loss = |state: &State| -> f64 {
        let logits = predictions(&learner, state, &samples, 4);
        let losses = logits.chunks(4).zip(&samples.labels).map(|(a, &label)| {
            let a: Vec<_> = a.iter().map(|&a| f64::from(a)).collect();
            a.iter().map(|a| a.exp()).sum::<f64>().ln() - a[label as usize]
        });
        losses.sum::<f64>() / samples.labels.len() as f64
    };
    // 32-bit predictions: along a whole tensor at once, with a step that is not small.
    for name in state.part("forward.").0.keys() {
        let direction = found.f32(name);
        let norm = direction
            .iter()
            .map(|&d| f64::from(d).powi(2))
            .sum::<f64>()
            .sqrt();
        let moved = |step: f64| {
            let mut moved = state.clone();
            let values = state.f32(name).into_iter().zip(&direction);
            let values: Vec<_> = values
                .map(|(w, &d)| (f64::from(w) + step * f64::from(d) / norm) as f32)
                .collect();
            moved.set(name, &values);
            loss(&moved)
        };
        let step = 3e-3;
        let slope = (moved(step) - moved(-step)) / (2.0 * step);
        assert!(
            (slope / norm - 1.0).abs() < 0.02,
            "{name}: {slope} for {norm}"
        );
    }
}

#[test]
fn kolen_pollack_with_the_transposed_weights_is_backpropagation() {
    for layers in NETWORKS {
        let (state, found) = learner("kp", &layers, "{}").directions(&samples(), &[], |state| {
            for l in 2..=4 {
                let name = format!("forward.{l}.weight");
                let &[rows, columns] = state.shape(&name) else {
                    panic!("{name} is no matrix")
                };
                let tied = transposed(&state.f32(&name), rows, columns);
                state.set(&format!("feedback.{l}.weight"), &tied);
            }
        });
        let forward = state.part("forward.");
        let (_, expected) =
            learner("bp", &layers, "{}").directions(&samples(), &[], |own| own.0.extend(forward.0));
        for name in expected.0.keys() {
            let difference = relative_difference(&found.f32(name), &expected.f64(name));
            assert!(difference < TOLERANCE, "{layers:?} {name}: {difference:e}");
        }
    }
}

#[test]
fn derivatives_along_random_directions_follow_the_notation() {
    for layers in NETWORKS {
        let directions = |settings: &str| {
            let (_, found) =
                learner("perturbation", &layers, settings).directions(&samples(), &[], |_| {});
            found
        };
        let exact = directions("{}");
        let difference = directions(r#"{"estimator": "difference", "step": 0.001}"#);
        for name in exact.0.keys() {
            let apart = relative_difference(&difference.f32(name), &exact.f64(name));
            assert!(apart < 0.02, "{layers:?} {name}: {apart:e}");
        }
    }
}

#[test]
fn predictive_coding_with_fixed_predictions_is_backpropagation() {
    let layers = NETWORKS[0];
    let settings =
        r#"{"mode": "fixed-prediction", "settling_steps": 3, "settling_rate": 1.0, "beta": 1.0}"#;
    let (state, found) =
        learner("predictive-coding", &layers, settings).directions(&samples(), &[], |_| {});
    let (_, expected) = learner("bp", &layers, "{}").directions(&samples(), &[], |own| {
        own.0.extend(state.part("forward.").0);
    });
    for name in expected.0.keys() {
        let difference = relative_difference(&found.f32(name), &expected.f64(name));
        assert!(difference < TOLERANCE, "{name}: {difference:e}");
    }
}

#[test]
fn an_inverse_has_the_function_of_the_units_that_it_gives() {
    let layers = ["fc 9 relu", "fc 7", "softmax 4"];
    let (samples, mut random) = (samples(), SplitMix(9));
    let epsilon: Vec<_> = (0..7 * 9)
        .map(|_| 0.2 * random.symmetric() as f32)
        .collect();
    let mut given = State::default();
    given.insert("noise.1", &[7, 9], &epsilon);
    let (state, found) =
        learner("dtp", &layers, "{}").directions(&samples, &given.to_bytes(), |state| {
            let bias: Vec<_> = (0..9).map(|at| at as f32 * 0.4 - 2.0).collect();
            state.set("inverse.2.bias", &bias);
        });
    let plain = Plain::new(&layers, &state);
    let inverse = Dense {
        weight: state.f64("inverse.2.weight"),
        bias: state.f64("inverse.2.bias"),
        relu: true,
        norm: false,
    };
    // ‖g(f(h + ε)) − (h + ε)‖², mean over the batch.
    let loss = |inverse: &Dense| -> f64 {
        let batch = samples.inputs.chunks(INPUT.iter().product());
        let losses = batch.zip(epsilon.chunks(9)).map(|(x, epsilon)| {
            let x: Vec<_> = x.iter().map(|&x| f64::from(x)).collect();
            let h = plain.layers[0].activated(plain.layers[0].sums(&x));
            let h: Vec<_> = h
                .iter()
                .zip(epsilon)
                .map(|(h, &e)| h + f64::from(e))
                .collect();
            let above = plain.layers[1].activated(plain.layers[1].sums(&h));
            let image = inverse.activated(inverse.sums(&above));
            image
                .iter()
                .zip(&h)
                .map(|(g, h)| (g - h).powi(2))
                .sum::<f64>()
        });
        losses.sum::<f64>() / 7.0
    };
    let expected = numerical(inverse.weight.len(), |at, step| {
        let mut moved = inverse.clone();
        moved.weight[at] += step;
        loss(&moved)
    });
    let difference = relative_difference(&found.f32("inverse.2.weight"), &expected);
    assert!(difference < CLOSE, "{difference:e}");
    assert!(expected.contains(&0.0), "no unit is cut off");
}

const REFUSE_NORM: [&str; 9] = [
    "tp",
    "dtp",
    "sdtp",
    "ao-sdtp",
    "l-drl",
    "weight-mirror",
    "predictive-coding",
    "equilibrium-propagation",
    "forward-forward",
];

const TAKE_NORM: [&str; 13] = [
    "bp",
    "fa",
    "dfa",
    "drtp",
    "kp",
    "dkp",
    "sign-symmetry",
    "fdfa",
    "fw-dtp",
    "ddtp",
    "pepita",
    "local-loss",
    "perturbation",
];

#[test]
fn every_rule_takes_relu_and_takes_norm_or_says_why_not() {
    let relu = ["fc 9 relu", "fc 7 relu", "softmax 4"];
    let norm = ["fc 9 relu norm", "fc 7 norm", "softmax 4"];
    let trains = |algorithm: &str, layers: &[&str]| {
        let mut learner = learner(algorithm, layers, "{}").create().unwrap();
        let batches: Vec<_> = (0..3)
            .map(|seed| Samples::random(seed, 7, INPUT, 4))
            .collect();
        let (losses, ended) = train(&mut learner, 1, &batches, None);
        ended.unwrap_or_else(|error| panic!("{algorithm} on {layers:?}: {error}"));
        assert_eq!(losses.len(), 3, "{algorithm}");
    };
    for algorithm in TAKE_NORM.into_iter().chain(REFUSE_NORM) {
        trains(algorithm, &relu);
    }
    for algorithm in TAKE_NORM {
        trains(algorithm, &norm);
    }
    for algorithm in REFUSE_NORM {
        let error = learner(algorithm, &norm, "{}").create().err().unwrap();
        let message = error.to_string();
        assert!(message.contains("cannot train this network"), "{message}");
        assert!(message.contains("leave `norm` out"), "{message}");
    }
}

/// One batch of incremental predictive coding by its equations, with plain gradient steps.
fn incremental(plain: &mut Plain, samples: &Samples, steps: u32, gamma: f64, rate: f64) {
    let batch: Vec<Vec<f64>> = samples
        .inputs
        .chunks(INPUT.iter().product())
        .map(|x| x.iter().map(|&x| f64::from(x)).collect())
        .collect();
    let depth = plain.layers.len();
    let mut x: Vec<_> = batch.iter().map(|x| plain.run(x)).collect();
    for _ in 0..steps {
        let errors = |plain: &Plain, x: &[Vec<f64>], label: usize| -> Vec<Vec<f64>> {
            // ε_l ∘ φ'(a_l) for l < L and ε_L, from l = 1.
            (1..=depth)
                .map(|l| {
                    let sums = plain.layers[l - 1].sums(&x[l - 1]);
                    if l == depth {
                        let total: f64 = sums.iter().map(|a| a.exp()).sum();
                        let target = |at: usize| f64::from(u8::from(at == label));
                        let sums = sums.iter().enumerate();
                        sums.map(|(at, a)| target(at) - a.exp() / total).collect()
                    } else {
                        let mu: Vec<_> = sums.iter().map(|a| a.tanh()).collect();
                        let pairs = x[l].iter().zip(&mu);
                        pairs.map(|(x, mu)| (x - mu) * (1.0 - mu * mu)).collect()
                    }
                })
                .collect()
        };
        for (x, &label) in x.iter_mut().zip(&samples.labels) {
            let local = errors(plain, x, label as usize);
            let before = x.clone();
            for l in 1..depth {
                let mu = plain.layers[l - 1].sums(&before[l - 1]);
                for unit in 0..x[l].len() {
                    let above = &plain.layers[l];
                    let width = before[l].len();
                    let back: f64 = local[l]
                        .iter()
                        .enumerate()
                        .map(|(row, e)| above.weight[row * width + unit] * e)
                        .sum();
                    let epsilon = before[l][unit] - mu[unit].tanh();
                    x[l][unit] -= gamma * (epsilon - back);
                }
            }
        }
        let b = samples.labels.len() as f64;
        let all: Vec<_> = x
            .iter()
            .zip(&samples.labels)
            .map(|(x, &label)| errors(plain, x, label as usize))
            .collect();
        for l in 1..=depth {
            let layer = &mut plain.layers[l - 1];
            for (x, local) in x.iter().zip(&all) {
                let width = x[l - 1].len();
                for (row, e) in local[l - 1].iter().enumerate() {
                    for (column, h) in x[l - 1].iter().enumerate() {
                        layer.weight[row * width + column] += rate * e * h / b;
                    }
                    layer.bias[row] += rate * e / b;
                }
            }
        }
    }
}

#[test]
fn incremental_predictive_coding_learns_after_every_step_of_a_batch() {
    let layers = ["fc 9", "fc 7", "softmax 4"];
    let settings = json!({
        "mode": "incremental", "settling_steps": 5, "settling_rate": 0.3, "optimiser": "sgd", "momentum": 0.0,
        "learning_rate": 0.1,
    })
    .to_string();
    let (mut learner, state) = learner("predictive-coding", &layers, &settings).prepared(|_| {});
    let mut plain = Plain::new(&layers, &state);
    let batches = [
        Samples::random(1, 7, INPUT, 4),
        Samples::random(2, 5, INPUT, 4),
    ];
    let (recorder, ended) = train_recording(&mut learner, 1, &batches, None);
    ended.unwrap();
    for samples in &batches {
        incremental(&mut plain, samples, 5, 0.3, 0.1);
    }
    let found = State::parse(&learner.save().unwrap());
    for (l, layer) in (1..).zip(&plain.layers) {
        let name = format!("forward.{l}.weight");
        let moved: Vec<_> = found
            .f64(&name)
            .iter()
            .zip(state.f64(&name))
            .map(|(a, b)| (a - b) as f32)
            .collect();
        let expected: Vec<_> = layer
            .weight
            .iter()
            .zip(state.f64(&name))
            .map(|(a, b)| a - b)
            .collect();
        let difference = relative_difference(&moved, &expected);
        assert!(difference < 1e-4, "{name}: {difference:e}");
    }
    assert_eq!(recorder.values("batch_loss").len(), 2);
    assert_eq!(recorder.values("energy").len(), 2);
}
