//! The map of locally connected layers and of convolutions: a window that slides over an image.
//!
//! Activations are (row, column, channel, batch), so what one row of a kernel meets from one
//! output position is a contiguous matrix (taps · C, B), and its products are plain matrix
//! products on the activation itself: no patch is copied, no padding is multiplied. The two
//! kinds of layer differ in whether the positions share their weights, and in nothing else.
//!
//! [`native`] has the products for a CPU, [`card`] the same for the kernels of a card, and [`tensors`] in libtorch's
//! for all else.

mod card;
mod native;
mod tensors;

use assay_network::Shape;
use tch::Tensor;

use super::span::{Span, merged, positions};
use crate::arithmetic;
use crate::card::operands;
use crate::cost;
use crate::error::Error;
use crate::function::Function;
use crate::layout::{Layout, Units};
use crate::product::TransposeBuffer;
use crate::tensor_slices::slices;

/// The sharing of weights between output positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Each its own: locally connected.
    None,
    /// One set for all: convolution.
    Positions,
}

/// The sizes of one image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    pub(super) channels: i64,
    pub(super) height: i64,
    pub(super) width: i64,
}

impl From<Shape> for Image {
    fn from(shape: Shape) -> Self {
        Self {
            channels: shape.channels as i64,
            height: shape.height as i64,
            width: shape.width as i64,
        }
    }
}

impl Image {
    pub(super) fn units(self) -> Units {
        Units::Image {
            channels: self.channels,
            height: self.height,
            width: self.width,
        }
    }
}

/// A windowed map. Its weights lie as (row, column, O, k, k, C), the first two axes absent if the
/// positions share them; what the padding would meet takes part in nothing and has gradient zero.
#[derive(Debug)]
pub(crate) struct Windowed {
    input: Image,
    output: Image,
    kernel: i64,
    stride: i64,
    sharing: Sharing,
    rows: Vec<Span>,
    columns: Vec<Span>,
    /// The columns, neighbours that see the same taps put together.
    groups: Vec<Span>,
    by_sample: TransposeBuffer,
}

impl Windowed {
    pub(super) fn new(
        input: Image,
        output: Image,
        kernel: i64,
        stride: i64,
        sharing: Sharing,
    ) -> Self {
        let columns = positions(input.width, kernel, stride);
        Self {
            input,
            output,
            kernel,
            stride,
            sharing,
            rows: positions(input.height, kernel, stride),
            groups: merged(&columns),
            columns,
            by_sample: TransposeBuffer::default(),
        }
    }

    pub(super) fn inputs(&self) -> Units {
        self.input.units()
    }

    pub(super) fn outputs(&self) -> Units {
        self.output.units()
    }

    /// Saved as (O, oh, ow, C, kh, kw), shared weights as (O, C, kh, kw).
    pub(super) fn weight(&self) -> Layout {
        let (k, c, o) = (self.kernel, self.input.channels, self.output.channels);
        match self.sharing {
            Sharing::None => Layout::permuted(
                &[self.output.height, self.output.width, o, k, k, c],
                &[2, 0, 1, 5, 3, 4],
            ),
            Sharing::Positions => Layout::permuted(&[o, k, k, c], &[0, 3, 1, 2]),
        }
    }

    /// Saved as (O, oh, ow), shared biases as (O).
    pub(super) fn bias(&self) -> Layout {
        match self.sharing {
            Sharing::None => Layout::units(self.outputs()),
            Sharing::Positions => Layout::plain(&[self.output.channels]),
        }
    }

    /// Fan-in and fan-out of one output position.
    pub(super) fn fans(&self) -> (i64, i64) {
        (self.patch(), self.output.channels)
    }

    /// `out = function(W h + b)`; the bias is zero if there is none.
    #[track_caller]
    pub(super) fn forward(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        function: Function,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        self.count(h)?;
        if let Some((card, out, [weight, h, values])) =
            operands(out, [weight, h, bias.unwrap_or(h)])?
        {
            let bias = bias.map(|_| values);
            return self.forward_on(&card, [weight, h], bias, function, out);
        }
        // SAFETY: here and below: only the products use these slices.
        let slices = unsafe { slices(out, [weight, h, bias.unwrap_or(h)]) }?;
        let Some((out, [weight, h, values])) = slices else {
            self.forward_tensors(weight, bias, h, out)?;
            return function.apply_to(out);
        };
        self.forward_native(weight, bias.map(|_| values), function, h, out);
        Ok(())
    }

    /// `out = function(Wᵀ δ + bias)`; the bias is zero if there is none.
    #[track_caller]
    pub(super) fn transposed(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        function: Function,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        self.count(delta)?;
        if let Some((card, out, [weight, delta, values])) =
            operands(out, [weight, delta, bias.unwrap_or(delta)])?
        {
            let bias = bias.map(|_| values);
            return self.transposed_on(&card, [weight, delta], bias, function, out);
        }
        // SAFETY: see `forward`.
        let slices = unsafe { slices(out, [weight, delta, bias.unwrap_or(delta)]) }?;
        let Some((out, [weight, delta, values])) = slices else {
            self.transposed_tensors(weight, bias, delta, out)?;
            return function.apply_to(out);
        };
        self.transposed_native(weight, bias.map(|_| values), function, delta, out);
        Ok(())
    }

    #[track_caller]
    pub(super) fn weight_gradient(
        &self,
        delta: &Tensor,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        self.count(h)?;
        if let Some((card, on_card, factors)) = operands(out, [delta, h])? {
            if self.sharing == Sharing::Positions {
                arithmetic::clear(out)?;
            }
            return self.weight_gradient_on(&card, factors, on_card);
        }
        // SAFETY: see `forward`.
        match unsafe { slices(out, [delta, h]) }? {
            Some((out, [delta, h])) => {
                self.weight_gradient_native(delta, h, out);
                Ok(())
            }
            None => self.weight_gradient_tensors(delta, h, out),
        }
    }

    /// Counts a product with `activation` (units, B): what each output position meets of the input,
    /// without padding.
    fn count(&self, activation: &Tensor) -> Result<(), Error> {
        let met = |spans: &[Span]| spans.iter().map(Span::width).sum::<i64>();
        let channels = self.input.channels * self.output.channels;
        let connections = met(&self.rows) * met(&self.columns) * channels;
        cost::count(connections as usize, activation.size2()?.1 as usize);
        Ok(())
    }

    /// The number of weights to one unit, k²C.
    fn patch(&self) -> i64 {
        self.kernel * self.kernel * self.input.channels
    }

    /// The first of a tap's weights among those of a unit.
    fn tap(&self, row: i64, column: i64) -> i64 {
        (row * self.kernel + column) * self.input.channels
    }
}
