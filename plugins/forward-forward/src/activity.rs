//! The activity of hidden layers for inputs shown with a label.

use assay_sdk::{
    Error, Layers, Temporary, Tensor, TrainedMap, add, copy, divide, dot_over_units, logistic, root,
};

/// Below this the root mean square of activity is taken for this.
const QUIET: f64 = 1e-8;

/// Activities of one pass; place l holds those of layer l, the first place those of x.
pub(super) struct Activity<'a> {
    layers: Layers<'a>,
    pub(super) h: Vec<Temporary<'a>>,
    /// `u_0` to `u_{L-1}`
    pub(super) u: Vec<Temporary<'a>>,
}

impl<'a> Activity<'a> {
    /// Hidden activities for inputs `x` and labels `t` (C, B), which the map `label` adds to the first
    /// layer.
    pub(super) fn new(
        layers: Layers<'a>,
        label: &TrainedMap,
        [x, t]: [&Tensor; 2],
    ) -> Result<Self, Error> {
        let (h, u) = (layers.activities()?, layers.activities()?);
        copy(x, &u[0])?;
        for l in 1..layers.depth() {
            layers.layer(l).forward(&u[l - 1], &h[l])?; // W_l u_{l-1} + b_l
            if l == 1 {
                let shown = layers.temporary(1)?;
                label.apply(t, &shown)?; // Λ t
                add(&h[1], &shown, &h[1])?;
            }
            layers.layer(l).activate(&h[l])?;
            let norm = goodness(&h[l])?;
            divide(&norm, h[l].size()[0] as f64)?;
            root(&norm)?;
            copy(&h[l].f_div(&norm.f_clamp_min(QUIET)?)?, &u[l])?;
        }
        Ok(Self { layers, h, u })
    }

    /// `δ_l`, (`n_l`, B), with the threshold θ and τ.
    pub(super) fn delta(&self, l: usize, threshold: f64, tau: f64) -> Result<Tensor, Error> {
        let h = &self.h[l];
        let [units, samples] = [h.size()[0] as f64, h.size()[1] as f64];
        let z = goodness(h)?.f_sub_scalar(threshold * units)?;
        logistic(&z)?;
        let slope = z.f_sub_scalar(tau)?; // σ(z) − τ
        let delta = h.f_mul(&slope)?;
        divide(&delta, samples)?; // /2B · 2 h
        self.layers.layer(l).derivative(&delta, h)?; // ∘ φ'(a_l)
        Ok(delta)
    }
}

/// `Σ h²` over the units, (1, B).
pub(super) fn goodness(h: &Tensor) -> Result<Tensor, Error> {
    dot_over_units(h, h)
}

/// Equal shares of all classes, (C, B).
pub(super) fn neutral(like: &Tensor) -> Result<Tensor, Error> {
    Ok(like.f_full_like(1.0 / like.size()[0] as f64)?)
}
