//! The gradient of the similarity loss.

use assay_sdk::{Error, Kind, Tensor};

/// Below this a column has no direction: it is divided by this instead of its norm.
const SMALLEST_NORM: f64 = 1e-8;

/// The columns of `z` centred over their units, divided by their norms, and the norms (1, B).
fn normalised(z: &Tensor) -> Result<[Tensor; 2], Error> {
    let mean = z.f_mean_dim(0_i64, true, None::<Kind>)?;
    let centred = z.f_sub(&mean)?;
    let square = centred
        .f_mul(&centred)?
        .f_sum_dim_intlist(0_i64, true, None::<Kind>)?;
    let norm = square.f_sqrt()?.f_clamp_min(SMALLEST_NORM)?;
    Ok([centred.f_div(&norm)?, norm])
}

/// R(y) − R(z) has this gradient by z, for the normalised columns of both, times `B²/4`.
pub(super) fn similarity_gradient(z: &Tensor, y: &Tensor) -> Result<Tensor, Error> {
    let ([n, norm], [t, _]) = (normalised(z)?, normalised(y)?);
    let difference = n.f_tr()?.f_mm(&n)?.f_sub_(&t.f_tr()?.f_mm(&t)?)?; // R(Z) − R(y)
    let dn = n.f_mm(&difference)?;
    let along = n.f_mul(&dn)?.f_sum_dim_intlist(0_i64, true, None::<Kind>)?; // nᵀ dN
    let dz = dn.f_sub(&n.f_mul(&along)?)?.f_div(&norm)?;
    Ok(dz.f_sub(&dz.f_mean_dim(0_i64, true, None::<Kind>)?)?)
}
