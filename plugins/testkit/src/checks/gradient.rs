//! `gradient`: the learner of the extension `backpropagation/1` gives the gradient of the task loss. The
//! loss is computed here from the plugin's own predictions, and differentiated by central differences
//! in every parameter of a small network.

use std::collections::BTreeMap;

use assay_abi::ErrorCode;
use assay_network::{Network, Task};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::samples::Samples;
use crate::subject::{Learner, Subject, unexpected};
use crate::tensors::Tensors;

pub(super) const CHECK: Check = Check {
    name: "gradient",
    promise: "The learner of backpropagation that the plugin makes beside the algorithm gives as \
              directions the gradient of the task loss of its own predictions, and its state has \
              the network's parameters under the names that the algorithm's state gives them.",
    why: "Alignment is measured against these directions, in the state that the algorithm has \
          reached.",
    body: Body::Algorithm(run),
};

/// The step of a difference. The error of the formula is of the fourth order in it, that of rounded
/// predictions of order −1.
const STEP: f32 = 1.0 / 32.0;
/// The part of the largest element of its tensor by which an element may differ.
const RELATIVE: f64 = 2e-3;
/// The slope that rounding of predictions may make of one that is zero.
const ABSOLUTE: f64 = 2e-5;

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let mut learner = match subject.backpropagation(&network) {
        Err(error) if error.code == ErrorCode::UNSUPPORTED => {
            return skipped(format!("it makes no learner of backpropagation: {error}"));
        }
        created => {
            created.map_err(|error| unexpected("to create a learner of backpropagation", &error))?
        }
    };
    let batch = Samples::random(&network, 16, subject.seed);
    let directions = learner
        .directions(&batch)
        .map_err(|error| unexpected("for the directions of backpropagation", &error))?;
    let directions = Tensors::parse("the gradient", &directions)?;
    if directions.0.is_empty() {
        return failed("backpropagation gives directions for no tensor");
    }
    let state = learner.save()?;
    let own = Tensors::parse("its state", &subject.learner(&network)?.save()?)?;
    // Under other names its tensors would at least have the same sizes.
    let has_size = |size: usize| own.0.values().any(|it| it.len() == size);
    let is_known =
        |(name, it): (&String, &Vec<f32>)| own.0.contains_key(name) || has_size(it.len());
    if !directions.0.iter().all(is_known) {
        return skipped("the algorithm trains none of the network's weights");
    }
    check_names(&own, &directions, &state)?;
    let mut slopes = Slopes {
        learner,
        network: &network,
        batch: &batch,
        state: State::parse(&state)?,
    };
    let mut count = 0;
    for (name, direction) in &directions.0 {
        slopes.check(name, direction)?;
        count += direction.len();
    }
    Ok(format!(
        "{count} slopes of {} tensors are those of the loss",
        directions.0.len()
    ))
}

/// Fails unless the states of the learner and of the algorithm have a tensor of the name and size of each
/// direction.
fn check_names(own: &Tensors, directions: &Tensors, state: &[u8]) -> Result<(), Problem> {
    let state = Tensors::parse("backpropagation's state", state)?;
    for (name, direction) in &directions.0 {
        for (whose, tensors) in [("its own state", &state), ("the algorithm's state", own)] {
            let found = tensors.0.get(name).map(Vec::len);
            if found != Some(direction.len()) {
                let has = match found {
                    Some(count) => format!("{count} values"),
                    None => "no such tensor".to_owned(),
                };
                return failed(format!(
                    "backpropagation gives a direction of `{name}` with {} values, and {whose} has {has}",
                    direction.len()
                ));
            }
        }
    }
    Ok(())
}

/// A saved state whose values can be changed.
struct State(BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>);

