//! The task loss: what the network's outputs are, what they ought to be, and the loss between.
//!
//! Classification: the softmax against the label, cross-entropy in nats. Reconstruction: tanh
//! against the input itself, the squared error summed over the units, without a factor 1/2. Both
//! are means over the batch (docs/methods.md, Reduction; paper, appendix 5.5).

use assay_network::Task;
use tch::{Kind, Tensor};

use crate::arithmetic::scale;
use crate::card;
use crate::error::Error;
use crate::function::{Function, softmax};
use crate::model::Model;
use crate::sums::{dot, dot_over_units, over_units, over_units_on};
use crate::tensor_slices::{copy_f32, copy_i64, read};

/// `out = h_L`, from `activation` `a_L`; both are (`n_L`, B).
pub(crate) fn output_function(task: Task, activation: &Tensor, out: &Tensor) -> Result<(), Error> {
    match task {
        Task::Classification => softmax(activation, out).map(drop),
        Task::Reconstruction => {
            out.shallow_clone().f_copy_(activation)?;
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
        Task::Classification => out.f_sub_out(out, target).map(drop)?,
        Task::Reconstruction => {
            let output = out.f_detach_copy()?;
            out.f_sub_out(out, target).map(drop)?;
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
            let logs = softmax(activation, &output)?;
            let losses = cross_entropies(logs, activation, target)?;
            Ok(losses
                .f_to_device(activation.device())?
                .f_to_kind(Kind::Float)?)
        }
        Task::Reconstruction => {
            output_function(task, activation, &output)?;
            output.shallow_clone().f_sub_(target).map(drop)?;
            Ok(dot_over_units(&output, &output)?.f_view([-1])?)
        }
    }
}

/// `log Σ e^a − a_y` of each sample, (B) in 64 bits, for `logs`, which [`softmax`] gave, `activation`
/// `a_L` and the one-hot `labels`, both (`n_L`, B).
fn cross_entropies(
    logs: Option<Vec<f64>>,
    activation: &Tensor,
    labels: &Tensor,
) -> Result<Tensor, Error> {
    if let (Some(logs), Some((card, factors))) = (&logs, card::read([labels, activation])) {
        let labelled = over_units_on(&card, factors, logs.len() as i64, 1.0, Kind::Double)?;
        let labelled = Vec::<f64>::try_from(labelled)?;
        let losses: Vec<_> = logs.iter().zip(labelled).map(|(log, a)| log - a).collect();
        return Ok(Tensor::f_from_slice(&losses)?);
    }
    // SAFETY: nothing writes to them meanwhile.
    let (Some(logs), Some(slices)) = (logs, unsafe { read([labels, activation]) }) else {
        let likelihoods = activation.f_log_softmax(0, None::<Kind>)?.f_mul(labels)?;
        let sums = likelihoods.f_sum_dim_intlist(0_i64, false, Kind::Double)?;
        return Ok(sums.f_neg()?);
    };
    let of_label = |[label, a]: [f32; 2]| f64::from(label) * f64::from(a);
    let labelled = over_units(slices, logs.len() as i64, of_label);
    let losses: Vec<_> = logs.iter().zip(labelled).map(|(log, a)| log - a).collect();
    Ok(Tensor::f_from_slice(&losses)?)
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
            },
        };
        Ok(Self {
            measure,
            target,
            output: buffer()?,
            output_delta: buffer()?,
        })
    }

    /// The mean loss of a batch whose last layer computed `activation` `a_L`, for `inputs` as the
    /// host lays them out and `labels`, which were checked. Also sets what the accessors return.
    pub(crate) fn evaluate(
        &self,
        activation: &Tensor,
        inputs: &[f32],
        labels: &[i64],
    ) -> Result<f64, Error> {
        match &self.measure {
            Measure::CrossEntropy { labels: of_batch } => {
                copy_i64(of_batch, labels)?;
                self.cross_entropy(activation, of_batch)
            }
            Measure::SquaredError { target_by_sample } => {
                copy_f32(target_by_sample, inputs)?;
                self.squared_error(activation)
            }
        }
    }

    /// `−log h_L[label]`, with `h_L = softmax(a_L)` and `δ_L = (h_L − onehot)/B`.
    fn cross_entropy(&self, activation: &Tensor, labels: &Tensor) -> Result<f64, Error> {
        let mut one_hot = self.target.shallow_clone();
        let logs = softmax(activation, &self.output)?;
        one_hot.f_zero_().map(drop)?;
        one_hot.f_scatter_value_(0, labels, 1.0).map(drop)?;
        self.scaled_error(1.0)?;
        let losses = Vec::<f64>::try_from(cross_entropies(logs, activation, &self.target)?)?;
        Ok(losses.iter().fold(0.0, |sum, loss| sum + loss) / self.samples())
    }

    /// `‖h_L − x‖²`, with `h_L = tanh(a_L)` and `δ_L = 2/B (h_L − x) ∘ tanh'(a_L)`.
    fn squared_error(&self, activation: &Tensor) -> Result<f64, Error> {
        output_function(Task::Reconstruction, activation, &self.output)?;
        self.scaled_error(2.0)?;
        // The delta is 2/B times the error, so its square is the loss times 4/B.
        let square = dot(&self.output_delta, &self.output_delta)?;
        Function::Tanh.multiply_derivative(&self.output_delta, &self.output)?;
        Ok(square * self.samples() / 4.0)
    }

    /// `δ_L = factor/B (h_L − target)`
    fn scaled_error(&self, factor: f64) -> Result<(), Error> {
        self.output
            .f_sub_out(&self.output_delta, &self.target)
            .map(drop)?;
        let factor = factor / self.samples();
        scale(&self.output_delta, factor)
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
