//! The task loss: what the network's outputs are, what they ought to be, and the loss between.
//!
//! Classification: the softmax against the label, cross-entropy in nats. Reconstruction: tanh
//! against the input itself, the squared error summed over the units, without a factor 1/2. Both
//! are means over the batch (docs/methods.md, Reduction; paper, appendix 5.5).

use assay_network::Task;
use tch::{Kind, Tensor};

use crate::arithmetic::{copy, scale, scaled_difference, subtract};
use crate::card::{self, Parts};
use crate::error::Error;
use crate::function::{Denominators, Function, softmax};
use crate::model::Model;
use crate::samples::Samples;
use crate::sums::{OverUnitsInto, dot_over_units, dot_value, over_units, write_over_units_on};
use crate::tensor_slices::{copy_f32, copy_i64, read};
use crate::value::{self, Meaning, Value};

/// `out = h_L`, from `activation` `a_L`; both are (`n_L`, B).
pub(crate) fn output_function(task: Task, activation: &Tensor, out: &Tensor) -> Result<(), Error> {
    match task {
        Task::Classification => softmax(activation, out).map(drop),
        Task::Reconstruction => {
            copy(activation, out)?;
            Function::Tanh.apply_to(out)
        }
    }
}

/// `out = e`, the gradient of each sample's own loss by `activation` `a_L`; all are (`n_L`, B).
pub(crate) fn error_of(
    task: Task,
    activation: &Tensor,
    target: &Tensor,
    out: &Tensor,
) -> Result<(), Error> {
    output_function(task, activation, out)?;
    match task {
        Task::Classification => subtract(out, target, out)?,
        Task::Reconstruction => {
            let output = out.f_empty_like()?;
            copy(out, &output)?;
            subtract(out, target, out)?;
            scale(out, 2.0)?;
            Function::Tanh.multiply_derivative(out, &output)?;
        }
    }
    Ok(())
}

/// The loss of each sample, (B), for `activation` `a_L` and the target of `h_L`, both (`n_L`, B).
pub(crate) fn losses_of(task: Task, activation: &Tensor, target: &Tensor) -> Result<Tensor, Error> {
    let output = activation.f_empty_like()?;
    match task {
        Task::Classification => {
            let denominators = softmax(activation, &output)?;
            let losses = match cross_entropies(denominators, activation, target)? {
                CrossEntropies::Known(losses) => losses,
                CrossEntropies::OnCard(parts) => value::cross_entropies(&parts.read()?),
            };
            let losses = Tensor::f_from_slice(&losses)?.f_to_kind(Kind::Float)?;
            Ok(losses.f_to_device(activation.device())?)
        }
        Task::Reconstruction => {
            output_function(task, activation, &output)?;
            subtract(&output, target, &output)?;
            Ok(dot_over_units(&output, &output)?.f_view([-1])?)
        }
    }
}

/// `log Σ e^a − a_y` of each sample.
enum CrossEntropies {
    Known(Vec<f64>),
    /// As [`Meaning::CrossEntropy`] says.
    OnCard(Parts),
}

/// The cross-entropy of each sample for its `denominator`, `activation` `a_L` and the one-hot `labels`, both (`n_L`, B).
fn cross_entropies(
    denominators: Denominators,
    activation: &Tensor,
    labels: &Tensor,
) -> Result<CrossEntropies, Error> {
    // SAFETY: nothing writes to them meanwhile.
    let slices = unsafe { read([labels, activation]) };
    match (denominators, slices, card::read([labels, activation])) {
        (Denominators::Known(logs), Some(slices), _) => {
            let of_label = |[label, a]: [f32; 2]| f64::from(label) * f64::from(a);
            let labelled = over_units(slices, logs.len() as i64, of_label);
            let losses = logs.iter().zip(labelled).map(|(log, a)| log - a);
            Ok(CrossEntropies::Known(losses.collect()))
        }
        (Denominators::OnCard(parts), _, Some((card, factors))) => {
            let samples = parts.count() / 3;
            let labelled = OverUnitsInto::Parts(&parts, 2 * samples);
            write_over_units_on(&card, factors, samples, 1.0, &labelled)?;
            Ok(CrossEntropies::OnCard(parts))
        }
        _ => {
            let likelihoods = activation.f_log_softmax(0, None::<Kind>)?.f_mul(labels)?;
            let sums = likelihoods.f_sum_dim_intlist(0_i64, false, Kind::Double)?;
            Ok(CrossEntropies::Known(Vec::try_from(sums.f_neg()?)?))
        }
    }
}

