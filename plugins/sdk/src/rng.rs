//! Random numbers that depend on a seed and a tensor's name and on nothing else.
//!
//! The generator is the extendable output of BLAKE3: the same bits for every algorithm, device,
//! libtorch version and order of calls. It never uses libtorch's random state.

/// Separates these streams from every other use of BLAKE3; a change of it changes every
/// initial weight.
const CONTEXT: &str = "assay 2026-11 initial values of a named tensor";

/// The distribution of a tensor's first values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Initial {
    /// All zero.
    Zero,
    /// Uniform on ±`limit`.
    Uniform { limit: f64 },
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
                let limit = scale * (6.0 / (fan_in as f64 + fan_out as f64)).sqrt();
                uniform(seed, name, count, limit)
            }
            Self::Uniform { limit } => uniform(seed, name, count, limit),
        }
    }
}

/// `count` values uniform on ±`limit`.
fn uniform(seed: u64, name: &str, count: usize, limit: f64) -> Vec<f32> {
    let limit = limit as f32;
    let mut values = symmetric_uniform(seed, name, count);
    for value in &mut values {
        *value *= limit;
    }
    values
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

#[cfg(test)]
mod tests {
    use super::*;

    const GLOROT: Initial = Initial::Glorot {
        fan_in: 3,
        fan_out: 3,
        scale: 1.0,
    };

    /// A change of these values changes every network that was ever trained.
    #[test]
    fn the_stream_is_frozen() {
        assert_eq!(
            symmetric_uniform(0, "forward.1.weight", 4),
            [0.747_415_07, -0.161_756_63, -0.861_390_35, -0.767_745_5]
        );
        assert_eq!(
            symmetric_uniform(u64::MAX, "feedback.2.weight", 4),
            [-0.757_103_8, 0.072_521_45, 0.287_749_77, 0.650_707_84]
        );
        // The limit for these fans is √(6 / 6) = 1.
        assert_eq!(
            GLOROT.values(0, "forward.1.weight", 4),
            symmetric_uniform(0, "forward.1.weight", 4)
        );
    }

    #[test]
    fn seed_and_name_decide_and_a_longer_stream_starts_the_same() {
        let values = symmetric_uniform(1, "a", 100);
        assert_eq!(symmetric_uniform(1, "a", 50), values[..50]);
        assert_ne!(symmetric_uniform(2, "a", 100), values);
        assert_ne!(symmetric_uniform(1, "b", 100), values);
    }

    #[test]
    fn glorot_values_have_the_bounds_and_the_variance_of_the_paper() {
        let initial = Initial::Glorot {
            fan_in: 200,
            fan_out: 100,
            scale: 0.5,
        };
        let values = initial.values(3, "forward.1.weight", 20_000);
        let limit = 0.5 * (6.0_f64 / 300.0).sqrt();
        assert!(values.iter().all(|&value| f64::from(value).abs() <= limit));
        let mean_square = values
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>()
            / 20_000.0;
        // The variance of a uniform is limit² / 3; 20,000 samples show it to about 0.6 %.
        assert!((mean_square / (limit * limit / 3.0) - 1.0).abs() < 0.03);
        assert_eq!(Initial::Zero.values(3, "forward.1.bias", 3), [0.0; 3]);
    }
}
