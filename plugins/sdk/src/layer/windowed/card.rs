//! The products of a window on a card: the terms of [`native`](super::native), all positions in one launch.

use super::native::Sizes;
use super::{Sharing, Windowed};
use crate::card::{Card, Elements, Job, Key, Shape, Start};
use crate::error::Error;
use crate::function::Function;
use crate::layer::span::Span;
use crate::product::Term;

/// The operations of a window, by their numbers in the keys of their products.
#[derive(Clone, Copy)]
enum Operation {
    Forward,
    Transposed,
    WeightGradient,
}

impl Windowed {
    /// `out = function(W h + b)`; the bias is zero if there is none.
    pub(super) fn forward_on(
        &self,
        card: &Card,
        [weight, h]: [Elements<'_>; 2],
        bias: Option<Elements<'_>>,
        function: Function,
        out: Elements<'_>,
    ) -> Result<(), Error> {
        let s = self.sizes(h.len());
        let products = card.products(self.key(Operation::Forward, &s), || {
            let shape = Shape {
                rows: s.outputs,
                a_row: s.patch,
                a_depth: 1,
                b_depth: s.samples,
                b_column: 1,
                out_row: s.samples,
            };
            let job = |(position, (row, column))| Job {
                out: position * s.outputs * s.samples,
                a: position * s.weights,
                start: position * s.biases,
                columns: s.samples,
                depth: s.met(column),
                terms: self.forward_terms(&s, row, column).collect(),
                ..Job::default()
            };
            let jobs = self.output_positions().enumerate().map(job).collect();
            (shape, vec![jobs])
        })?;
        let start = bias.map_or(Start::Zero, Start::Rows);
        card.run(&products, function, start, out, [weight, h])
    }

    /// `out = function(Wᵀ δ + bias)`; the bias is zero if there is none.
    pub(super) fn transposed_on(
        &self,
        card: &Card,
        [weight, delta]: [Elements<'_>; 2],
        bias: Option<Elements<'_>>,
        function: Function,
        out: Elements<'_>,
    ) -> Result<(), Error> {
        let s = self.sizes(out.len());
        let products = card.products(self.key(Operation::Transposed, &s), || {
            let shape = Shape {
                rows: s.inputs,
                a_row: 1,
                a_depth: s.patch,
                b_depth: s.samples,
                b_column: 1,
                out_row: s.samples,
            };
            let pixels = s.inputs * s.samples;
            let job = |pixel| Job {
                out: pixel * pixels,
                start: pixel * s.inputs,
                columns: s.samples,
                depth: s.outputs,
                terms: self.transposed_terms(&s, pixel).collect(),
                ..Job::default()
            };
            (
                shape,
                vec![(0..out.len() / pixels.max(1)).map(job).collect()],
            )
        })?;
        let start = bias.map_or(Start::Zero, Start::Rows);
        card.run(&products, function, start, out, [weight, delta])
    }

    /// `δ windowᵀ` of every position into its own gradient, or the sum over the positions into the one that they share,
    /// which is zero before.
    pub(super) fn weight_gradient_on(
        &self,
        card: &Card,
        [delta, h]: [Elements<'_>; 2],
        out: Elements<'_>,
    ) -> Result<(), Error> {
        let s = self.sizes(h.len());
        let products = card.products(self.key(Operation::WeightGradient, &s), || {
            let shape = Shape {
                rows: s.outputs,
                a_row: s.samples,
                a_depth: 1,
                b_depth: 1,
                b_column: s.samples,
                out_row: s.patch,
            };
            let jobs = match self.sharing {
                Sharing::None => vec![self.own_jobs(&s)],
                Sharing::Positions => self.shared_jobs(&s),
            };
            (shape, jobs)
        })?;
        let start = match self.sharing {
            Sharing::None => Start::Zero,
            Sharing::Positions => Start::Out,
        };
        card.run(&products, Function::Identity, start, out, [delta, h])
    }

    /// Everything that decides the products of an operation.
    fn key(&self, operation: Operation, s: &Sizes) -> Key {
        let (input, output) = (self.input, self.output);
        Key::Window([
            operation as i64,
            i64::from(self.sharing == Sharing::Positions),
            input.channels,
            input.height,
            input.width,
            output.channels,
            self.kernel,
            self.stride,
            s.samples as i64,
        ])
    }

    /// One for each position and row of the kernel.
    fn own_jobs(&self, s: &Sizes) -> Vec<Job> {
        let mut jobs = Vec::new();
        for (position, (row, column)) in self.output_positions().enumerate() {
            for kernel_row in row.taps.clone() {
                jobs.push(Job {
                    out: position * s.weights + self.tap(kernel_row, column.taps.start) as usize,
                    a: position * s.outputs * s.samples,
                    b: self.pixel(row, kernel_row, column.input) * s.inputs * s.samples,
                    columns: s.met(column),
                    depth: s.samples,
                    terms: Term::FIRST.to_vec(),
                    ..Job::default()
                });
            }
        }
        jobs
    }

    /// One for each row of the kernel, group by group, since groups share taps.
    fn shared_jobs(&self, s: &Sizes) -> Vec<Vec<Job>> {
        let pixel = s.inputs * s.samples;
        let of_group = |group: &Span| {
            let job = |kernel_row| Job {
                out: self.tap(kernel_row, group.taps.start) as usize,
                columns: s.met(group),
                depth: s.samples,
                terms: (self.positions_of(s, kernel_row, group))
                    .map(|(position, row, input)| Term {
                        a: position * s.outputs * s.samples,
                        b: self.pixel(row, kernel_row, input) * pixel,
                    })
                    .collect(),
                ..Job::default()
            };
            (0..self.kernel).map(job).collect()
        };
        self.groups.iter().map(of_group).collect()
    }
}