impl State {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let document = SafeTensors::deserialize(bytes).map_err(|error| unreadable(&error))?;
        let tensors = document.iter().map(|(name, tensor)| {
            let (shape, data) = (tensor.shape().to_vec(), tensor.data().to_vec());
            (name.to_owned(), (tensor.dtype(), shape, data))
        });
        Ok(Self(tensors.collect()))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Problem> {
        let views = self.0.iter().map(|(name, (dtype, shape, data))| {
            let view =
                TensorView::new(*dtype, shape.clone(), data).map_err(|error| unreadable(&error))?;
            Ok((name, view))
        });
        let views: Vec<_> = views.collect::<Result<_, Problem>>()?;
        safetensors::serialize(views, None).map_err(|error| unreadable(&error))
    }

    /// The bytes of an element of a tensor of 32-bit floats.
    fn element(&mut self, name: &str, at: usize) -> Option<&mut [u8; 4]> {
        let (_, _, data) = self.0.get_mut(name)?;
        let (words, _) = data.as_chunks_mut::<4>();
        words.get_mut(at)
    }
}

fn unreadable(error: &safetensors::SafeTensorError) -> Problem {
    Problem::Failed(format!("backpropagation's state cannot be read: {error}"))
}

/// The loss of a learner by its parameters.
struct Slopes<'a> {
    learner: Learner,
    network: &'a Network,
    batch: &'a Samples,
    state: State,
}

impl Slopes<'_> {
    /// Fails unless `direction` is the gradient of the tensor `name`.
    fn check(&mut self, name: &str, direction: &[f32]) -> Result<(), Problem> {
        let largest = direction
            .iter()
            .fold(0.0_f32, |most, it| most.max(it.abs()));
        let allowed = RELATIVE * f64::from(largest) + ABSOLUTE;
        for (at, &found) in direction.iter().enumerate() {
            let slope = self.slope(name, at)?;
            let difference = (f64::from(found) - slope).abs();
            // A value that is not a number fails too.
            if difference.is_nan() || difference > allowed {
                return failed(format!(
                    "element {at} of the gradient of `{name}` is {found:e}, and the loss rises by {slope:e}"
                ));
            }
        }
        Ok(())
    }

    /// The slope of the loss in one element, from differences of two widths.
    fn slope(&mut self, name: &str, at: usize) -> Result<f64, Problem> {
        let Some(word) = self.state.element(name, at).copied() else {
            return failed(format!("`{name}` is not in backpropagation's state"));
        };
        let value = f32::from_le_bytes(word);
        let mut difference = |step: f32| {
            let (above, below) = (value + step, value - step);
            let rise = self.loss_with(name, at, above)? - self.loss_with(name, at, below)?;
            // As the values are after rounding.
            Ok::<_, Problem>(rise / (f64::from(above) - f64::from(below)))
        };
        let (narrow, wide) = (difference(STEP)?, difference(2.0 * STEP)?);
        if let Some(element) = self.state.element(name, at) {
            *element = word;
        }
        Ok((4.0 * narrow - wide) / 3.0)
    }

    fn loss_with(&mut self, name: &str, at: usize, value: f32) -> Result<f64, Problem> {
        if let Some(element) = self.state.element(name, at) {
            *element = value.to_le_bytes();
        }
        let state = self.state.to_bytes()?;
        let restored = self.learner.try_restore(&state);
        restored.map_err(|error| unexpected("to restore a state of backpropagation", &error))?;
        let outputs = self.learner.predict(self.batch)?;
        Ok(loss(self.network, self.batch, &outputs))
    }
}

/// The mean task loss of `outputs`, one row a sample: the cross-entropy, or the squared error of the
/// reconstruction summed over the units.
fn loss(network: &Network, samples: &Samples, outputs: &[f32]) -> f64 {
    let rows = outputs.chunks_exact(network.outputs().max(1));
    let losses = rows.zip(samples.inputs()).zip(samples.labels());
    let losses = losses.map(|((row, input), &label)| match network.task() {
        Task::Classification => {
            let sum: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
            sum.ln()
                - row
                    .get(label as usize)
                    .map_or(0.0, |&logit| f64::from(logit))
        }
        Task::Reconstruction => {
            let pairs = row.iter().zip(input);
            pairs
                .map(|(&out, &input)| (f64::from(out) - f64::from(input)).powi(2))
                .sum()
        }
    });
    losses.sum::<f64>() / samples.count().max(1) as f64
}
