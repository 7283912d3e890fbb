//! `minimum/1`, since 1.1: what each algorithm promises to reach on a small task. It only declares;
//! the conformance kit measures.

use abi_stable::std_types::{RSlice, RStr};

use super::Extension;

/// The accuracy that one algorithm promises.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AlgorithmMinimum {
    algorithm: RStr<'static>,
    accuracy: f64,
}

impl AlgorithmMinimum {
    /// The promise that `algorithm`, with its default hyper-parameters, gets at least this share of
    /// the conformance kit's small task right: 0 to 1. `None` promises nothing, and crosses as a NaN.
    pub const fn new(algorithm: &'static str, accuracy: Option<f64>) -> Self {
        Self {
            algorithm: RStr::from_str(algorithm),
            accuracy: match accuracy {
                Some(accuracy) => accuracy,
                None => f64::NAN,
            },
        }
    }
}

/// The struct of `minimum/1`. An algorithm that it does not name promises nothing.
#[repr(C)]
pub(crate) struct Minimum {
    size: usize,
    algorithms: RSlice<'static, AlgorithmMinimum>,
}

// SAFETY: `#[repr(C)]`, starts with its size, frozen.
unsafe impl Extension for Minimum {
    const NAME: &'static str = "minimum/1";
}

impl Minimum {
    pub(crate) const fn new(algorithms: &'static [AlgorithmMinimum]) -> Self {
        Self {
            size: size_of::<Self>(),
            algorithms: RSlice::from_slice(algorithms),
        }
    }

    /// The accuracy that `algorithm` promises.
    pub(crate) fn of(&self, algorithm: &str) -> Option<f64> {
        let named = |it: &&AlgorithmMinimum| it.algorithm.as_str() == algorithm;
        let promised = self.algorithms.iter().find(named)?.accuracy;
        (!promised.is_nan()).then_some(promised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_promised_is_a_promise() {
        static PROMISES: [AlgorithmMinimum; 2] = [
            AlgorithmMinimum::new("careful", None),
            AlgorithmMinimum::new("bold", Some(0.9)),
        ];
        let minimum = Minimum::new(&PROMISES);
        assert_eq!(minimum.of("bold"), Some(0.9));
        assert_eq!(minimum.of("careful"), None);
        assert_eq!(minimum.of("unknown"), None);
    }
}
