//! Variants of target propagation as a plugin's settings and as the reference, and their noise.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::host::SplitMix;
use super::state::State;
use super::targets::{Rule, TargetReference};

pub const ALGORITHMS: [&str; 4] = ["tp", "dtp", "sdtp", "ao-sdtp"];

/// A step that is not small: what it leaves of the targets of a deep network is then well above
/// the rounding of the 32-bit activations that they are differences of.
const ALPHA: f64 = 2.0;

/// The layers that an algorithm has inverses for, in a network of `depth` layers.
pub fn inverted(algorithm: &str, depth: usize) -> RangeInclusive<usize> {
    match algorithm {
        "tp" | "dtp" => 2..=depth - 1,
        _ => 2..=depth,
    }
}

/// Noise by layer, (B, `n_l`) row-major.
pub type Noise = BTreeMap<usize, Vec<f32>>;

/// Noise for every hidden layer below an inverse of a network of `widths`, `n_1` to `n_L`.
pub fn noise(algorithm: &str, widths: &[usize], samples: usize, seed: u64) -> Noise {
    let mut random = SplitMix(seed ^ 0x55);
    inverted(algorithm, widths.len())
        .map(|l| {
            let count = samples * widths[l - 2];
            let values = (0..count).map(|_| 0.3 * random.symmetric() as f32);
            (l - 1, values.collect())
        })
        .collect()
}

/// Noise as `directions` takes it.
pub fn noise_bytes(noise: &Noise, samples: usize) -> Vec<u8> {
    let mut tensors = State::default();
    for (l, values) in noise {
        let shape = [samples, values.len() / samples];
        tensors.insert(&format!("noise.{l}"), &shape, values);
    }
    tensors.to_bytes()
}

/// Larger inverse weights, so that differences do not fade on their way down.
pub fn strengthen(state: &mut State) {
    let names: Vec<_> = state.part("inverse.").0.into_keys().collect();
    for name in names.iter().filter(|name| name.ends_with(".weight")) {
        let larger: Vec<_> = state.f32(name).iter().map(|value| 2.0 * value).collect();
        state.set(name, &larger);
    }
}

/// The settings of a learner as the plugin and as the reference take them.
#[derive(Clone, Copy)]
pub struct Variant {
    pub algorithm: &'static str,
    pub denoising: bool,
    pub linear_auxiliary: bool,
}

impl Variant {
    pub fn hyperparameters(self) -> String {
        let loss = ["noise-preserving", "denoising"][usize::from(self.denoising)];
        let mut object = serde_json::json!({ "inverse_loss": loss });
        match self.algorithm {
            "tp" | "dtp" => object["alpha"] = ALPHA.into(),
            "ao-sdtp" => {
                let activation = ["tanh", "linear"][usize::from(self.linear_auxiliary)];
                object["auxiliary_units"] = 7.into();
                object["auxiliary_activation"] = activation.into();
            }
            _ => {}
        }
        object.to_string()
    }

    fn rule(self) -> Rule {
        match self.algorithm {
            "tp" => Rule::Tp(ALPHA),
            "dtp" => Rule::Dtp(ALPHA),
            _ => Rule::Sdtp,
        }
    }

    /// The reference for a saved state, with the inverses that the algorithm has.
    pub fn reference(self, state: &State, reconstructs: bool) -> TargetReference {
        let mut reference = TargetReference {
            linear_auxiliary: self.linear_auxiliary,
            ..TargetReference::new(state, self.rule(), self.denoising)
        };
        reference.network.reconstructs = reconstructs;
        let layers = reference.inverses.keys().copied();
        assert!(layers.eq(inverted(self.algorithm, reference.network.depth())));
        reference
    }
}
