//! The contract of rules without layers, and the delta rule by its equation.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop there"
)]

use assay_sdk::{
    Adam, Declarations, Distribution, Error, Examples, First, Moves, NewTensor, Rule, Standalone,
    Tensor, Trained, Trial, copy,
};

use super::{DeltaRule, Settings};

const LAYERS: [&str; 2] = ["fc 3", "softmax 4"];
const INPUTS: [f32; 12] = [
    0.1, -0.7, 0.4, 0.9, -0.2, 0.3, 0.8, -0.5, -0.1, 0.6, 0.2, -0.9,
];
const LABELS: [i64; 2] = [3, 1];

fn trial<R: Rule>(config: &R::Config) -> Result<Trial<Standalone<R>>, Error> {
    Trial::new([1, 2, 3], &LAYERS, config, 7)
}

#[test]
fn directions_follow_the_equation() {
    let settings = Settings {
        noise: 0.0,
        ..Settings::default()
    };
    let mut trial = trial::<DeltaRule>(&settings).unwrap();
    let state = trial.state().unwrap();
    let found = trial.directions(&INPUTS, &LABELS).unwrap();
    assert!(found.keys().eq(["delta.bias", "delta.weight"]));
    let (weight, mut expected) = (&state["delta.weight"], vec![0.0_f64; 24]);
    for (x, &label) in INPUTS.chunks(6).zip(&LABELS) {
        let scores = weight.chunks(6).map(|row| {
            let terms = row.iter().zip(x).map(|(w, x)| f64::from(w * x));
            terms.sum::<f64>().exp()
        });
        let scores: Vec<_> = scores.collect();
        let total: f64 = scores.iter().sum();
        for (class, score) in scores.iter().enumerate() {
            let error = score / total - f64::from(u8::from(class == label as usize));
            for (at, x) in x.iter().enumerate() {
                expected[6 * class + at] += error * f64::from(*x) / 2.0;
            }
        }
    }
    for (found, expected) in found["delta.weight"].iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-6,
            "{found} {expected}"
        );
    }
    let again = trial.directions(&INPUTS, &LABELS).unwrap();
    assert_eq!(found, again, "asking changes nothing");
    assert_eq!(trial.state().unwrap(), state);
}

#[test]
fn noise_is_fresh_in_every_step_and_the_state_has_the_optimisers_moments() {
    let mut trial = trial::<DeltaRule>(&Settings::default()).unwrap();
    let first = trial.directions(&INPUTS, &LABELS).unwrap();
    let before = trial.state().unwrap();
    let loss = trial.step(&INPUTS, &LABELS).unwrap();
    assert!(loss > 0.0 && loss.is_finite());
    let after = trial.state().unwrap();
    assert_ne!(before["delta.weight"], after["delta.weight"]);
    assert!(
        after.keys().any(|name| name.starts_with("optimiser.")),
        "{:?}",
        after.keys()
    );
    assert_ne!(first, trial.directions(&INPUTS, &LABELS).unwrap());
}

/// A rule that declares and writes what it is told to.
struct Told {
    trained: Vec<Trained>,
}

/// The ways in which it can be wrong.
#[derive(Clone, Copy, Default, PartialEq)]
enum Wrong {
    #[default]
    Nothing,
    Twice,
    Taken,
    Reserved,
    Empty,
    LeftOut,
    Shape,
    Undeclared,
}

std::thread_local! {
    static WRONG: std::cell::Cell<Wrong> = const { std::cell::Cell::new(Wrong::Nothing) };
}

impl Rule for Told {
    type Config = Adam;

    const NAME: &'static str = "told";
    const SUMMARY: &'static str = "A test.";
    const REFERENCE: &'static str = "none";

    fn declare(declare: &mut Declarations<'_>, _config: &Adam) -> Result<Self, Error> {
        let wrong = WRONG.get();
        let new = |name: &str| NewTensor::vector(name, 2, First::Uniform(1.0));
        let trained = declare.trained([new("first"), new("second")])?;
        match wrong {
            Wrong::Twice => drop(declare.trained([new("third")])?),
            Wrong::Taken => drop(declare.fixed(new("first"))?),
            Wrong::Reserved => drop(declare.fixed(new("optimiser.rule.step"))?),
            Wrong::Empty => drop(declare.fixed(NewTensor::matrix("fixed", 2, 0, First::Zero))?),
            _ => drop(declare.fixed(new("fixed"))?),
        }
        let _ = declare.draw("some", 2, Distribution::Sign)?;
        Ok(Self { trained })
    }

    fn step(&mut self, _batch: &Examples<'_>, out: &mut Moves) -> Result<f64, Error> {
        let value = self.trained[0].value();
        out.direction(&self.trained[0], value)?;
        match WRONG.get() {
            Wrong::LeftOut => {}
            Wrong::Shape => out.direction(&self.trained[1], &Tensor::from_slice(&[1.0_f32]))?,
            Wrong::Undeclared => out.record("joy", 1.0)?,
            _ => out.direction(&self.trained[1], value)?,
        }
        Ok(1.0)
    }

    fn scores(&mut self, _inputs: &Tensor, scores: &Tensor) -> Result<(), Error> {
        copy(&scores.f_zeros_like()?, scores)
    }
}

#[test]
fn a_broken_contract_names_the_rule_and_what_is_wrong() {
    for (wrong, expected) in [
        (Wrong::Nothing, ""),
        (Wrong::Twice, "told declares trained tensors twice"),
        (Wrong::Taken, "told makes a tensor of the name `first`"),
        (
            Wrong::Reserved,
            "told makes a tensor of the name `optimiser.rule.step`",
        ),
        (Wrong::Empty, "told makes `fixed` of shape [2, 0]"),
        (Wrong::LeftOut, "told wrote no direction for `second`"),
        (Wrong::Shape, "`second` has that shape"),
        (Wrong::Undeclared, "there is no metric `joy`"),
    ] {
        WRONG.set(wrong);
        let ended = trial::<Told>(&Adam::default())
            .and_then(|mut trial| trial.directions(&INPUTS, &LABELS));
        match ended {
            Ok(found) => {
                assert_eq!(expected, "");
                assert!(found.keys().eq(["first", "second"]), "{found:?}");
            }
            Err(error) => {
                assert!(!expected.is_empty(), "{error}");
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
    }
}
