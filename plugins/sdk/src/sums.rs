//! Sums and products of vectors, as this SDK defines them.
//!
//! Every sum is made in floats of 64 bits and rounded once where it becomes a float of 32 bits, in an order
//! that neither threads nor the processor's vectors change; the product of two floats of 32 bits is exact
//! in 64. The sums over the units of a sample take them in their order. The other sums have
//! [`LANES`] partial sums, to which elements go in turn as they lie in memory, and which are added in their
//! order: one such sum for each unit over its batch, and one for each part of [`PART`] elements of a whole
//! tensor, whose sums are added in the order of the parts.
//!
//! The kernels of a card do the same; other devices are left to libtorch.

// Inlined into functions that are compiled for wider vectors.
#![allow(clippy::inline_always)]

use tch::{Kind, Tensor};

use crate::card::{self, Argument, Card, Count, Elements, Kernel, Parts};
use crate::error::Error;
use crate::instructions::{self, Loop};
use crate::operand;
use crate::tensor_slices::{read, slices};
use crate::value::{Meaning, Value};
use crate::workers;

const LANES: usize = 16;

const PART: usize = 1 << 12;

/// Elements of a batch whose sums a thread makes at a time.
const SHARE: usize = 1 << 14;

/// `Σ a b` over all elements of two tensors of one shape.
///
/// # Errors
/// Another shape.
#[track_caller]
pub fn dot(a: &Tensor, b: &Tensor) -> Result<f64, Error> {
    dot_value(a, b)?.read()
}

/// [`dot`], which nobody has to wait for yet.
#[track_caller]
pub(crate) fn dot_value(a: &Tensor, b: &Tensor) -> Result<Value, Error> {
    same_shape(a, b)?;
    if let Some((card, [a, b])) = card::read([a, b]) {
        return sum_on(&card, a, Some(b));
    }
    // SAFETY: nothing writes to them meanwhile.
    let Some([a, b]) = (unsafe { read([a, b]) }) else {
        let sum = a.f_mul(b)?.f_sum(Kind::Double)?;
        return Ok(Value::Known(sum.f_double_value(&[])?));
    };
    let mut parts = vec![0.0; a.len().div_ceil(PART)];
    workers::share(
        parts.iter_mut().zip(a.chunks(PART).zip(b.chunks(PART))),
        || (),
        |(), (sum, (a, b))| {
            *sum = summed([a, b], |[a, b]| f64::from(a) * f64::from(b));
        },
    );
    let sum = parts.into_iter().fold(0.0, |sum, part| sum + part);
    Ok(Value::Known(sum))
}

/// The mean of all elements of `values`, of any shape.
///
/// # Errors
/// No contiguous tensor of 32-bit floats.
#[track_caller]
pub fn mean(values: &Tensor) -> Result<f64, Error> {
    let reason = || "their mean is taken".to_owned();
    let count: i64 = operand::size("values", values, &reason)?.iter().product();
    if let Some((card, [elements])) = card::read([values]) {
        let sum = sum_on(&card, elements, None)?;
        return sum.scaled(1.0, count as f64).read();
    }
    // SAFETY: nothing writes to them meanwhile.
    let Some([elements]) = (unsafe { read([values]) }) else {
        return Ok(values.f_mean(Kind::Double)?.f_double_value(&[])?);
    };
    let parts = elements.chunks(PART);
    let sum = parts.fold(0.0, |sum, part| sum + summed([part], |[it]| f64::from(it)));
    Ok(sum / count as f64)
}

/// `Σ a b` over the units of each sample, (1, N), for `a` and `b` (n, N).
///
/// # Errors
/// Another shape.
#[track_caller]
pub fn dot_over_units(a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
    same_shape(a, b)?;
    let samples = a.size2()?.1;
    if let Some((card, [a, b])) = card::read([a, b]) {
        return over_units_on(&card, [a, b], samples, 1.0);
    }
    // SAFETY: nothing writes to them meanwhile.
    match unsafe { read([a, b]) } {
        Some(factors) => {
            let product = |[a, b]: [f32; 2]| f64::from(a) * f64::from(b);
            by_sample(&over_units(factors, samples, product))
        }
        None => Ok(a.f_mul(b)?.f_sum_dim_intlist(0_i64, true, None::<Kind>)?),
    }
}

