//! Sign-symmetric feedback as an Assay plugin.
//!
//! Backpropagation with `W_lᵀ` replaced by weights of the same signs: `δ_L = e/B`,
//! `δ_{l-1} = (S_lᵀ δ_l) ∘ φ'(a_{l-1})`, where
//! ```text
//! uniform (uSF)  S_l = s_l sign(W_l)
//! fixed (frSF)   S_l = M_l ∘ sign(W_l), M_l = |Glorot-uniform|, drawn once
//! batch (brSF)   S_l = M_l ∘ sign(W_l), M_l = |N(0, s_l²)|, drawn for every batch
//! ```
//! and `s_l` is the standard deviation of W's first values, times `feedback_scale`. One bit of every
//! weight is transported, so these rules are not free of weight transport.

mod settings;

use assay_sdk::{Algorithm, Directions, Distribution, Draw, Error, Pass, Setup, Tensor};

use settings::{Magnitude, Output, Settings};

/// The magnitudes of one layer's feedback.
enum Magnitudes {
    /// `s_l`
    Uniform(f64),
    /// `M_l`
    Fixed(Tensor),
    /// `N(0, s_l²)`, shaped like `W_l`, and a buffer for it.
    Batch(Draw, Tensor),
    /// Those of `W_l` itself.
    Own,
}

impl Magnitudes {
    fn new(setup: &mut Setup<'_>, l: usize, config: &Settings) -> Result<Self, Error> {
        let scale = config.feedback_scale;
        let layer = setup.model().layer(l);
        if l == setup.model().depth() && config.output == Output::Transpose {
            return Ok(Self::Own);
        }
        let s = scale * layer.initial_deviation();
        Ok(match config.magnitude {
            Magnitude::Uniform => Self::Uniform(s),
            Magnitude::Fixed => Self::Fixed(setup.weight_feedback(l, scale)?.f_abs_()?),
            Magnitude::Batch => {
                let draw = setup.draw_weight("magnitude", l, Distribution::Normal(s))?;
                Self::Batch(draw, layer.weight().f_zeros_like()?)
            }
        })
    }

    /// `S_l`, for the weights `w` of layer l.
    fn feedback(&self, pass: &Pass<'_>, w: &Tensor) -> Result<Tensor, Error> {
        Ok(match self {
            Self::Uniform(s) => w.f_sign()?.f_mul_scalar_(*s)?,
            Self::Fixed(m) => w.f_sign()?.f_mul_(m)?,
            Self::Batch(draw, m) => {
                pass.draw(draw, m)?;
                w.f_sign()?.f_mul_(&m.f_abs()?)?
            }
            Self::Own => w.shallow_clone(),
        })
    }
}

struct SignSymmetry {
    /// Of the layers 2 to L.
    magnitudes: Vec<Magnitudes>,
}

impl Algorithm for SignSymmetry {
    type Config = Settings;

    const NAME: &'static str = "sign-symmetry";
    const SUMMARY: &'static str =
        "Sign-symmetry: errors go back through weights that share the signs of the forward ones.";
    const REFERENCE: &'static str = "Liao, Leibo & Poggio (2016), How important is weight symmetry in \
         backpropagation?, AAAI 30; Xiao, Chen, Liao & Poggio (2019), Biologically-plausible learning \
         algorithms can scale to large datasets, ICLR";
    const TRANSPORTS: &'static str = "the error, and one bit of every weight";
    const PORTABLE: bool = true;

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let magnitudes = (2..=setup.model().depth())
            .map(|l| Magnitudes::new(setup, l, config))
            .collect::<Result<_, _>>()?;
        Ok(Self { magnitudes })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        let mut delta = pass.output_delta(); // δ_L = e/B
        out.gradient(pass.depth(), delta)?;
        for (l, magnitudes) in (2..=pass.depth()).rev().zip(self.magnitudes.iter().rev()) {
            let (layer, below) = (pass.layer(l), pass.scratch(l - 1));
            let s = magnitudes.feedback(pass, layer.weight())?; // S_l
            layer.transposed_by(&s, delta, below)?; // S_lᵀ δ_l
            pass.derivative(l - 1, below)?; // ∘ φ'(a_{l-1})
            out.gradient(l - 1, below)?;
            delta = below;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "sign-symmetry",
    description = "Sign-symmetric feedback: uSF, frSF and brSF.",
    algorithms = [SignSymmetry],
);
