//! The task loss: softmax cross-entropy, mean over the batch.

use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::seam::copy_i64;

/// The loss of one batch and what credit assignment needs of it.
pub(crate) struct CrossEntropy {
    labels: Tensor,
    log_softmax: Tensor,
    softmax: Tensor,
    one_hot: Tensor,
    output_delta: Tensor,
}

impl CrossEntropy {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(classes: i64, samples: i64, device: Device) -> Result<Self, Error> {
        let buffer = || Tensor::f_empty([classes, samples], (Kind::Float, device));
        Ok(Self {
            labels: Tensor::f_empty([1, samples], (Kind::Int64, device))?,
            log_softmax: buffer()?,
            softmax: buffer()?,
            one_hot: buffer()?,
            output_delta: buffer()?,
        })
    }

    /// The mean cross-entropy in nats of `logits` (classes, B) against `labels` (B), every label
    /// in 0..classes. Also sets what the accessors return.
    pub(crate) fn evaluate(&mut self, logits: &Tensor, labels: &[i64]) -> Result<f64, Error> {
        copy_i64(&self.labels, labels)?;
        logits
            .f_internal_log_softmax_out(&self.log_softmax, 0, false)
            .map(drop)?;
        self.log_softmax.f_exp_out(&self.softmax).map(drop)?;
        self.one_hot.f_zero_().map(drop)?;
        self.one_hot
            .f_scatter_value_(0, &self.labels, 1.0)
            .map(drop)?;
        self.softmax
            .f_sub_out(&self.output_delta, &self.one_hot)
            .map(drop)?;
        self.output_delta
            .f_mul_scalar_(1.0 / labels.len() as f64)
            .map(drop)?;
        let log_likelihood = self
            .log_softmax
            .f_gather(0, &self.labels, false)?
            .f_mean(Kind::Double)?;
        Ok(-log_likelihood.f_double_value(&[])?)
    }

    /// `h_L = softmax(a_L)`, (classes, B).
    pub(crate) fn softmax(&self) -> &Tensor {
        &self.softmax
    }

    /// The labels as columns of zeros with a one, (classes, B).
    pub(crate) fn one_hot(&self) -> &Tensor {
        &self.one_hot
    }

    /// `δ_L = e/B` with `e = softmax − onehot`, (classes, B).
    pub(crate) fn output_delta(&self) -> &Tensor {
        &self.output_delta
    }
}
