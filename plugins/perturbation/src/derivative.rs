//! The derivative of every sample's loss along a direction, (1, B).

use assay_sdk::{Error, Pass, Temporary, Tensor, add, clear, divide, dot_over_units};

/// `eᵀ ȧ_L` along `v_l` on every hidden `a_l`.
pub(super) fn along_activities(pass: &Pass<'_>, v: &[Temporary<'_>]) -> Result<Tensor, Error> {
    jvp(pass, |l, tangent| match v.get(l - 1) {
        Some(v) => add(tangent, v, tangent),
        None => Ok(()),
    })
}

/// `eᵀ ȧ_L` along `V_l` and `v_l` on every parameter.
pub(super) fn along_weights(pass: &Pass<'_>, v: &[[Tensor; 2]]) -> Result<Tensor, Error> {
    jvp(pass, |l, tangent| {
        let term = pass.temporary(l)?;
        pass.layer(l).affine_by(&v[l - 1], pass.h(l - 1), &term)?; // V_l h_{l-1} + v_l
        add(tangent, &term, tangent)
    })
}

/// `(CE(a + s v) − CE(a − s v))/2s` with `v_l` on every hidden `a_l` and s the `step`.
pub(super) fn difference(pass: &Pass<'_>, v: &[Temporary<'_>], step: f64) -> Result<Tensor, Error> {
    let [above, below] = [1.0, -1.0].map(|sign| -> Result<Tensor, Error> {
        let moved = pass.trace()?;
        moved.run_with(0, pass.h(0), |l, a| match v.get(l - 1) {
            Some(v) => add(a, &v.f_mul_scalar(sign * step)?, a),
            None => Ok(()),
        })?;
        pass.losses_of(moved.logits())
    });
    let difference = above?.f_sub(&below?)?;
    divide(&difference, 2.0 * step)?;
    Ok(difference.f_view([1, -1])?)
}

/// `eᵀ ȧ_L`, where `perturb(l, ȧ_l)` adds the direction to `W_l ḣ_{l-1}`.
fn jvp(
    pass: &Pass<'_>,
    perturb: impl Fn(usize, &Tensor) -> Result<(), Error>,
) -> Result<Tensor, Error> {
    let mut tangent = pass.temporary(0)?;
    clear(&tangent)?; // ḣ_0 = 0
    for l in 1..=pass.depth() {
        let next = pass.temporary(l)?;
        pass.layer(l).linear(&tangent, &next)?; // W_l ḣ_{l-1}
        perturb(l, &next)?;
        if l < pass.depth() {
            pass.tangent(l, &next)?; // ∘ φ'(a_l)
        }
        tangent = next;
    }
    let along = dot_over_units(pass.output_delta(), &tangent)?;
    Ok(along.f_mul_scalar(pass.samples() as f64)?)
}
