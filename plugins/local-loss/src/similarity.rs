//! The gradient of the similarity loss.

use assay_sdk::{Error, Tensor, dot_over_units, mean_over_units, multiply, root};

/// Below this a column has no direction: it is divided by this instead of its norm.
const SMALLEST_NORM: f64 = 1e-8;

/// The columns of `z` centred over their units, divided by their norms, and the norms (1, B).
fn normalised(z: &Tensor) -> Result<[Tensor; 2], Error> {
    let centred = z.f_sub(&mean_over_units(z)?)?;
    let square = dot_over_units(&centred, &centred)?;
    root(&square)?;
    let norm = square.f_clamp_min(SMALLEST_NORM)?;
    Ok([centred.f_div(&norm)?, norm])
}

/// The similarities `nᵀ n` (B, B) of the columns of `n`.
fn similarities(n: &Tensor) -> Result<Tensor, Error> {
    let transposed = n.f_tr()?.f_contiguous()?;
    let samples = n.size()[1];
    let similarities = n.f_new_zeros([samples, samples], (n.kind(), n.device()))?;
    multiply(&transposed, n, &similarities)?;
    Ok(similarities)
}

/// R(y) − R(z) has this gradient by z, for the normalised columns of both, times `B²/4`.
pub(super) fn similarity_gradient(z: &Tensor, y: &Tensor) -> Result<Tensor, Error> {
    let ([n, norm], [t, _]) = (normalised(z)?, normalised(y)?);
    let difference = similarities(&n)?.f_sub(&similarities(&t)?)?; // R(Z) − R(y)
    let dn = n.f_zeros_like()?;
    multiply(&n, &difference, &dn)?;
    let along = dot_over_units(&n, &dn)?; // nᵀ dN
    let dz = dn.f_sub(&n.f_mul(&along)?)?.f_div(&norm)?;
    Ok(dz.f_sub(&mean_over_units(&dz)?)?)
}
