//! The products of a window on a CPU: each output is computed in one go, from what it meets.
//!
//! Whatever is shared among threads is written by one of them: an output position's activations,
//! an input pixel's, a position's gradient. The order of every sum is that of the terms below.

use super::{Sharing, Windowed};
use crate::function::Function;
use crate::layer::span::Span;
use crate::product::{Product, Start, Term, rows_at_a_time};
use crate::workers;

/// The sizes of a window in the type of slices.
pub(super) struct Sizes {
    pub(super) samples: usize,
    /// Channels of the input and of the output.
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    input_width: usize,
    output_width: usize,
    /// k²C
    pub(super) patch: usize,
    /// From the weights of one position to those of the next: zero if they are shared.
    pub(super) weights: usize,
    /// The same of the biases.
    pub(super) biases: usize,
}

impl Windowed {
    /// For so many values of the input.
    pub(super) fn sizes(&self, values: usize) -> Sizes {
        let (outputs, patch) = (self.output.channels as usize, self.patch() as usize);
        let own = usize::from(self.sharing == Sharing::None);
        Sizes {
            samples: values / self.inputs().count().max(1) as usize,
            inputs: self.input.channels as usize,
            outputs,
            input_width: self.input.width as usize,
            output_width: self.output.width as usize,
            patch,
            weights: own * outputs * patch,
            biases: own * outputs,
        }
    }

    /// `out = function(W h + b)`: one term for each row of the kernel. The bias is zero if there is
    /// none.
    pub(super) fn forward_native(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        function: Function,
        h: &[f32],
        out: &mut [f32],
    ) {
        let s = self.sizes(h.len());
        let positions = out.chunks_mut((s.outputs * s.samples).max(1));
        workers::share(
            positions.zip(self.output_positions()).enumerate(),
            Vec::new,
            |terms, (position, (out, (row, column)))| {
                terms.clear();
                terms.extend(self.forward_terms(&s, row, column));
                let product = Product {
                    rows: s.outputs,
                    columns: s.samples,
                    depth: s.met(column),
                    a_row: s.patch,
                    a_depth: 1,
                    b_depth: s.samples,
                    out_row: s.samples,
                };
                let weight = &weight[position * s.weights..];
                let start = match bias {
                    Some(bias) => Start::Rows(&bias[position * s.biases..]),
                    None => Start::Zero,
                };
                product.run(out, weight, h, terms, start);
                function.apply(out);
            },
        );
    }

    /// `out = function(Wᵀ δ + bias)`; the bias is zero if there is none. For each pixel of the
    /// input, one term for each output position that sees it.
    pub(super) fn transposed_native(
        &self,
        weight: &[f32],
        bias: Option<&[f32]>,
        function: Function,
        delta: &[f32],
        out: &mut [f32],
    ) {
        let s = self.sizes(out.len());
        let product = Product {
            rows: s.inputs,
            columns: s.samples,
            depth: s.outputs,
            a_row: 1,
            a_depth: s.patch,
            b_depth: s.samples,
            out_row: s.samples,
        };
        workers::share(
            out.chunks_mut((s.inputs * s.samples).max(1)).enumerate(),
            Vec::new,
            |terms, (pixel, out)| {
                terms.clear();
                terms.extend(self.transposed_terms(&s, pixel));
                let start = match bias {
                    Some(bias) => Start::Rows(&bias[pixel * s.inputs..]),
                    None => Start::Zero,
                };
                product.run(out, weight, delta, terms, start);
                function.apply(out);
            },
        );
    }

    /// `δ windowᵀ` of every position into its own gradient, or the sum over the positions into the
    /// one that they share.
    pub(super) fn weight_gradient_native(&self, delta: &[f32], h: &[f32], out: &mut [f32]) {
        let s = self.sizes(h.len());
        let transposed = self.by_sample.fill(h, s.input_width * s.inputs, s.samples);
        let h = &transposed;
        match self.sharing {
            Sharing::None => self.own_gradients(&s, delta, h, out),
            Sharing::Positions => self.shared_gradient(&s, delta, h, out),
        }
    }

    /// `h` is (row, sample, column, channel), as for `shared_gradient`.
    fn own_gradients(&self, s: &Sizes, delta: &[f32], h: &[f32], out: &mut [f32]) {
        let positions = delta.chunks((s.outputs * s.samples).max(1));
        let gradients = out.chunks_mut(s.weights.max(1)).zip(positions);
        workers::share(
            gradients.zip(self.output_positions()),
            || (),
            |(), ((out, delta), (row, column))| {
                let product = s.outer_product(s.outputs, column);
                for kernel_row in row.taps.clone() {
                    let taps = self.tap(kernel_row, column.taps.start) as usize;
                    let term = Term {
                        a: 0,
                        b: s.window(row, kernel_row, column.input),
                    };
                    product.run(&mut out[taps..], delta, h, &[term], Start::Zero);
                }
            },
        );
    }

