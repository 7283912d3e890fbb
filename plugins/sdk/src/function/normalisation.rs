//! Normalisation of a layer's values (Ba, Kiros & Hinton 2016, without gain and bias): of every sample
//! they have the mean 0 and the variance 1 over the n units of the layer,
//! ```text
//! h = (z − m)/s,   m = ⟨z⟩, s² = ⟨(z − m)²⟩ + ε
//! J = ∂h/∂z = (I − 11ᵀ/n − h hᵀ/n)/s = Jᵀ
//! ```
//! Sums run over the units in their order, in floats of 64 bits, so threads and vectors change no bit.

use tch::{Kind, Tensor};

use crate::arithmetic;
use crate::card::{self, Argument, Kernel};
use crate::error::Error;
use crate::tensor_slices::slices;

/// ε, the usual one of layer normalisation.
const VARIANCE: f64 = 1e-5;

/// A layer's values before they were normalised, and s.
pub(crate) struct Normalised {
    /// z, (n, B).
    pub(crate) before: Tensor,
    /// s of every sample, (B).
    deviation: Tensor,
}

impl Normalised {
    /// Buffers beside `values` (n, B).
    pub(crate) fn like(values: &Tensor) -> Result<Self, Error> {
        let options = (values.f_kind()?, values.device());
        Ok(Self {
            before: values.f_zeros_like()?,
            deviation: Tensor::f_ones([columns(values)], options)?,
        })
    }

    /// Normalises `values` (n, B) and keeps what their derivative needs.
    pub(crate) fn take(&self, values: &Tensor) -> Result<(), Error> {
        arithmetic::copy(values, &self.before)?;
        normalise_keeping(values, &self.deviation)
    }

    /// `delta ← J delta`, given h; all are (n, B).
    pub(crate) fn multiply_jacobian(&self, delta: &Tensor, h: &Tensor) -> Result<(), Error> {
        if let Some((card, delta, [h, deviation])) = card::operands(delta, [h, &self.deviation])?
            && delta.len() == h.len()
        {
            let samples = deviation.len();
            let arguments = [
                delta.into(),
                h.into(),
                deviation.into(),
                Argument::count(delta.len() / samples.max(1)),
                Argument::count(samples),
            ];
            // SAFETY: both matrices have so many rows and columns, and there is a value for each column.
            return unsafe { card.each(Kernel::MultiplyJacobian, samples, arguments) };
        }
        // SAFETY: only this function uses the slices.
        let slices = unsafe { slices(delta, [h, &self.deviation]) }?;
        let Some((delta, [h, deviation])) = slices else {
            let mean = |values: &Tensor| values.f_mean_dim(0_i64, true, None::<Kind>);
            let along = h.f_mul(&mean(&delta.f_mul(h)?)?)?;
            let centred = delta.f_sub(&mean(delta)?)?.f_sub(&along)?;
            let whole = centred.f_div(&self.deviation)?;
            delta.shallow_clone().f_copy_(&whole).map(drop)?;
            return Ok(());
        };
        let samples = deviation.len();
        let units = (delta.len() / samples) as f64;
        let (mut mean, mut along) = (vec![0.0_f64; samples], vec![0.0_f64; samples]);
        for (delta, h) in delta.chunks(samples).zip(h.chunks(samples)) {
            for b in 0..samples {
                mean[b] += f64::from(delta[b]);
                along[b] += f64::from(delta[b]) * f64::from(h[b]);
            }
        }
        for (delta, h) in delta.chunks_mut(samples).zip(h.chunks(samples)) {
            for b in 0..samples {
                let projected = (mean[b] + along[b] * f64::from(h[b])) / units;
                delta[b] = ((f64::from(delta[b]) - projected) / f64::from(deviation[b])) as f32;
            }
        }
        Ok(())
    }
}

/// Normalises `values` (n, B).
pub(crate) fn normalise(values: &Tensor) -> Result<(), Error> {
    let options = (values.f_kind()?, values.device());
    normalise_keeping(values, &Tensor::f_empty([columns(values)], options)?)
}

/// Normalises `values` (n, B) and writes s of every sample into `deviation` (B).
fn normalise_keeping(values: &Tensor, deviation: &Tensor) -> Result<(), Error> {
    if let Some((card, out, [])) = card::operands(values, [])?
        && let Some((_, of_sample, [])) = card::operands(deviation, [])?
    {
        let samples = of_sample.len();
        let arguments = [
            out.into(),
            of_sample.into(),
            Argument::F64(VARIANCE),
            Argument::count(out.len() / samples.max(1)),
            Argument::count(samples),
        ];
        // SAFETY: the matrix has so many rows and columns, there is a value for each column, and the two lie apart.
        return unsafe { card.each(Kernel::Normalise, samples, arguments) };
    }
    // SAFETY: only this function uses the slices, and the two tensors lie apart.
    let both = unsafe { (slices(values, [])?, slices(deviation, [])?) };
    let (Some((values, [])), Some((deviation, []))) = both else {
        let centred = values.f_sub(&values.f_mean_dim(0_i64, true, None::<Kind>)?)?;
        let variance = centred.f_square()?.f_mean_dim(0_i64, false, None::<Kind>)?;
        let s = variance.f_add_scalar(VARIANCE)?.f_sqrt()?;
        let whole = centred.f_div(&s)?;
        values.shallow_clone().f_copy_(&whole).map(drop)?;
        deviation.shallow_clone().f_copy_(&s).map(drop)?;
        return Ok(());
    };
    let samples = deviation.len();
    let units = (values.len() / samples) as f64;
    let mut mean = vec![0.0_f64; samples];
    for row in values.chunks(samples) {
        for b in 0..samples {
            mean[b] += f64::from(row[b]);
        }
    }
    let mut square = vec![0.0_f64; samples];
    for row in values.chunks(samples) {
        for b in 0..samples {
            let centred = f64::from(row[b]) - mean[b] / units;
            square[b] += centred * centred;
        }
    }
    for b in 0..samples {
        mean[b] /= units;
        square[b] = (square[b] / units + VARIANCE).sqrt();
        deviation[b] = square[b] as f32;
    }
    for row in values.chunks_mut(samples) {
        for b in 0..samples {
            row[b] = ((f64::from(row[b]) - mean[b]) / square[b]) as f32;
        }
    }
    Ok(())
}

/// B of (n, B).
fn columns(values: &Tensor) -> i64 {
    values.size().last().copied().unwrap_or(0)
}
