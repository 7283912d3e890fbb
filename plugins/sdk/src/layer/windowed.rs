//! The map of locally connected layers and of convolutions: a window that slides over an image.
//!
//! Activations are (row, column, channel, batch), so what one row of a kernel meets from one
//! output position is a contiguous matrix (taps · C, B), and its products are plain matrix
//! products on the activation itself: no patch is copied, no padding is multiplied. The two
//! kinds of layer differ in whether the positions share their weights, and in nothing else.

use std::ops::Range;

use tch::Tensor;

use super::patches::Patches;
use super::span::{Span, merged, positions};
use super::sum_over_batch;
use crate::error::Error;
use crate::layout::{Layout, Units};
use crate::rng::Initial;

/// Below this many inputs to a row of the kernel, a product with as few columns is so slow that
/// copying whole patches first is faster (measured: three times with 15, not at all with 96).
const NARROW: i64 = 64;

/// Whether the output positions have weights of their own.
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
    patches: Patches,
}

/// What one row of the kernel meets from neighbouring output positions in one row.
struct Place<'a> {
    row: i64,
    kernel_row: i64,
    input_row: i64,
    columns: &'a Span,
}

impl Windowed {
    pub(super) fn new(
        input: Image,
        output: Image,
        kernel: i64,
        stride: i64,
        sharing: Sharing,
    ) -> Self {
        Self {
            input,
            output,
            kernel,
            stride,
            sharing,
            rows: positions(input.height, kernel, stride),
            columns: merged(&positions(input.width, kernel, stride)),
            patches: Patches::default(),
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

    /// The distribution of one output position's weights.
    pub(super) fn glorot(&self, scale: f64) -> Initial {
        Initial::Glorot {
            fan_in: self.patch(),
            fan_out: self.output.channels,
            scale,
        }
    }

    pub(super) fn forward(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        let samples = samples(h)?;
        let (weight, h, out) = (flat(weight)?, flat(h)?, flat(out)?);
        let o = self.output.channels;
        out.f_view([-1, o, samples])?
            .f_copy_(&bias.f_view([-1, o, 1])?)?;
        for place in self.places() {
            let a = self.at_positions(&out, self.positions(&place), samples)?;
            let w = self.weights(&weight, self.positions(&place), self.taps(&place))?;
            a.f_baddbmm_out(&a, &w, &self.windows(&h, &place, samples)?)
                .map(drop)?;
        }
        Ok(())
    }

    pub(super) fn transposed(
        &self,
        weight: &Tensor,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        out.shallow_clone().f_zero_().map(drop)?;
        self.add_transposed(weight, delta, out)
    }

    pub(super) fn inverse(
        &self,
        weight: &Tensor,
        bias: &Tensor,
        u: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        out.shallow_clone().f_copy_(&bias.f_view([-1, 1])?)?;
        self.add_transposed(weight, u, out)
    }

    /// `out ← out + Wᵀ δ`
    fn add_transposed(&self, weight: &Tensor, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        let samples = samples(delta)?;
        let (weight, delta, out) = (flat(weight)?, flat(delta)?, flat(out)?);
        for place in self.places() {
            let d = self.at_positions(&delta, self.positions(&place), samples)?;
            let w = self
                .weights(&weight, self.positions(&place), self.taps(&place))?
                .f_transpose(1, 2)?;
            let windows = self.windows(&out, &place, samples)?;
            // One by one, since neighbouring windows overlap.
            for at in 0..place.columns.len() {
                let window = windows.f_select(0, at)?;
                window
                    .f_addmm_out(&window, &w.f_select(0, at)?, &d.f_select(0, at)?)
                    .map(drop)?;
            }
        }
        Ok(())
    }

    pub(super) fn weight_gradient(
        &self,
        delta: &Tensor,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        let samples = samples(h)?;
        let (delta, h, mut out) = (flat(delta)?, flat(h)?, flat(out)?);
        if self.sharing == Sharing::Positions {
            out.f_zero_().map(drop)?;
        }
        if self.kernel * self.input.channels < NARROW {
            return self.weight_gradient_by_patches(&delta, &h, &out, samples);
        }
        for place in self.places() {
            let d = self.at_positions(&delta, self.positions(&place), samples)?;
            let gradient = self.weights(&out, self.positions(&place), self.taps(&place))?;
            self.outer_product(&d, &self.windows(&h, &place, samples)?, &gradient)?;
        }
        Ok(())
    }

    pub(super) fn bias_gradient(&self, delta: &Tensor, out: &Tensor) -> Result<(), Error> {
        match self.sharing {
            Sharing::None => sum_over_batch(delta, &[1], &flat(out)?),
            Sharing::Positions => {
                let delta = delta.f_view([-1, self.output.channels, samples(delta)?])?;
                sum_over_batch(&delta, &[0, 2], out)
            }
        }
    }

    /// One row of output positions at a time, so that the patches stay in the cache.
    fn weight_gradient_by_patches(
        &self,
        delta: &Tensor,
        h: &Tensor,
        out: &Tensor,
        samples: i64,
    ) -> Result<(), Error> {
        let size = [self.output.width, self.patch(), samples];
        self.patches.with(size, h.device(), |patches| {
            let flat_patches = flat(patches)?;
            for row in &self.rows {
                for place in self.places_of(row) {
                    let taps = self.taps(&place);
                    let size = [place.columns.len(), taps.end - taps.start, samples];
                    let stride = [self.patch() * samples, samples, 1];
                    let first = place.columns.outputs.start * self.patch() + taps.start;
                    strided(&flat_patches, first * samples, size, stride)?
                        .f_copy_(&self.windows(h, &place, samples)?)?;
                }
                let whole = self.tap(row.taps.start, 0)..self.tap(row.taps.end, 0);
                let first = row.outputs.start * self.output.width;
                let positions = first..first + self.output.width;
                let seen = patches.f_narrow(1, whole.start, whole.end - whole.start)?;
                let d = self.at_positions(delta, positions.clone(), samples)?;
                self.outer_product(&d, &seen, &self.weights(out, positions, whole)?)?;
            }
            Ok(())
        })
    }

    /// `δ windowᵀ` of every position into its own gradient, or added to the one they share.
    fn outer_product(
        &self,
        delta: &Tensor,
        windows: &Tensor,
        gradient: &Tensor,
    ) -> Result<(), Error> {
        let windows = windows.f_transpose(1, 2)?;
        match self.sharing {
            Sharing::None => delta.f_bmm_out(gradient, &windows).map(drop)?,
            Sharing::Positions => {
                let shared = gradient.f_select(0, 0)?;
                shared.f_addbmm_out(&shared, delta, &windows).map(drop)?;
            }
        }
        Ok(())
    }

    fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.rows.iter().flat_map(|row| self.places_of(row))
    }

    fn places_of(&self, row: &Span) -> impl Iterator<Item = Place<'_>> {
        let (at, first, input) = (row.outputs.start, row.taps.start, row.input);
        row.taps.clone().flat_map(move |kernel_row| {
            self.columns.iter().map(move |columns| Place {
                row: at,
                kernel_row,
                input_row: input + kernel_row - first,
                columns,
            })
        })
    }