    fn shared_gradient(&self, s: &Sizes, delta: &[f32], h: &[f32], out: &mut [f32]) {
        let units = rows_at_a_time(s.outputs);
        let blocks = out.chunks_mut((units * s.patch).max(1)).enumerate();
        workers::share(blocks, Vec::new, |terms, (block, out)| {
            out.fill(0.0);
            let first = block * units;
            let delta = &delta[first * s.samples..];
            for kernel_row in 0..self.kernel {
                for group in &self.groups {
                    terms.clear();
                    let positions = self.positions_of(s, kernel_row, group);
                    terms.extend(positions.map(|(position, row, input)| Term {
                        a: position * s.outputs * s.samples,
                        b: s.window(row, kernel_row, input),
                    }));
                    let taps = self.tap(kernel_row, group.taps.start) as usize;
                    let product = s.outer_product(units.min(s.outputs - first), group);
                    product.run(&mut out[taps..], delta, h, terms, Start::Out);
                }
            }
        });
    }

    /// The terms of the outputs at one position: one for each row of the kernel.
    pub(super) fn forward_terms(
        &self,
        s: &Sizes,
        row: &Span,
        column: &Span,
    ) -> impl Iterator<Item = Term> {
        let pixel = s.inputs * s.samples;
        row.taps.clone().map(move |kernel_row| Term {
            a: self.tap(kernel_row, column.taps.start) as usize,
            b: self.pixel(row, kernel_row, column.input) * pixel,
        })
    }

    /// The terms of the inputs at one pixel: one for each output position that sees it.
    pub(super) fn transposed_terms(&self, s: &Sizes, pixel: usize) -> impl Iterator<Item = Term> {
        let (y, x) = (pixel / s.input_width, pixel % s.input_width);
        let (width, weights, outputs) = (s.output_width, s.weights, s.outputs * s.samples);
        seen_from(&self.rows, y, self.stride).flat_map(move |(row, kernel_row)| {
            let columns = seen_from(&self.columns, x, self.stride);
            columns.map(move |(column, kernel_column)| {
                let position = row * width + column;
                Term {
                    a: position * weights + self.tap(kernel_row, kernel_column) as usize,
                    b: position * outputs,
                }
            })
        })
    }

    /// The output positions of a group of columns that a row of the kernel takes part in, each with its row and the
    /// first column of the input that it sees.
    pub(super) fn positions_of(
        &self,
        s: &Sizes,
        kernel_row: i64,
        group: &Span,
    ) -> impl Iterator<Item = (usize, &Span, i64)> {
        let (width, outputs, input) = (s.output_width, group.outputs.clone(), group.input);
        let rows = self.rows.iter();
        let rows = rows.filter(move |row| row.taps.contains(&kernel_row));
        rows.flat_map(move |row| {
            outputs.clone().enumerate().map(move |(step, column)| {
                let position = row.outputs.start as usize * width + column as usize;
                (position, row, input + step as i64 * self.stride)
            })
        })
    }

    pub(super) fn output_positions(&self) -> impl Iterator<Item = (&Span, &Span)> + Send {
        let columns = &self.columns;
        let rows = self.rows.iter();
        rows.flat_map(move |row| columns.iter().map(move |column| (row, column)))
    }

    /// The pixel in a `column` of the input that a row of the kernel meets from a row of outputs.
    pub(super) fn pixel(&self, row: &Span, kernel_row: i64, column: i64) -> usize {
        let input_row = row.input + kernel_row - row.taps.start;
        (input_row * self.input.width + column) as usize
    }
}

impl Sizes {
    /// The values that a row of the kernel meets, at the taps of a column.
    pub(super) fn met(&self, column: &Span) -> usize {
        column.width() as usize * self.inputs
    }

    /// The first element of a window that meets `column` first, in an image of (row, sample, column,
    /// channel).
    fn window(&self, row: &Span, kernel_row: i64, column: i64) -> usize {
        let input_row = (row.input + kernel_row - row.taps.start) as usize;
        (input_row * self.samples * self.input_width + column as usize) * self.inputs
    }

    /// Of the outputs of a position, and what a row of the kernel meets from it.
    fn outer_product(&self, rows: usize, columns: &Span) -> Product {
        Product {
            rows,
            columns: self.met(columns),
            depth: self.samples,
            a_row: self.samples,
            a_depth: 1,
            b_depth: self.input_width * self.inputs,
            out_row: self.patch,
        }
    }
}

/// The output positions along one axis that see `input`, in order, and the tap that meets it there.
fn seen_from(
    positions: &[Span],
    input: usize,
    stride: i64,
) -> impl Iterator<Item = (usize, i64)> + '_ {
    let input = input as i64;
    let widest = positions.iter().map(Span::width).max().unwrap_or(0);
    // Later positions begin later: none before the first of these can reach that far.
    let first = ((input - widest) / stride).max(0) as usize;
    let seen = positions
        .iter()
        .enumerate()
        .skip(first)
        .take_while(move |(_, span)| span.input <= input);
    seen.filter_map(move |(position, span)| {
        let tap = span.taps.start + input - span.input;
        span.taps.contains(&tap).then_some((position, tap))
    })
}
