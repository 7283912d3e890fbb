//! An algorithm's view of one batch, and the directions that it writes.

use std::collections::BTreeSet;

use tch::{Kind, Tensor};

use crate::activations::Activations;
use crate::card;
use crate::error::Error;
use crate::layer::Layer;
use crate::layers::Layers;
use crate::learner::Recorded;
use crate::loss::{Loss, error_of, losses_of, output_function};
use crate::maps::TrainedMap;
use crate::model::Model;
use crate::noise::{Draw, DrawSource};
use crate::operand;
use crate::samples::Samples;
use crate::sums::mean;
use crate::temporary::{Pool, Temporary};
use crate::trace::Trace;
use crate::value::Value;

/// The buffers of a training step for one batch size, kept from step to step.
pub(crate) struct Workspace {
    activations: Activations,
    loss: Loss,
    /// One per layer, shaped like `h_l`; l from 1.
    scratch: Vec<Tensor>,
    /// Buffers that an algorithm takes and gives back.
    pool: Pool,
    /// The mean loss of the batch of the last pass.
    batch_loss: Option<Value>,
}

impl Workspace {
    /// Buffers for batches of `samples`.
    pub(crate) fn new(model: &Model, samples: i64) -> Result<Self, Error> {
        let scratch = (1..=model.depth())
            .map(|l| {
                let size = [model.layer(l).units(), samples];
                // Never of arbitrary bytes, which an algorithm might read by mistake.
                Ok(Tensor::f_zeros(size, (Kind::Float, model.device()))?)
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            activations: Activations::new(model, samples)?,
            loss: Loss::new(model, samples)?,
            scratch,
            pool: Pool::new(model, samples),
            batch_loss: None,
        })
    }

    /// B.
    pub(crate) fn samples(&self) -> i64 {
        self.activations.samples()
    }

    /// The forward pass of a batch and its loss.
    pub(crate) fn run(&mut self, model: &Model, samples: Samples<'_>) -> Result<(), Error> {
        self.activations.run(model, samples)?;
        let output = self.activations.output();
        self.batch_loss = Some(self.loss.evaluate(output, samples)?);
        Ok(())
    }

    /// The mean loss of the batch of the last [`Workspace::run`], which can be taken once.
    pub(crate) fn take_batch_loss(&mut self) -> Option<Value> {
        self.batch_loss.take()
    }

    /// The outputs of the layers, l from 1: `h_1` to `a_L`.
    pub(crate) fn given(&self) -> impl Iterator<Item = (usize, &Tensor)> {
        self.activations.all().enumerate().skip(1)
    }

    /// The first layer that gave a value that is not finite, for the batch seen last.
    pub(crate) fn non_finite(&self) -> Result<Option<usize>, Error> {
        self.activations.non_finite()
    }

    /// The algorithm's view of the batch of the last [`Workspace::run`].
    pub(crate) fn pass<'a>(
        &'a self,
        model: &'a Model,
        draws: DrawSource<'a>,
        metrics: &'static [(&'static str, &'static str)],
        update: u32,
    ) -> (Pass<'a>, Directions<'a>) {
        let workspace = self;
        let directions = Directions {
            model,
            workspace,
            written: vec![false; model.depth()],
            maps: BTreeSet::new(),
            metrics: Recorded::new(metrics),
            loss: None,
        };
        let pass = Pass {
            model,
            workspace,
            draws,
            update,
        };
        (pass, directions)
    }

    /// Copies of `h_0` to `a_L`.
    pub(crate) fn copies(&self) -> Result<Vec<Tensor>, Error> {
        let given = self.activations.all();
        given.map(|values| Ok(values.f_detach_copy()?)).collect()
    }

    /// The first l whose activations are no longer those of `copies`.
    pub(crate) fn overwritten(&self, copies: &[Tensor]) -> Result<Option<usize>, Error> {
        for (l, (copy, values)) in copies.iter().zip(self.activations.all()).enumerate() {
            if !copy.f_equal(values)? {
                return Ok(Some(l));
            }
        }
        Ok(None)
    }
}

/// The forward pass of one batch of B samples.
pub struct Pass<'a> {
    model: &'a Model,
    workspace: &'a Workspace,
    draws: DrawSource<'a>,
    update: u32,
}