    /// The number of weights to one unit, k²C.
    fn patch(&self) -> i64 {
        self.kernel * self.kernel * self.input.channels
    }

    /// Where the weights of a tap begin among those of a unit.
    fn tap(&self, row: i64, column: i64) -> i64 {
        (row * self.kernel + column) * self.input.channels
    }

    /// The weights that take part at `place`, among those of a unit.
    fn taps(&self, place: &Place<'_>) -> Range<i64> {
        self.tap(place.kernel_row, place.columns.taps.start)
            ..self.tap(place.kernel_row, place.columns.taps.end)
    }

    /// The output positions of `place`, counted row by row.
    fn positions(&self, place: &Place<'_>) -> Range<i64> {
        let first = place.row * self.output.width;
        first + place.columns.outputs.start..first + place.columns.outputs.end
    }

    /// The inputs that each position of `place` sees: (positions, taps · C, B).
    fn windows(&self, image: &Tensor, place: &Place<'_>, samples: i64) -> Result<Tensor, Error> {
        let pixel = self.input.channels * samples;
        let first = place.input_row * self.input.width + place.columns.input;
        let size = [
            place.columns.len(),
            place.columns.width() * self.input.channels,
            samples,
        ];
        strided(
            image,
            first * pixel,
            size,
            [self.stride * pixel, samples, 1],
        )
    }

    /// The outputs at `positions`: (positions, O, B).
    fn at_positions(
        &self,
        image: &Tensor,
        positions: Range<i64>,
        samples: i64,
    ) -> Result<Tensor, Error> {
        let pixel = self.output.channels * samples;
        let size = [
            positions.end - positions.start,
            self.output.channels,
            samples,
        ];
        strided(image, positions.start * pixel, size, [pixel, samples, 1])
    }

    /// The weights `taps` of every unit at `positions`: (positions, O, taps).
    fn weights(
        &self,
        weight: &Tensor,
        positions: Range<i64>,
        taps: Range<i64>,
    ) -> Result<Tensor, Error> {
        let position = match self.sharing {
            Sharing::None => self.output.channels * self.patch(),
            Sharing::Positions => 0,
        };
        let size = [
            positions.end - positions.start,
            self.output.channels,
            taps.end - taps.start,
        ];
        strided(
            weight,
            positions.start * position + taps.start,
            size,
            [position, self.patch(), 1],
        )
    }
}

/// B of an activation (n, B).
fn samples(activation: &Tensor) -> Result<i64, Error> {
    Ok(activation.size2()?.1)
}

/// The elements of a contiguous tensor in one row; another tensor is refused.
fn flat(tensor: &Tensor) -> Result<Tensor, Error> {
    Ok(tensor.f_view(-1)?)
}

/// The elements of `flat` from `offset` on, seen with the given sizes and strides.
fn strided(flat: &Tensor, offset: i64, size: [i64; 3], stride: [i64; 3]) -> Result<Tensor, Error> {
    let rest = flat.f_narrow(0, offset, flat.numel() as i64 - offset)?;
    Ok(rest.f_as_strided(size, stride, None)?)
}
