//! The products of a window in libtorch's batched ones, for devices other than a CPU.
//!
//! Neighbouring output positions that see the same taps of the kernel go into one call.

use std::ops::Range;

use tch::Tensor;

use super::{Sharing, Windowed};
use crate::error::Error;
use crate::layer::span::Span;

/// The inputs that one row of the kernel meets from neighbouring output positions in one row.
struct KernelRow<'a> {
    output_row: i64,
    tap_row: i64,
    input_row: i64,
    columns: &'a Span,
}

impl Windowed {
    pub(super) fn forward_tensors(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        h: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        let samples = samples(h)?;
        let (weight, h, out) = (flat(weight)?, flat(h)?, flat(out)?);
        let o = self.output.channels;
        let mut sums = out.f_view([-1, o, samples])?;
        match bias {
            Some(bias) => sums.f_copy_(&bias.f_view([-1, o, 1])?)?,
            None => sums.f_zero_().map(drop)?,
        }
        for row in self.kernel_rows() {
            let a = self.at_positions(&out, self.positions(&row), samples)?;
            let w = self.weights(&weight, self.positions(&row), self.taps(&row))?;
            a.f_baddbmm_out(&a, &w, &self.windows(&h, &row, samples)?)
                .map(drop)?;
        }
        Ok(())
    }

    /// `out = Wᵀ δ`, plus `bias` if there is one.
    pub(super) fn transposed_tensors(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        delta: &Tensor,
        out: &Tensor,
    ) -> Result<(), Error> {
        match bias {
            Some(bias) => out.shallow_clone().f_copy_(&bias.f_view([-1, 1])?)?,
            None => out.shallow_clone().f_zero_().map(drop)?,
        }
        let samples = samples(delta)?;
        let (weight, delta, out) = (flat(weight)?, flat(delta)?, flat(out)?);
        for row in self.kernel_rows() {
            let d = self.at_positions(&delta, self.positions(&row), samples)?;
            let w = self
                .weights(&weight, self.positions(&row), self.taps(&row))?
                .f_transpose(1, 2)?;
            let windows = self.windows(&out, &row, samples)?;
            // One by one, since neighbouring windows overlap.
            for at in 0..row.columns.len() {
                let window = windows.f_select(0, at)?;
                window
                    .f_addmm_out(&window, &w.f_select(0, at)?, &d.f_select(0, at)?)
                    .map(drop)?;
            }
        }
        Ok(())
    }

    pub(super) fn weight_gradient_tensors(
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
        for row in self.kernel_rows() {
            let d = self.at_positions(&delta, self.positions(&row), samples)?;
            let gradient = self.weights(&out, self.positions(&row), self.taps(&row))?;
            self.outer_product(&d, &self.windows(&h, &row, samples)?, &gradient)?;
        }
        Ok(())
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

    fn kernel_rows(&self) -> impl Iterator<Item = KernelRow<'_>> {
        self.rows.iter().flat_map(move |row| {
            let (output_row, first, input) = (row.outputs.start, row.taps.start, row.input);
            row.taps.clone().flat_map(move |tap_row| {
                self.groups.iter().map(move |columns| KernelRow {
                    output_row,
                    tap_row,
                    input_row: input + tap_row - first,
                    columns,
                })
            })
        })
    }

    /// The weights that meet the inputs of `row`, among those of a unit.
    fn taps(&self, row: &KernelRow<'_>) -> Range<i64> {
        self.tap(row.tap_row, row.columns.taps.start)..self.tap(row.tap_row, row.columns.taps.end)
    }

    /// The output positions of `row`, counted row by row.
    fn positions(&self, row: &KernelRow<'_>) -> Range<i64> {
        let first = row.output_row * self.output.width;
        first + row.columns.outputs.start..first + row.columns.outputs.end
    }

    /// The inputs that each position of `row` sees: (positions, taps · C, B).
    fn windows(&self, image: &Tensor, row: &KernelRow<'_>, samples: i64) -> Result<Tensor, Error> {
        let pixel = self.input.channels * samples;
        let first = row.input_row * self.input.width + row.columns.input;
        let size = [
            row.columns.len(),
            row.columns.width() * self.input.channels,
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
