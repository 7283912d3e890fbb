//! Numbers that carry how far 32-bit arithmetic may be from them.
//!
//! The learners compute in 32-bit floats. Where terms cancel, what they find is off by much more
//! than a share of the result; this running error analysis tells by how much.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// The largest error of a single rounding to 32 bits, relative to the number.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// Expected errors that a number may be off. Roundings that reach a result by several ways are
/// not independent, and some operations round more than once: over two million numbers the largest
/// error was 6 times the expected one.
const SLACK: f64 = 16.0;

/// f32 carries 6e-8; the longest sums here have some thousand terms.
pub const TOLERANCE: f64 = 1e-5;

/// A value in 64 bits, and the error to expect of the same operations in 32 bits: to first order,
/// with every rounding as large as it can be and independent of the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Running {
    pub value: f64,
    /// In units of [`UNIT`].
    error: f64,
}

impl Running {
    /// The result of an operation, from its value and the error carried over from the operands; the
    /// rounding of the operation itself is added.
    fn rounded(value: f64, carried: f64) -> Self {
        Self {
            value,
            error: carried.hypot(value),
        }
    }

    pub fn tanh(self) -> Self {
        let value = self.value.tanh();
        Self::rounded(value, (1.0 - value * value) * self.error)
    }

    pub fn exp(self) -> Self {
        let value = self.value.exp();
        Self::rounded(value, value * self.error)
    }

    pub fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        Self::rounded(value, self.error / (2.0 * value))
    }

    pub fn ln(self) -> Self {
        Self::rounded(self.value.ln(), self.error / self.value)
    }

    /// True if a 32-bit number may have been found in the place of this one, which is an element
    /// of a tensor whose largest value is `scale`.
    fn admits(self, found: f32, scale: f64) -> bool {
        let difference = (f64::from(found) - self.value).abs();
        difference <= f64::max(TOLERANCE * scale, SLACK * UNIT * self.error)
    }
}

/// A number that is exact in 32 bits.
impl From<f64> for Running {
    fn from(value: f64) -> Self {
        Self { value, error: 0.0 }
    }
}

impl Add for Running {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::rounded(self.value + other.value, self.error.hypot(other.error))
    }
}

impl Sub for Running {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::rounded(self.value - other.value, self.error.hypot(other.error))
    }
}

impl Mul for Running {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let carried = (self.value * other.error).hypot(other.value * self.error);
        Self::rounded(self.value * other.value, carried)
    }
}

impl Div for Running {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let carried = self.error.hypot(value * other.error) / other.value;
        Self::rounded(value, carried)
    }
}

impl AddAssign for Running {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Running {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::default(), Add::add)
    }
}

/// Fails unless every number found is the expected one to 1e-5 of the tensor's largest, or as
/// close as 32 bits can be relied on to come.
pub fn assert_close(name: &str, found: &[f32], expected: &[Running]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let scale = largest(expected);
    for (at, (&found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            expected.admits(found, scale),
            "{name} {at}: {found:e} for {expected:?} in a tensor of {scale:e}"
        );
    }
}

/// Fails unless two computations in 64 bits agree to 1e-10 of the tensor's largest, or as closely
/// as 64 bits can be relied on to come.
pub fn assert_identical(name: &str, found: &[f64], expected: &[Running]) {
    const UNIT: f64 = f64::EPSILON / 2.0;
    assert_eq!(found.len(), expected.len(), "{name}");
    let scale = largest(expected);
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = f64::max(1e-10 * scale, SLACK * UNIT * expected.error);
        let difference = (found - expected.value).abs();
        assert!(
            difference <= allowed,
            "{name} {at}: {found:e} for {expected:?} in a tensor of {scale:e}"
        );
    }
}

fn largest(numbers: &[Running]) -> f64 {
    numbers.iter().map(|it| it.value.abs()).fold(0.0, f64::max)
}
