//! Local losses (pred, sim, predsim) as an Assay plugin.
//!
//! Every hidden layer has losses of its own and no error crosses a layer. With heads `H_l`, `c_l` and
//! similarity maps `S_l`, trained with the layer,
//! ```text
//! pred  CE(softmax(H_l h_l + c_l), y)                         u_p = H_lᵀ (q − y)/B
//! sim   ‖R(S_l h_l) − R(y)‖²/B²                               u_s = S_lᵀ dz
//! δ_l = ((1 − β) u_p + β u_s) ∘ φ'(a_l)                     the output layer: δ_L = e/B
//! ```
//! where q is the head's softmax, and R(Z) centres each sample's column over its units, divides it by its
//! norm, and takes all B × B inner products. With z̃ the centred column, `n = z̃/‖z̃‖`, N their matrix and
//! `D = 4/B² (R(Z) − R(y))`: `dN = N D`, `dz = (dN − n (nᵀ dN))/‖z̃‖`, less its mean over the units.
//! pred has β = 0, sim β = 1. Heads start at zero, so pred moves no hidden layer in the first step.
//! All layers learn from one pass; the authors update each before the next computes.

mod settings;
mod similarity;

use assay_sdk::network::{NetworkKind, Refusal};
use assay_sdk::{
    Algorithm, Connection, Directions, Error, Pass, Setup, Tensor, TrainedMap, add, scale, subtract,
};

use settings::{Losses, Settings};
use similarity::similarity_gradient;

struct LocalLoss {
    /// `H_l`, `c_l` for l = 1..L-1; none for sim.
    heads: Vec<TrainedMap>,
    /// `S_l` for l = 1..L-1; none for pred.
    similarities: Vec<TrainedMap>,
    beta: f64,
}

impl LocalLoss {
    /// Writes the directions of the head and `(1 − β) u_p` into `u`.
    fn classify(
        &self,
        head: &TrainedMap,
        pass: &Pass<'_>,
        out: &mut Directions<'_>,
        u: &Tensor,
    ) -> Result<(), Error> {
        let (h, logits) = (pass.h(head.layer()), pass.temporary(pass.depth())?);
        let error = pass.temporary(pass.depth())?;
        head.apply(h, &logits)?;
        pass.error_of(&logits, &error)?; // q − y
        scale(&error, 1.0 / pass.samples() as f64)?;
        out.map(head, &error, h)?; // (q − y) hᵀ/B
        head.transposed(&error, u)?;
        scale(u, 1.0 - self.beta)
    }

    /// Writes the direction of the similarity map and `β u_s` into `u`.
    fn compare(
        &self,
        map: &TrainedMap,
        pass: &Pass<'_>,
        out: &mut Directions<'_>,
        u: &Tensor,
    ) -> Result<(), Error> {
        let (h, z) = (pass.h(map.layer()), pass.temporary(map.layer())?);
        map.apply(h, &z)?; // S h
        let dz = similarity_gradient(&z, pass.target())?;
        scale(&dz, 4.0 / (pass.samples() as f64).powi(2))?;
        let dz = dz.f_contiguous()?;
        out.map(map, &dz, h)?; // dz hᵀ
        map.transposed(&dz, u)?;
        scale(u, self.beta)
    }
}

impl Algorithm for LocalLoss {
    type Config = Settings;

    const NAME: &'static str = "local-loss";
    const SUMMARY: &'static str =
        "Local losses: every hidden layer learns to predict the class, and to tell classes apart.";
    const REFERENCE: &'static str = "Nøkland & Eidnes (2019), Training neural networks with local \
         error signals, ICML 36";
    const TRANSPORTS: &'static str =
        "nothing: every layer has a classifier and a similarity map of its own";
    const PORTABLE: bool = true;

    fn refusals() -> Vec<Refusal> {
        let classes = "its losses compare classes, and this network reconstructs";
        let dense = "similarity maps connect every unit of a layer with every other, which takes fully \
                     connected layers; `losses = \"pred\"` takes any";
        vec![
            Refusal::of(NetworkKind::Reconstruction, classes),
            Refusal::of(NetworkKind::HiddenWindows, dense).when("losses", ["sim", "predsim"]),
        ]
    }

    fn new(setup: &mut Setup<'_>, config: &Settings) -> Result<Self, Error> {
        let layers = 1..setup.model().depth();
        let head = |l| Connection::head(l).with_bias().scaled(0.0);
        let (heads, similarities, beta) = match config.losses {
            Losses::Pred => (layers.clone(), 0..0, 0.0),
            Losses::Sim => (0..0, layers.clone(), 1.0),
            Losses::Predsim => (layers.clone(), layers.clone(), config.beta),
        };
        let heads = setup.trained("head", &config.optimiser, heads.map(head))?;
        let similarities = similarities.map(Connection::within);
        Ok(Self {
            heads,
            similarities: setup.trained("similarity", &config.optimiser, similarities)?,
            beta,
        })
    }

    fn directions(&mut self, pass: &Pass<'_>, out: &mut Directions<'_>) -> Result<(), Error> {
        out.gradient(pass.depth(), pass.output_delta())?; // δ_L = e/B
        for l in 1..pass.depth() {
            let (delta, term) = (pass.scratch(l), pass.temporary(l)?);
            match (self.heads.get(l - 1), self.similarities.get(l - 1)) {
                (Some(head), None) => self.classify(head, pass, out, delta)?,
                (None, Some(map)) => self.compare(map, pass, out, delta)?,
                (Some(head), Some(map)) => {
                    self.classify(head, pass, out, delta)?;
                    self.compare(map, pass, out, &term)?;
                    add(delta, &term, delta)?;
                }
                (None, None) => subtract(delta, delta, delta)?,
            }
            pass.derivative(l, delta)?; // ∘ φ'(a_l)
            out.gradient(l, delta)?;
        }
        Ok(())
    }
}

assay_sdk::export_plugin!(
    name = "local-loss",
    description = "Local losses: pred, sim and predsim.",
    algorithms = [LocalLoss],
);