/// The mean over the units of each sample, (1, N), for `values` (n, N).
///
/// # Errors
/// Another shape.
#[track_caller]
pub fn mean_over_units(values: &Tensor) -> Result<Tensor, Error> {
    let reason = || "the mean of each column is taken".to_owned();
    operand::size("values", values, &reason)?;
    let (units, samples) = values.size2()?;
    if let Some((card, [values])) = card::read([values]) {
        return over_units_on(&card, [values], samples, units as f64);
    }
    // SAFETY: nothing writes to them meanwhile.
    let Some(values) = (unsafe { read([values]) }) else {
        return Ok(values.f_mean_dim(0_i64, true, None::<Kind>)?);
    };
    let mut sums = over_units(values, samples, |[value]| f64::from(value));
    for sum in &mut sums {
        *sum /= units as f64;
    }
    by_sample(&sums)
}

/// `out_u = Σ values` over the batch, for `values` (n, B): of row u, or, where `out` has fewer elements
/// than there are rows, of every row whose number leaves u, in their order.
pub(crate) fn sum_over_batch(values: &Tensor, out: &Tensor) -> Result<(), Error> {
    let samples = values.size2()?.1 as usize;
    let out = out.f_view(-1)?;
    if let Some((card, sums, [values])) = card::operands(&out, [values])? {
        let arguments = [
            sums.into(),
            values.into(),
            Argument::count(sums.len()),
            Argument::count(values.len() / samples.max(1)),
            Argument::count(samples),
        ];
        // SAFETY: the matrix has so many rows and columns, and there is a sum for each unit.
        return unsafe { card.launch(Kernel::SumOverBatch, sums.len(), arguments) };
    }
    // SAFETY: only this function uses the slices.
    let Some((sums, [values])) = unsafe { slices(&out, [values]) }? else {
        let (units, samples) = (out.size1()?, values.size2()?.1);
        let axes = [0_i64, 2].as_slice();
        let values = values.f_view([-1, units, samples])?;
        values
            .f_sum_intlist_out(&out, axes, false, None)
            .map(drop)?;
        return Ok(());
    };
    let units = sums.len();
    let most = (SHARE * units / values.len().max(1)).max(1);
    workers::share(
        sums.chunks_mut(most).enumerate(),
        || (),
        |(), (part, sums)| {
            for (unit, sum) in (part * most..).zip(sums) {
                let rows = values.chunks_exact(samples).skip(unit).step_by(units);
                let total = rows.fold(0.0, |total, row| {
                    total + summed([row], |[value]| f64::from(value))
                });
                *sum = total as f32;
            }
        },
    );
    Ok(())
}

#[track_caller]
fn same_shape(a: &Tensor, b: &Tensor) -> Result<(), Error> {
    let reason = || "the two factors have one shape".to_owned();
    let shape = operand::size("a factor", a, &reason)?;
    operand::shape("a factor", b, &shape, reason)
}

/// `Σ a b` over all elements on a card, or `Σ a` where there is no b.
fn sum_on(card: &Card, a: Elements<'_>, b: Option<Elements<'_>>) -> Result<Value, Error> {
    let parts = card.parts(a.len().div_ceil(PART))?;
    let arguments = [
        parts.element(0),
        parts.row(),
        a.into(),
        b.map_or(Argument::NULL, Argument::from),
        Argument::count(a.len()),
    ];
    // SAFETY: both have so many elements, as the callers found, and there is a sum for each part; a block has as
    // many parts as lanes.
    unsafe {
        card.launch(
            Kernel::SumsOfParts,
            parts.count().div_ceil(LANES),
            arguments,
        )
    }?;
    let value = Value::OnCard {
        parts,
        meaning: Meaning::Sum {
            multiply: 1.0,
            divide: 1.0,
        },
    };
    Ok(value)
}

