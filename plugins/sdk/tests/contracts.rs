//! Faults of an algorithm that the SDK refuses: tensors of the wrong shape, silent breaches of
//! contract.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop there"
)]

use std::cell::{Cell, RefCell};

use assay_sdk::{
    Adam, Algorithm, Configuration, Connection, Directions, Distribution, Error, InverseTraining,
    Optimiser, Pass, Setup, Target, TargetPropagation, TargetRule, TargetSettings, Tensor,
    TopTarget, TrainedMap, Trial, scale,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

type Rule = fn(&Pass<'_>, &mut Directions<'_>) -> Result<(), Error>;
type Made = fn(&mut Setup<'_>) -> Result<(), Error>;

thread_local! {
    static RULE: Cell<Rule> = const { Cell::new(|_, _| Ok(())) };
    static MADE: Cell<Made> = const { Cell::new(|_| Ok(())) };
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Settings {
    /// Those of the optimiser.
    #[serde(flatten)]
    adam: Adam,
}

impl Configuration for Settings {
    fn optimiser(&self) -> Optimiser {
        self.adam.into()
    }

    fn inverse_training(&self) -> Option<InverseTraining> {
        Some(InverseTraining::new(self.adam, 0.1))
    }
}

/// Does what the test of its thread asks for.
struct Obedient;

impl Algorithm for Obedient {
    type Config = Settings;
    const NAME: &'static str = "obedient";
    const SUMMARY: &'static str = "Does what a test asks for.";
    const REFERENCE: &'static str = "none";

    fn new(setup: &mut Setup<'_>, _settings: &Settings) -> Result<Self, Error> {
        MADE.get()(setup)?;
        Ok(Self)
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        RULE.get()(pass, out)
    }
}

fn trial() -> Result<Trial<Obedient>, Error> {
    let layers = ["fc 5", "fc 4", "softmax 3"];
    Trial::new([1, 2, 3], &layers, &Settings::default(), 7)
}

/// Error message for a rule on a batch of four samples, of a network of 6, 5, 4 and 3 units.
fn said_of(rule: Rule) -> String {
    RULE.set(rule);
    let error = trial().unwrap().directions(&[0.5; 24], &[0, 1, 2, 0]);
    error.unwrap_err().to_string()
}

/// Fails unless the rule is refused in these words, on a line of this file.
fn refuses(rule: Rule, words: &str) {
    let said = said_of(rule);
    assert!(said.contains(words), "no {words:?} in: {said}");
    assert!(said.contains("tests/contracts.rs:"), "no line in: {said}");
}

const SHARED: &str = "an output shares memory with a tensor that it is computed from";

#[test]
fn a_direction_has_the_rows_of_its_layer_and_the_columns_of_the_batch() {
    refuses(
        |pass, out| out.gradient(3, pass.h(1)),
        "layer 3 has 3 outputs and the batch 4 samples: expected a delta of 3 × 4, got 5 × 4",
    );
    refuses(
        |pass, out| out.gradient(3, &pass.output_delta().narrow(1, 0, 2).contiguous()),
        "expected a delta of 3 × 4, got 3 × 2",
    );
    refuses(
        |pass, out| out.gradient(3, &pass.output_delta().to_kind(tch::Kind::Double)),
        "expected a delta of 32-bit floats, got Double",
    );
    refuses(
        |pass, out| out.gradient(3, &pass.output_delta().tr().contiguous().tr()),
        "expected a delta whose rows lie one after another in memory, got strides [1, 3]",
    );
    refuses(
        |pass, out| out.gradient(4, pass.output_delta()),
        "there is no layer 4: the network has layers 1 to 3",
    );
    refuses(|_, out| out.none(0), "there is no layer 0");
}

#[test]
fn every_map_of_a_layer_refuses_what_does_not_fit() {
    refuses(
        |pass, _| pass.layer(2).forward(pass.h(0), pass.scratch(2)),
        "layer 2 takes 5 values of each sample: expected an input of 5 × B, got 6 × 4",
    );
    refuses(
        |pass, _| pass.layer(2).forward_activated(pass.h(1), pass.scratch(1)),
        "layer 2 gives 4 values for each of 4 samples: expected an output of 4 × 4, got 5 × 4",
    );
    refuses(
        |pass, _| {
            let half = pass.h(1).narrow(1, 0, 2).contiguous();
            pass.layer(2).forward(&half, pass.scratch(2))
        },
        "for each of 2 samples: expected an output of 4 × 2, got 4 × 4",
    );
    refuses(
        |pass, _| pass.layer(3).transposed(pass.h(1), pass.scratch(2)),
        "layer 3 backwards takes 3 values of each sample: expected a delta of 3 × B, got 5 × 4",
    );
    refuses(
        |pass, _| {
            pass.layer(3)
                .transposed(pass.output_delta(), pass.scratch(1))
        },
        "layer 3 backwards gives 4 values for each of 4 samples: expected an output of 4 × 4",
    );
    refuses(
        |pass, _| {
            let (delta, out) = (pass.output_delta(), pass.scratch(2));
            pass.layer(3).feedback(pass.h(3), delta, out)
        },
        "layer 3 goes back from 3 units to 4: expected a transposed feedback of 4 × 3, got 3 × 4",
    );
    refuses(
        |pass, _| {
            let e = pass.output_delta();
            pass.layer(1).project(pass.h(2), e, pass.scratch(1))
        },
        "layer 1 has 5 outputs: expected a direct feedback of 5 × B, got 4 × 4",
    );
    refuses(
        |pass, _| {
            let e = pass.output_delta();
            pass.layer(1).project(pass.h(1), e, pass.scratch(1))
        },
        "the direct feedback of layer 1 takes 4 values of each sample: expected an error of 4 × B",
    );
}

#[test]
fn a_derivative_is_of_activations_of_the_same_shape() {
    refuses(
        |pass, _| pass.layer(1).derivative(pass.scratch(1), pass.h(2)),
        "expected an activation of 5 × 4, got 4 × 4",
    );
    refuses(
        |pass, _| {
            let narrow = pass.h(1).narrow(1, 0, 1).contiguous();
            pass.layer(1).derivative(pass.scratch(1), &narrow)
        },
        "expected an activation of 5 × 4, got 5 × 1",
    );
    refuses(
        |pass, _| pass.derivative(1, pass.scratch(2)),
        "h_1 has that shape: expected a delta of 5 × 4, got 4 × 4",
    );
    refuses(
        |pass, _| pass.tangent(4, pass.scratch(1)),
        "there is no layer 4",
    );
    refuses(
        |pass, _| pass.derivative(3, pass.scratch(3)),
        "layer 3 is the last",
    );
}

#[test]
fn no_output_lies_where_an_input_does() {
    refuses(|pass, _| pass.derivative(1, pass.h(1)), SHARED);
    refuses(
        |pass, _| {
            pass.layer(1)
                .derivative(pass.h(1), &pass.h(1).shallow_clone())
        },
        SHARED,
    );
    // A square map, so that shapes fit: layer 2 of 4 units on the first four rows of a buffer.
    refuses(
        |pass, _| {
            let buffer = Tensor::zeros([9, 4], (tch::Kind::Float, tch::Device::Cpu));
            let (h, out) = (buffer.narrow(0, 0, 5), buffer.narrow(0, 4, 4));
            pass.layer(2).forward(&h, &out)
        },
        SHARED,
    );
    refuses(
        |pass, _| {
            let buffer = Tensor::zeros([9, 4], (tch::Kind::Float, tch::Device::Cpu));
            let (delta, out) = (buffer.narrow(0, 4, 4), buffer.narrow(0, 0, 5));
            pass.layer(2).transposed(&delta, &out)
        },
        SHARED,
    );
}

#[test]
fn neighbours_in_one_buffer_do_not_overlap() {
    let rule: Rule = |pass, out| {
        let buffer = Tensor::zeros([9, 4], (tch::Kind::Float, tch::Device::Cpu));
        pass.layer(2)
            .forward(&buffer.narrow(0, 0, 5), &buffer.narrow(0, 5, 4))?;
        scale(&buffer.tr(), 2.0)?; // of any layout
        (1..=3).try_for_each(|l| out.none(l))
    };
    RULE.set(rule);
    let found = trial().unwrap().directions(&[0.5; 24], &[0, 1, 2, 0]);
    assert_eq!(found.unwrap()["forward.3.bias"], [0.0; 3]);
}

#[test]
fn a_layer_that_was_left_out_is_named() {
    let said = said_of(|pass, out| {
        out.none(1)?;
        out.gradient(3, pass.output_delta())
    });
    assert_eq!(said, "obedient wrote no direction for layer 2");
}

#[test]
fn a_direction_that_is_not_finite_is_reported_in_its_step() {
    RULE.set(|pass, out| {
        out.none(1)?;
        out.gradient(3, pass.output_delta())?;
        let delta = pass.scratch(2);
        let _ = delta.shallow_clone().f_fill_(f64::NAN)?;
        out.gradient(2, delta)
    });
    let error = trial().unwrap().step(&[0.5; 24], &[0, 1, 2, 0]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "a direction became infinite or not a number at step 1 of epoch 1; the first tensor that is \
         not finite is the direction of forward.2.weight, in layer 2"
    );
}

fn refuses_to_make(made: Made, words: &str) {
    MADE.set(made);
    let said = trial().map(drop).unwrap_err().to_string();
    assert!(said.contains(words), "no {words:?} in: {said}");
    assert!(said.contains("tests/contracts.rs:"), "no line in: {said}");
}

#[test]
fn tensors_have_names_of_their_own_and_layers_that_there_are() {
    refuses_to_make(
        |setup| {
            let _ = setup.transposed_feedback(3, 1.0)?;
            let _ = setup.direct_feedback(3, 1.0)?;
            Ok(())
        },
        "obedient makes two tensors of the name `feedback.3.weight`",
    );
    refuses_to_make(
        |setup| setup.direct_feedback(4, 1.0).map(drop),
        "there is no layer 4: the network has layers 1 to 3",
    );
    refuses_to_make(
        |setup| setup.inverses(0..=1, 0).map(drop),
        "there is no layer 0",
    );
    refuses_to_make(
        |setup| {
            setup.inverses(2..=2, 0)?;
            setup.inverses(3..=3, 0).map(drop)
        },
        "obedient asks for `inverse` maps twice",
    );
    refuses_to_make(
        |setup| setup.inverses(3..=3, -1).map(drop),
        "-1 auxiliary units were asked for",
    );
}

#[test]
fn maps_and_draws_have_names_of_their_own_and_layers_that_there_are() {
    refuses_to_make(
        |setup| {
            let _ = setup.transposed_feedback(3, 1.0)?;
            setup
                .trained("feedback", Adam::default(), [Connection::transposed(3)])
                .map(drop)
        },
        "obedient makes two tensors of the name `feedback.3.weight`",
    );
    refuses_to_make(
        |setup| {
            let twice = [Connection::head(1), Connection::head(1)];
            setup.trained("head", Adam::default(), twice).map(drop)
        },
        "obedient makes two tensors of the name `head.1.weight`",
    );
    refuses_to_make(
        |setup| {
            let connections = [Connection::within(7)];
            setup.separately_trained("other", connections).map(drop)
        },
        "there is no layer 7",
    );
    refuses_to_make(
        |setup| {
            let normal = Distribution::Normal(1.0);
            let _ = setup.draw("tangent", 1, normal)?;
            setup.draw("tangent", 1, normal).map(drop)
        },
        "obedient makes two tensors of the name `noise.tangent.1`",
    );
}

thread_local! {
    static MAP: RefCell<Option<TrainedMap>> = const { RefCell::new(None) };
}

/// The message for a rule that is given a map (5, 3) from the outputs to the first layer.
fn said_of_map(rule: Rule) -> String {
    MADE.set(|setup| {
        let made = setup.trained("feedback", Adam::default(), [Connection::direct(1)])?;
        MAP.set(made.into_iter().next());
        Ok(())
    });
    let said = said_of(rule);
    MADE.set(|_| Ok(()));
    said
}

fn still_layers(out: &mut Directions<'_>) -> Result<(), Error> {
    (1..=3).try_for_each(|l| out.none(l))
}

fn with_map<T>(body: impl FnOnce(&TrainedMap) -> T) -> T {
    MAP.with_borrow(|map| body(map.as_ref().unwrap()))
}

#[test]
fn a_map_that_was_left_out_is_named() {
    let said = said_of_map(|_, out| still_layers(out));
    assert_eq!(said, "obedient wrote no direction for `feedback.1.weight`");
}

#[test]
fn a_map_refuses_what_does_not_fit() {
    let said = said_of_map(|pass, out| {
        still_layers(out)?;
        with_map(|map| out.map(map, pass.h(2), pass.output_delta()))
    });
    assert!(
        said.contains("`feedback.1.weight` gives 5 values for each of 4 samples: expected a delta of 5 × 4, got 4 × 4"),
        "{said}"
    );
    let said = said_of_map(|pass, _| with_map(|map| map.apply(pass.h(1), pass.scratch(1))));
    assert!(
        said.contains("expected an input of 3 × B, got 5 × 4"),
        "{said}"
    );
    let said =
        said_of_map(|pass, _| with_map(|map| map.transposed(pass.output_delta(), pass.scratch(3))));
    assert!(
        said.contains("expected a delta of 5 × B, got 3 × 4"),
        "{said}"
    );
}

#[test]
fn activations_that_were_overwritten_are_named() {
    let said = said_of(|pass, out| {
        still_layers(out)?;
        scale(pass.h(2), 2.0)
    });
    assert_eq!(said, "obedient overwrote h(2) of its pass");
}

#[test]
fn a_metric_has_to_be_declared() {
    refuses(
        |_, out| out.record("energy", 1.0),
        "there is no metric `energy`",
    );
}

#[test]
fn gradients_against_other_inputs_fit_their_layer() {
    refuses(
        |pass, out| out.gradient_from(2, pass.h(2), pass.h(2)),
        "layer 2 takes 5 values of each sample: expected an input of 5 × B, got 4 × 4",
    );
    refuses(
        |pass, out| {
            let half = pass.h(1).narrow(1, 0, 2).contiguous();
            out.gradient_from(2, pass.h(2), &half)
        },
        "layer 2 has 4 outputs and the input 2 columns: expected a delta of 4 × 2, got 4 × 4",
    );
    refuses(
        |pass, out| out.direction(1, pass.h(1), pass.layer(1).bias()),
        "layer 1 has weights of that shape: expected a weight of 5 × 6, got 5 × 4",
    );
}

#[test]
fn a_second_pass_starts_below_the_last_layer_and_leaves_the_first_alone() {
    refuses(
        |pass, _| pass.trace()?.run(3, pass.h(3)),
        "no layer comes after h_3",
    );
    refuses(
        |pass, _| pass.trace()?.run(1, pass.h(2)),
        "h_1 has that shape: expected an activation of 5 × 4, got 4 × 4",
    );
    let said = said_of(|pass, out| {
        let trace = pass.trace()?;
        trace.run(0, pass.h(0))?;
        assert_eq!(trace.h(2), pass.h(2));
        assert_eq!(trace.logits(), pass.logits());
        trace.run_with(1, &pass.h(1).f_neg()?, |_, a| scale(a, 0.5))?;
        assert_ne!(trace.h(2), pass.h(2));
        still_layers(out)?;
        out.none(9)
    });
    assert!(said.contains("there is no layer 9"), "{said}");
}

/// A rule that sets no hidden target.
struct Idle;

impl TargetRule for Idle {
    type Config = TargetSettings;
    const NAME: &'static str = "idle";
    const SUMMARY: &'static str = "Sets no hidden target.";
    const REFERENCE: &'static str = "none";

    fn top(_config: &TargetSettings) -> TopTarget {
        TopTarget::Output
    }

    fn below(_target: &Target<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_target_that_was_not_set_is_named() {
    let layers = ["fc 5", "fc 4", "softmax 3"];
    let settings = TargetSettings::default();
    let mut trial =
        Trial::<TargetPropagation<Idle>>::new([1, 2, 3], &layers, &settings, 7).unwrap();
    let error = trial.directions(&[0.5; 24], &[0, 1, 2, 0]).unwrap_err();
    assert_eq!(error.to_string(), "idle set no target for layer 2");
}