/// The loss of one batch and what credit assignment needs of it; every tensor is (`n_L`, B).
pub(crate) struct Loss {
    measure: Measure,
    output: Tensor,
    target: Tensor,
    output_delta: Tensor,
}

/// The buffers that only one of the losses has.
enum Measure {
    CrossEntropy {
        labels: Tensor,
    },
    SquaredError {
        /// The target in the order in which the host lays out inputs; shares its memory.
        target_by_sample: Tensor,
        /// See [`Units::are_interleaved`](crate::layout::Units::are_interleaved).
        is_interleaved: bool,
    },
}

impl Loss {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Result<Self, Error> {
        let device = model.device();
        let buffer = || Tensor::f_empty([model.outputs(), samples], (Kind::Float, device));
        let target = buffer()?;
        let measure = match model.task() {
            Task::Classification => Measure::CrossEntropy {
                labels: Tensor::f_empty([1, samples], (Kind::Int64, device))?,
            },
            Task::Reconstruction => Measure::SquaredError {
                target_by_sample: model.output_units().by_sample(&target)?,
                is_interleaved: model.output_units().are_interleaved(),
            },
        };
        Ok(Self {
            measure,
            target,
            output: buffer()?,
            output_delta: buffer()?,
        })
    }

    /// The mean loss of a batch of `samples` whose last layer computed `activation` `a_L`. Also sets what the accessors
    /// return.
    pub(crate) fn evaluate(
        &self,
        activation: &Tensor,
        samples: Samples<'_>,
    ) -> Result<Value, Error> {
        match (&self.measure, samples) {
            (Measure::CrossEntropy { labels }, Samples::Lent(lent)) => {
                copy_i64(labels, lent.labels)?;
                let mut one_hot = self.target.shallow_clone();
                one_hot.f_zero_().map(drop)?;
                one_hot.f_scatter_value_(0, labels, 1.0).map(drop)?;
            }
            (Measure::CrossEntropy { .. }, Samples::Kept(kept)) => {
                kept.write_labels(&self.target)?;
            }
            (
                Measure::SquaredError {
                    target_by_sample, ..
                },
                Samples::Lent(lent),
            ) => {
                copy_f32(target_by_sample, lent.inputs)?;
            }
            (Measure::SquaredError { is_interleaved, .. }, Samples::Kept(kept)) => {
                kept.write_images(&self.target, *is_interleaved)?;
            }
        }
        match self.measure {
            Measure::CrossEntropy { .. } => self.cross_entropy(activation),
            Measure::SquaredError { .. } => self.squared_error(activation),
        }
    }

    /// `−log h_L[label]`, with `h_L = softmax(a_L)` and `δ_L = (h_L − onehot)/B`.
    fn cross_entropy(&self, activation: &Tensor) -> Result<Value, Error> {
        let denominators = softmax(activation, &self.output)?;
        self.scaled_error(1.0)?;
        Ok(
            match cross_entropies(denominators, activation, &self.target)? {
                CrossEntropies::Known(losses) => {
                    let sum = losses.iter().fold(0.0, |sum, loss| sum + loss);
                    Value::Known(sum / self.samples())
                }
                CrossEntropies::OnCard(parts) => Value::OnCard {
                    parts,
                    meaning: Meaning::CrossEntropy,
                },
            },
        )
    }

    /// `‖h_L − x‖²`, with `h_L = tanh(a_L)` and `δ_L = 2/B (h_L − x) ∘ tanh'(a_L)`.
    fn squared_error(&self, activation: &Tensor) -> Result<Value, Error> {
        output_function(Task::Reconstruction, activation, &self.output)?;
        self.scaled_error(2.0)?;
        // The delta is 2/B times the error, so its square is the loss times 4/B.
        let square = dot_value(&self.output_delta, &self.output_delta)?;
        Function::Tanh.multiply_derivative(&self.output_delta, &self.output)?;
        Ok(square.scaled(self.samples(), 4.0))
    }

    /// `δ_L = factor/B (h_L − target)`
    fn scaled_error(&self, factor: f64) -> Result<(), Error> {
        let factor = factor / self.samples();
        scaled_difference(&self.output, &self.target, factor, &self.output_delta)
    }

    /// B.
    fn samples(&self) -> f64 {
        self.output.size()[1] as f64
    }

    /// `h_L`.
    pub(crate) fn output(&self) -> &Tensor {
        &self.output
    }

    /// The target of `h_L`.
    pub(crate) fn target(&self) -> &Tensor {
        &self.target
    }

    /// `δ_L`, the gradient of the mean loss by `a_L`.
    pub(crate) fn output_delta(&self) -> &Tensor {
        &self.output_delta
    }
}
