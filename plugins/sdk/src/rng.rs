//! Random numbers that depend on a seed and a tensor's name and on nothing else.
//!
//! The generator is the extendable output of BLAKE3: the same bits for every algorithm, device,
//! libtorch version and order of calls. It never uses libtorch's random state.

/// Separates these streams from every other use of BLAKE3; a change of it changes every
/// initial weight.
const CONTEXT: &str = "assay 2026-11 initial values of a named tensor";

/// How a tensor begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Initial {
    /// All zero.
    Zero,
    /// Uniform on ±scale·√(6 / (`fan_in` + `fan_out`)) (Glorot & Bengio 2010).
    Glorot {
        fan_in: i64,
        fan_out: i64,
        scale: f64,
    },
}

impl Initial {
    /// `count` values for the tensor `name`, row-major.
    pub(crate) fn values(self, seed: u64, name: &str, count: usize) -> Vec<f32> {
        match self {
            Self::Zero => vec![0.0; count],
            Self::Glorot {
                fan_in,
                fan_out,
                scale,
            } => {
                let limit = (scale * (6.0 / (fan_in as f64 + fan_out as f64)).sqrt()) as f32;
                let mut values = symmetric_uniform(seed, name, count);
                for value in &mut values {
                    *value *= limit;
                }
                values
            }
        }
    }
}

/// `count` multiples of 2⁻²³, uniform on [-1, 1).
fn symmetric_uniform(seed: u64, name: &str, count: usize) -> Vec<f32> {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    let mut stream = hasher.finalize_xof();
    let mut bytes = vec![0; 4 * count];
    stream.fill(&mut bytes);
    bytes
        .chunks_exact(4)
        .map(|word| {
            let bits = u32::from_le_bytes([word[0], word[1], word[2], word[3]]) >> 8;
            // 24 bits minus 2²³ is exact in f32, and so is the division by a power of two.
            (f64::from(bits) / f64::from(1 << 23) - 1.0) as f32
        })
        .collect()
}