impl<'a> Pass<'a> {
    /// The layers with buffers for this batch.
    pub fn layers(&self) -> Layers<'a> {
        Layers::new(self.model, &self.workspace.pool)
    }

    /// The number of this update among those of the batch, from 1: more than 1 only where
    /// [`Configuration::updates_per_batch`](crate::Configuration::updates_per_batch) says so. The activations
    /// of the pass are those before the first.
    pub fn update(&self) -> u32 {
        self.update
    }

    /// L, the number of layers.
    pub fn depth(&self) -> usize {
        self.model.depth()
    }

    /// Layer l, from 1 to L.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn layer(&self, l: usize) -> &'a Layer {
        self.model.layer(l)
    }

    /// `h_l`, (`n_l`, B), l from 0 (the inputs) to L (the softmax, or tanh for reconstruction).
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn h(&self, l: usize) -> &'a Tensor {
        assert!(
            l <= self.depth(),
            "there is no h({l}): the network has h(0) to h({})",
            self.depth()
        );
        if l == self.depth() {
            self.workspace.loss.output()
        } else {
            self.workspace.activations.h(l)
        }
    }

    /// `a_L`, (`n_L`, B): the sums of the last layer before the softmax, or before its tanh.
    pub fn logits(&self) -> &'a Tensor {
        self.workspace.activations.output()
    }

    /// B.
    pub fn samples(&self) -> i64 {
        self.workspace.samples()
    }

    /// The target of `h_L`, (`n_L`, B): the one-hot labels as columns, or, for reconstruction, the
    /// inputs.
    pub fn target(&self) -> &'a Tensor {
        self.workspace.loss.target()
    }

    /// Writes `h_L` for any `activation` `a_L`; both are (`n_L`, B).
    pub(crate) fn output_function(&self, activation: &Tensor, out: &Tensor) -> Result<(), Error> {
        output_function(self.model.task(), activation, out)
    }

    /// `δ_L = e/B`, (`n_L`, B): the gradient of the mean loss by `a_L`. For classification
    /// `e = h_L − onehot`, for reconstruction `e = 2 (h_L − x) ∘ tanh'(a_L)`.
    pub fn output_delta(&self) -> &'a Tensor {
        self.workspace.loss.output_delta()
    }

    /// Writes e, the gradient of each sample's own loss by `a_L`, for any `logits` in the place of
    /// `a_L`; both are (`n_L`, B). See [`Pass::output_delta`].
    ///
    /// # Errors
    /// Another shape.
    #[track_caller]
    pub fn error_of(&self, logits: &Tensor, out: &Tensor) -> Result<(), Error> {
        let shape = self.target().size();
        for (role, tensor) in [("logits", logits), ("an output", out)] {
            operand::shape(role, tensor, &shape, || {
                "they are of the last layer".to_owned()
            })?;
        }
        error_of(self.model.task(), logits, self.target(), out)
    }

    /// The loss of each sample, (B), for any `logits` (`n_L`, B) in the place of `a_L`.
    ///
    /// # Errors
    /// Another shape.
    #[track_caller]
    pub fn losses_of(&self, logits: &Tensor) -> Result<Tensor, Error> {
        operand::shape("logits", logits, &self.target().size(), || {
            "they are of the last layer".to_owned()
        })?;
        losses_of(self.model.task(), logits, self.target())
    }

    /// The mean of [`Pass::losses_of`] over the batch.
    ///
    /// # Errors
    /// Another shape.
    #[track_caller]
    pub fn mean_loss_of(&self, logits: &Tensor) -> Result<f64, Error> {
        mean(&self.losses_of(logits)?)
    }

    /// Writes the numbers of `draw` for this update into `out`, of its shape.
    ///
    /// # Errors
    /// Another shape, or a draw that this algorithm did not declare.
    #[track_caller]
    pub fn draw(&self, draw: &Draw, out: &Tensor) -> Result<(), Error> {
        draw.write(self.draws, self.samples(), out)
    }

    /// `delta ← J_lᵀ delta`, (`n_l`, B), with J the Jacobian of `h_l` by `a_l`: the gradient by `h_l` becomes
    /// the gradient by `a_l`. Where the layer is not normalised that is `delta ∘ φ'(a_l)`. l from 1 to L − 1;
    /// of `a_L` there is [`Pass::output_delta`].
    ///
    /// # Errors
    /// Another shape, an activation of the pass itself, or a layer that there is not.
    #[track_caller]
    pub fn derivative(&self, l: usize, delta: &Tensor) -> Result<(), Error> {
        let layer = self.hidden(l, delta)?;
        self.workspace
            .activations
            .transposed_jacobian(layer, l, delta)
    }

    /// `tangent ← J_l tangent`, (`n_l`, B): the change of `h_l` that a small change of `a_l` makes, as
    /// [`Pass::derivative`].
    ///
    /// # Errors
    /// As for [`Pass::derivative`].
    #[track_caller]
    pub fn tangent(&self, l: usize, tangent: &Tensor) -> Result<(), Error> {
        let layer = self.hidden(l, tangent)?;
        self.workspace.activations.jacobian(layer, l, tangent)
    }

    /// Hidden layer l, if `tensor` is shaped like `h_l`.
    #[track_caller]
    fn hidden(&self, l: usize, tensor: &Tensor) -> Result<&'a Layer, Error> {
        let layer = self.model.find(l)?;
        if l == self.depth() {
            let message = format!("layer {l} is the last: φ is of hidden layers");
            return Err(operand::refused(
                message,
                "`output_delta` is the gradient by its sums",
            ));
        }
        operand::shape("a delta", tensor, &[layer.units(), self.samples()], || {
            format!("h_{l} has that shape")
        })?;
        Ok(layer)
    }

    /// A second pass of the same network, in buffers of its own.
    ///
    /// # Errors
    /// Memory that cannot be allocated.
    pub fn trace(&self) -> Result<Trace<'a>, Error> {
        Trace::new(self.model, &self.workspace.pool)
    }

    /// A buffer shaped like `h_l`, l from 0, beside [`Pass::scratch`]; as many as are wanted. Its
    /// content is undefined.
    ///
    /// # Errors
    /// Memory that cannot be allocated, or a layer that there is not.
    #[track_caller]
    pub fn temporary(&self, l: usize) -> Result<Temporary<'a>, Error> {
        self.workspace.pool.take(l)
    }

    /// A buffer shaped like `h_l`, l from 1 to L, for the algorithm to write; its content is
    /// undefined when a step begins.
    ///
    /// # Panics
    /// There is no such layer.
    #[track_caller]
    pub fn scratch(&self, l: usize) -> &'a Tensor {
        assert!(
            (1..=self.depth()).contains(&l),
            "there is no scratch({l}): the network has scratch(1) to scratch({})",
            self.depth()
        );
        &self.workspace.scratch[l - 1]
    }
}

