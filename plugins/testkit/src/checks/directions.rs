//! `directions`: the update directions are those that training follows.
//!
//! The boundary has no plain gradient descent to compare with, and needs none: as ε grows, Adam's
//! first step lr · g / (|g| + ε) becomes lr/ε · g. So an algorithm with Adam's four hyper-parameters
//! is made to descend plainly, and every element is compared. So that nothing else moves a parameter,
//! `weight_decay` is 0 and a count of steps for each batch (`…_steps`) is 1. Of any other optimiser the first step
//! from a fresh state is only asked to move each parameter against its direction.

use serde_json::{Map, Value, json};

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::samples::Samples;
use crate::subject::{Subject, unexpected};
use crate::tensors::Tensors;
use assay_abi::ErrorCode;

pub(super) const CHECK: Check = Check {
    name: "directions",
    promise: "The directions that are reported for a batch are those that training on it follows: \
              to rounding where Adam's hyper-parameters allow plain gradient descent, otherwise in \
              sign.",
    why: "Alignment with the gradient, and checks against equations, are of the directions; they \
          mean nothing if training does something else.",
    body: Body::Algorithm(run),
};

/// ε that makes Adam plain: the directions of a batch are smaller by orders of magnitude.
const EPSILON: f64 = 1e6;
/// The part of a step that |g|/ε and the rounding of Adam's coefficients may change.
const RELATIVE: f32 = 1e-4;
/// Directions below this part of their tensor's largest may be rounding alone.
const SIGNIFICANT: f32 = 1e-3;

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let plain = plain_descent(subject);
    let hyperparameters = plain.clone().unwrap_or_else(|| subject.defaults());
    let text = Value::Object(hyperparameters).to_string();
    let created = subject.create(&network, &text, subject.seed);
    let mut learner =
        created.map_err(|error| unexpected(&format!("to create a learner with {text}"), &error))?;
    let batch = Samples::random(&network, 16, subject.seed);
    let before = Tensors::parse("its state", &learner.save()?)?;
    let directions = match learner.directions(&batch) {
        Ok(directions) => Tensors::parse("its directions", &directions)?,
        Err(error) if error.code == ErrorCode::UNSUPPORTED => {
            return skipped(format!("it gives no directions: {error}"));
        }
        Err(error) => return Err(unexpected("for directions", &error)),
    };
    if let Some(name) = directions.non_finite() {
        return failed(format!("the direction of `{name}` is not finite"));
    }
    if directions.0.is_empty() {
        return failed("it gives directions for no tensor");
    }
    let trained = learner.train(1, std::slice::from_ref(&batch))?;
    if trained.conduct.passes > 1 {
        return skipped(
            "it goes through an epoch twice, so later updates start from moved parameters",
        );
    }
    let after = Tensors::parse("its state", &learner.save()?)?;
    for (name, direction) in &directions.0 {
        let (Some(before), Some(after)) = (before.0.get(name), after.0.get(name)) else {
            return failed(format!(
                "there is a direction of `{name}`, but no such tensor in its state"
            ));
        };
        let moved = Moved {
            name,
            direction,
            before,
            after,
        };
        match plain {
            Some(_) => moved.is_step()?,
            None => moved.is_against()?,
        }
    }
    let exactness = if plain.is_some() {
        "to rounding"
    } else {
        "in sign"
    };
    let count = directions.0.len();
    Ok(format!("{count} tensors moved as they should, {exactness}"))
}

/// Hyper-parameters that make every Adam descend plainly by the direction itself, if the algorithm
/// has Adam's and their schema allows it.
fn plain_descent(subject: &Subject<'_>) -> Option<Map<String, Value>> {
    let mut chosen = subject.defaults();
    for name in ["learning_rate", "beta1", "beta2", "epsilon"] {
        chosen.get(name)?;
    }
    for (name, value) in &mut chosen {
        if name.ends_with("learning_rate") || name.ends_with("epsilon") {
            *value = json!(EPSILON);
        } else if name == "weight_decay" {
            *value = json!(0.0);
        } else if name.ends_with("_steps") {
            *value = json!(1);
        }
    }
    let schema = Value::Object(subject.schema()?);
    let chosen = Value::Object(chosen);
    let allowed = jsonschema::validator_for(&schema).ok()?.is_valid(&chosen);
    match chosen {
        Value::Object(chosen) if allowed => Some(chosen),
        _ => None,
    }
}

/// A tensor before and after one step, and what its direction was said to be.
struct Moved<'a> {
    name: &'a str,
    direction: &'a [f32],
    before: &'a [f32],
    after: &'a [f32],
}

impl Moved<'_> {
    fn elements(&self) -> Result<impl Iterator<Item = (usize, f32, f32, f32)> + '_, Problem> {
        let count = self.direction.len();
        if self.before.len() != count || self.after.len() != count {
            return failed(format!(
                "the direction of `{}` has {count} values, the tensor {}",
                self.name,
                self.before.len()
            ));
        }
        let values = self.before.iter().zip(self.after);
        let elements = self.direction.iter().zip(values).enumerate();
        Ok(elements.map(|(at, (&direction, (&before, &after)))| (at, direction, before, after)))
    }

    /// Fails unless every element moved by its direction: `after = before − direction`.
    fn is_step(&self) -> Result<(), Problem> {
        for (at, direction, before, after) in self.elements()? {
            // Half a unit in the last place for each of the two numbers, and as much again.
            let rounding = f32::EPSILON * (before.abs() + after.abs());
            let bound = RELATIVE * direction.abs() + rounding;
            let moved = before - after;
            if (moved - direction).abs() > bound {
                return failed(format!(
                    "value {at} of `{}` has the direction {direction:e}, but plain descent moved \
                     it by {moved:e}",
                    self.name
                ));
            }
        }
        Ok(())
    }

    /// Fails unless the elements with a significant direction moved against it.
    fn is_against(&self) -> Result<(), Problem> {
        let largest = self
            .direction
            .iter()
            .fold(0.0_f32, |most, it| most.max(it.abs()));
        for (at, direction, before, after) in self.elements()? {
            let moved = before - after;
            let significant = direction.abs() > SIGNIFICANT * largest;
            let still = moved == 0.0 && direction.abs() < largest;
            if significant && !still && moved * direction <= 0.0 {
                return failed(format!(
                    "value {at} of `{}` has the direction {direction:e}, but training moved it by \
                     {moved:e}",
                    self.name
                ));
            }
        }
        Ok(())
    }
}