/// The place of sums over the units of each sample.
pub(crate) enum OverUnitsInto<'a> {
    /// Exactly, from this one of the parts on.
    Parts(&'a Parts, usize),
    /// Rounded to 32 bits.
    Rounded(&'a Tensor),
}

/// Writes the sums over the units of each of so many samples on a card, of the values or products of one or two matrices (n, N),
/// divided by `divisor`.
pub(crate) fn write_over_units_on<const N: usize>(
    card: &Card,
    matrices: [Elements<'_>; N],
    samples: usize,
    divisor: f64,
    into: &OverUnitsInto<'_>,
) -> Result<(), Error> {
    let room = match into {
        OverUnitsInto::Parts(parts, from) => parts.count().saturating_sub(*from),
        OverUnitsInto::Rounded(sums) => sums.numel(),
    };
    if room < samples {
        return Err(operand::refused(
            "there is too little room for the sums",
            "",
        ));
    }
    let (exact, row, length, rounded) = match into {
        OverUnitsInto::Parts(parts, from) => {
            let length = Argument::count(parts.count());
            (parts.element(*from), parts.row(), length, Argument::NULL)
        }
        OverUnitsInto::Rounded(sums) => (
            Argument::NULL,
            Count::ZERO.argument(),
            Argument::count(0),
            Argument::of(sums),
        ),
    };
    let mut factors = matrices.into_iter().map(Argument::from);
    let mut next = || factors.next().unwrap_or(Argument::NULL);
    let count = matrices.first().map_or(0, |it| it.len());
    let arguments = [
        exact,
        row,
        length,
        rounded,
        next(),
        next(),
        Argument::F64(divisor),
        Argument::count(count / samples.max(1)),
        Argument::count(samples),
    ];
    // SAFETY: the matrices have so many rows and columns, as the callers found, and there is a sum for each column.
    unsafe { card.each(Kernel::OverUnits, samples, arguments) }
}

/// The same in a row (1, `samples`) of 32 bits.
fn over_units_on<const N: usize>(
    card: &Card,
    matrices: [Elements<'_>; N],
    samples: i64,
    divisor: f64,
) -> Result<Tensor, Error> {
    let sums = Tensor::f_empty([1, samples], (Kind::Float, card.device()))?;
    let into = OverUnitsInto::Rounded(&sums);
    write_over_units_on(card, matrices, samples as usize, divisor, &into)?;
    Ok(sums)
}

/// (1, N) of the sums of N samples.
fn by_sample(sums: &[f64]) -> Result<Tensor, Error> {
    let rounded: Vec<_> = sums.iter().map(|&sum| sum as f32).collect();
    Ok(Tensor::f_from_slice(&rounded)?.f_view([1, -1])?)
}

/// `Σ term` over the units of each sample, for matrices (n, `samples`) of one shape.
pub(crate) fn over_units<const N: usize>(
    matrices: [&[f32]; N],
    samples: i64,
    term: impl Fn([f32; N]) -> f64,
) -> Vec<f64> {
    let mut sums = vec![0.0; samples as usize];
    instructions::run(OverUnits {
        matrices,
        term,
        sums: &mut sums,
    });
    sums
}

struct OverUnits<'a, const N: usize, T> {
    matrices: [&'a [f32]; N],
    term: T,
    sums: &'a mut [f64],
}

impl<const N: usize, T: Fn([f32; N]) -> f64> Loop for OverUnits<'_, N, T> {
    #[inline(always)]
    fn run(self) {
        let samples = self.sums.len();
        let rows = self
            .matrices
            .first()
            .map_or(0, |it| it.len() / samples.max(1));
        for row in 0..rows {
            let values = self.matrices.map(|it| &it[row * samples..][..samples]);
            for (sample, sum) in self.sums.iter_mut().enumerate() {
                *sum += (self.term)(values.map(|it| it[sample]));
            }
        }
    }
}

/// `Σ term` over vectors of one length, in [`LANES`] partial sums.
fn summed<const N: usize>(vectors: [&[f32]; N], term: impl Fn([f32; N]) -> f64) -> f64 {
    let mut sum = 0.0;
    instructions::run(InLanes {
        vectors,
        term,
        sum: &mut sum,
    });
    sum
}

struct InLanes<'a, const N: usize, T> {
    vectors: [&'a [f32]; N],
    term: T,
    sum: &'a mut f64,
}

impl<const N: usize, T: Fn([f32; N]) -> f64> Loop for InLanes<'_, N, T> {
    #[inline(always)]
    fn run(self) {
        let mut sums = [0.0; LANES];
        let parts = self.vectors.map(<[f32]>::as_chunks::<LANES>);
        let whole = parts.first().map_or(0, |(whole, _)| whole.len());
        for at in 0..whole {
            let lines = parts.map(|(whole, _)| &whole[at]);
            for lane in 0..LANES {
                sums[lane] += (self.term)(lines.map(|line| line[lane]));
            }
        }
        let rest = parts.first().map_or(0, |(_, rest)| rest.len());
        for lane in 0..rest {
            sums[lane] += (self.term)(parts.map(|(_, rest)| rest[lane]));
        }
        for sum in sums {
            *self.sum += sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bits(value: impl Into<f64>) -> u64 {
        value.into().to_bits()
    }

    fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    fn matrix(values: &[f32], columns: usize) -> Tensor {
        Tensor::from_slice(values).view([-1, columns as i64])
    }

    /// The documented order, an element at a time.
    fn in_lanes(terms: impl Iterator<Item = f64>) -> f64 {
        let mut lanes = [0.0; 16];
        for (at, term) in terms.enumerate() {
            lanes[at % 16] += term;
        }
        lanes.into_iter().fold(0.0, |sum, lane| sum + lane)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn sums_have_the_documented_order(
            rows in 1_usize..40, columns in 1_usize..70, outputs in 1_usize..4, seed: u32,
        ) {
            let rows = rows * outputs;
            let (a, b) = (values(rows * columns, seed), values(rows * columns, !seed));
            let (x, y) = (matrix(&a, columns), matrix(&b, columns));
            let product = |at: usize| f64::from(a[at]) * f64::from(b[at]);

            prop_assert_eq!(bits(dot(&x, &y).unwrap()), bits(in_lanes((0..a.len()).map(product))));
            let sum = in_lanes(a.iter().map(|&it| f64::from(it)));
            prop_assert_eq!(bits(mean(&x).unwrap()), bits(sum / a.len() as f64));

            let of_sample = |sample: usize| (0..rows).map(move |row| row * columns + sample);
            let (dots, means) = (dot_over_units(&x, &y).unwrap(), mean_over_units(&x).unwrap());
            prop_assert_eq!(dots.size(), [1, columns as i64]);
            for sample in 0..columns {
                let dot = of_sample(sample).map(product).fold(0.0, |sum, it| sum + it);
                let sum = of_sample(sample).fold(0.0, |sum, at| sum + f64::from(a[at]));
                let at = [0, sample as i64];
                prop_assert_eq!(bits(dots.double_value(&at)), bits(dot as f32));
                prop_assert_eq!(bits(means.double_value(&at)), bits((sum / rows as f64) as f32));
            }

            let out = Tensor::full([outputs as i64], f64::NAN, (Kind::Float, tch::Device::Cpu));
            sum_over_batch(&x, &out).unwrap();
            for unit in 0..outputs {
                let of_row = |row: usize| in_lanes((0..columns).map(|at| f64::from(a[row * columns + at])));
                let sum = (unit..rows).step_by(outputs).fold(0.0, |sum, row| sum + of_row(row));
                prop_assert_eq!(bits(out.double_value(&[unit as i64])), bits(sum as f32));
            }
        }
    }

    #[test]
    fn threads_change_no_bit_of_a_long_sum() {
        let (a, b) = (values(100_003, 1), values(100_003, 2));
        let (x, y) = (Tensor::from_slice(&a), Tensor::from_slice(&b));
        let parts = a
            .chunks(4096)
            .zip(b.chunks(4096))
            .map(|(a, b)| in_lanes(a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b))));
        let expected = parts.fold(0.0, |sum, part| sum + part);
        for threads in [1, 2, 3] {
            tch::set_num_threads(threads);
            assert_eq!(
                bits(dot(&x, &y).unwrap()),
                bits(expected),
                "{threads} threads"
            );
        }
    }

    #[test]
    fn instructions_change_no_bit() {
        let (a, b) = (values(1003, 3), values(1003, 4));
        let sums: Vec<_> = instructions::available()
            .map(|instructions| {
                let mut sum = 0.0;
                instructions.run(InLanes {
                    vectors: [&a[..], &b[..]],
                    term: |[a, b]: [f32; 2]| f64::from(a) * f64::from(b),
                    sum: &mut sum,
                });
                bits(sum)
            })
            .collect();
        assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
    }
}