/// Takes the update directions of one batch: the parameters move *against* them.
///
/// An algorithm writes every layer in every step; a step that leaves one out is an error.
pub struct Directions<'a> {
    model: &'a Model,
    workspace: &'a Workspace,
    /// True for each layer that was written; l from 1.
    written: Vec<bool>,
    /// The names of the maps that were written.
    maps: BTreeSet<String>,
    /// The algorithm's own metrics.
    metrics: Recorded,
    /// The loss of the network's own prediction.
    loss: Option<f64>,
}

impl Directions<'_> {
    /// Writes what `δ_l` (`n_l`, B) says of layer l: `δ_l h_{l-1}ᵀ` for the weights and the sum
    /// of `δ_l` over the batch for the biases.
    #[track_caller]
    pub fn gradient(&mut self, l: usize, delta: &Tensor) -> Result<(), Error> {
        let layer = self.model.find(l)?;
        let (units, samples) = (layer.units(), self.workspace.samples());
        operand::shape("a delta", delta, &[units, samples], || {
            format!("layer {l} has {units} outputs and the batch {samples} samples")
        })?;
        let h = self.workspace.activations.h(l - 1);
        layer.write_gradient(delta, h)?;
        self.written[l - 1] = true;
        Ok(())
    }

    /// Writes what `δ_l` (`n_l`, N) says of layer l where it met another `input` (`n_{l-1}`, N): `δ
    /// inputᵀ` for the weights and the sum of δ over its columns for the biases.
    #[track_caller]
    pub fn gradient_from(&mut self, l: usize, delta: &Tensor, input: &Tensor) -> Result<(), Error> {
        let layer = self.model.find(l)?;
        let (units, inputs) = (layer.units(), layer.map().inputs().count());
        let columns = operand::columns("an input", input, inputs, || {
            format!("layer {l} takes {inputs} values of each sample")
        })?;
        operand::shape("a delta", delta, &[units, columns], || {
            format!("layer {l} has {units} outputs and the input {columns} columns")
        })?;
        layer.write_gradient(delta, input)?;
        self.written[l - 1] = true;
        Ok(())
    }

    /// Writes the sum of what each pair of δ and input says of layer l, as
    /// [`Directions::gradient_from`] of each.
    #[track_caller]
    pub fn gradient_from_all(
        &mut self,
        l: usize,
        pairs: &[(&Tensor, &Tensor)],
    ) -> Result<(), Error> {
        card::catch_up()?;
        let (deltas, inputs): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        self.gradient_from(l, &Tensor::f_cat(&deltas, 1)?, &Tensor::f_cat(&inputs, 1)?)
    }

    /// Writes `δ uᵀ` for the weights of a map that is trained with the network, and the sum of δ over
    /// the columns for its bias, from `delta` (outputs, N) of its sums and `u` (inputs, N).
    #[track_caller]
    pub fn map(&mut self, map: &TrainedMap, delta: &Tensor, u: &Tensor) -> Result<(), Error> {
        map.write_gradient(delta, u)?;
        self.maps.insert(map.name().to_owned());
        Ok(())
    }

    /// Writes the directions of the weights and biases of layer l as they are, of the shapes of
    /// [`Layer::weight`] and [`Layer::bias`].
    #[track_caller]
    pub fn direction(&mut self, l: usize, weight: &Tensor, bias: &Tensor) -> Result<(), Error> {
        self.model.find(l)?.set_gradient(weight, bias)?;
        self.written[l - 1] = true;
        Ok(())
    }

    /// Adds `term`, of the shape of [`TrainedMap::weight`], to the direction that
    /// [`Directions::map`] wrote for the weights of `map`.
    #[track_caller]
    pub fn add_to_map(&mut self, map: &TrainedMap, term: &Tensor) -> Result<(), Error> {
        map.add_to_gradient(term)
    }

    /// Writes zero: the map stays as it is.
    pub fn still(&mut self, map: &TrainedMap) -> Result<(), Error> {
        map.clear_gradient()?;
        self.maps.insert(map.name().to_owned());
        Ok(())
    }

    /// Reports the step's value of one of [`Algorithm::METRICS`](crate::Algorithm::METRICS).
    ///
    /// # Errors
    /// A metric that the algorithm does not declare.
    #[track_caller]
    pub fn record(&mut self, metric: &str, value: f64) -> Result<(), Error> {
        self.metrics.record(metric, value)
    }

    /// Reports the mean task loss of the batch in the place of the plain forward pass's, for an
    /// algorithm that predicts in another way ([`Algorithm::predict`](crate::Algorithm::predict)).
    pub fn set_loss(&mut self, loss: f64) {
        self.loss = Some(loss);
    }

    /// The loss that the algorithm reported.
    pub(crate) fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// The algorithm's own metrics.
    pub(crate) fn metrics(&self) -> &Recorded {
        &self.metrics
    }

    /// The first of `maps`, the names of weights, that was not written.
    pub(crate) fn map_left_out<'m>(
        &self,
        mut maps: impl Iterator<Item = &'m str>,
    ) -> Option<&'m str> {
        maps.find(|name| !self.maps.contains(*name))
    }

    /// Writes zero: layer l stays as it is.
    #[track_caller]
    pub fn none(&mut self, l: usize) -> Result<(), Error> {
        self.model.find(l)?.clear_gradient()?;
        self.written[l - 1] = true;
        Ok(())
    }

    /// The first layer that was not written.
    pub(crate) fn left_out(&self) -> Option<usize> {
        let at = self.written.iter().position(|written| !written)?;
        Some(at + 1)
    }
}
