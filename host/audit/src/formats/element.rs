//! The numbers in the bytes of a tensor, and how far two of them are apart.

use half::{bf16, f16};

/// A type of numbers; truth values are `U8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    U64,
    I32,
    U32,
    I16,
    U16,
    I8,
    U8,
}

/// Layout of an element of a tensor in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Its bytes; at least 1.
    pub(super) width: usize,
    /// The type of its value; nothing for what is not one real number, such as a complex one.
    pub(super) number: Option<Number>,
    /// Whether its first byte is the most significant.
    pub(super) big_endian: bool,
}

impl Element {
    /// Passes the value of every whole element to `each`: exact, but for integers beyond 2^53.
    pub(super) fn values(self, bytes: &[u8], each: impl FnMut(f64)) {
        let Some(number) = self.number else {
            return;
        };
        match number {
            Number::F64 => self.words(bytes, f64::from_le_bytes, each),
            Number::F32 => self.words(bytes, |word| f32::from_le_bytes(word).into(), each),
            Number::F16 => self.words(bytes, |word| f16::from_le_bytes(word).into(), each),
            Number::Bf16 => self.words(bytes, |word| bf16::from_le_bytes(word).into(), each),
            Number::I64 => self.words(bytes, |word| i64::from_le_bytes(word) as f64, each),
            Number::U64 => self.words(bytes, |word| u64::from_le_bytes(word) as f64, each),
            Number::I32 => self.words(bytes, |word| i32::from_le_bytes(word).into(), each),
            Number::U32 => self.words(bytes, |word| u32::from_le_bytes(word).into(), each),
            Number::I16 => self.words(bytes, |word| i16::from_le_bytes(word).into(), each),
            Number::U16 => self.words(bytes, |word| u16::from_le_bytes(word).into(), each),
            Number::I8 => self.words(bytes, |word| i8::from_le_bytes(word).into(), each),
            Number::U8 => self.words(bytes, |word| u8::from_le_bytes(word).into(), each),
        }
    }

    fn words<const N: usize>(
        self,
        bytes: &[u8],
        value: impl Fn([u8; N]) -> f64,
        mut each: impl FnMut(f64),
    ) {
        let (words, _) = bytes.as_chunks::<N>();
        for word in words {
            let mut word = *word;
            if self.big_endian {
                word.reverse();
            }
            each(value(word));
        }
    }

    /// The value of one element, if it is a number.
    pub(super) fn value(self, bytes: &[u8]) -> Option<f64> {
        let mut found = None;
        self.values(bytes, |value| found = Some(value));
        found
    }

    /// Distance of two floats, counted in representable values of the type; nothing for other types,
    /// and where one of them is not a number.
    pub(super) fn ulps(self, before: &[u8], now: &[u8]) -> Option<u64> {
        match self.number? {
            Number::F64 | Number::F32 | Number::F16 | Number::Bf16 => {}
            Number::I64
            | Number::U64
            | Number::I32
            | Number::U32
            | Number::I16
            | Number::U16
            | Number::I8
            | Number::U8 => return None,
        }
        if self.value(before)?.is_nan() || self.value(now)?.is_nan() {
            return None;
        }
        Some(self.rank(before)?.abs_diff(self.rank(now)?) as u64)
    }

    /// The place of a float among all of its type; both zeros have place 0.
    fn rank(self, bytes: &[u8]) -> Option<i128> {
        let mut padded = [0; 8];
        let word = padded.get_mut(..self.width)?;
        word.copy_from_slice(bytes.get(..self.width)?);
        if self.big_endian {
            word.reverse();
        }
        let bits = u64::from_le_bytes(padded);
        let sign = 1 << (8 * self.width - 1);
        let magnitude = i128::from(bits & (sign - 1));
        Some(if bits & sign == 0 {
            magnitude
        } else {
            -magnitude
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(number: Number, width: usize) -> Element {
        Element {
            width,
            number: Some(number),
            big_endian: false,
        }
    }

    #[test]
    fn neighbours_are_one_apart_and_the_zeros_are_one_number() {
        let (single, double) = (element(Number::F32, 4), element(Number::F64, 8));
        let apart = |before: f32, now: f32| single.ulps(&before.to_le_bytes(), &now.to_le_bytes());
        assert_eq!(apart(1.0, 1.0_f32.next_up()), Some(1));
        assert_eq!(apart(-0.0, 0.0), Some(0));
        let smallest = f32::from_bits(1);
        assert_eq!(apart(-smallest, smallest), Some(2));
        assert_eq!(apart(1.0, f32::NAN), None);
        let (least, most) = (f64::MIN.to_le_bytes(), f64::MAX.to_le_bytes());
        let expected = 2 * f64::MAX.to_bits();
        assert_eq!(double.ulps(&least, &most), Some(expected));
        let big = Element {
            big_endian: true,
            ..single
        };
        let (one, next) = (1.0_f32.to_be_bytes(), 1.0_f32.next_up().to_be_bytes());
        assert_eq!(
            (big.value(&one), big.ulps(&one, &next)),
            (Some(1.0), Some(1))
        );
    }

    #[test]
    fn narrow_floats_are_read_as_they_are() {
        let read = |number, bits: u16| {
            let value = element(number, 2).value(&bits.to_le_bytes());
            value.unwrap().to_bits()
        };
        let expected = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2_f64.powi(-24)),
            (0x8000, -0.0),
            (0xfc00, f64::NEG_INFINITY),
        ];
        for (bits, number) in expected {
            assert_eq!(read(Number::F16, bits), number.to_bits(), "{number}");
        }
        assert!(f64::from_bits(read(Number::F16, 0x7e00)).is_nan());
        assert_eq!(read(Number::Bf16, 0x3f80), 1_f64.to_bits());
        assert_eq!(read(Number::Bf16, 0xc040), (-3_f64).to_bits());
    }
}
