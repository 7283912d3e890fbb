//! The numbers of a tensor's bytes, and how far two of them are apart.

use half::{bf16, f16};
use safetensors::Dtype;

/// The value of an element, exact but for integers beyond 2^53; nothing for types that are no
/// numbers of whole bytes.
pub(super) fn value(dtype: Dtype, bytes: &[u8]) -> Option<f64> {
    Some(match dtype {
        Dtype::BOOL | Dtype::U8 => (*bytes.first()?).into(),
        Dtype::I8 => i8::from_le_bytes(bytes.try_into().ok()?).into(),
        Dtype::U16 => u16::from_le_bytes(bytes.try_into().ok()?).into(),
        Dtype::I16 => i16::from_le_bytes(bytes.try_into().ok()?).into(),
        Dtype::U32 => u32::from_le_bytes(bytes.try_into().ok()?).into(),
        Dtype::I32 => i32::from_le_bytes(bytes.try_into().ok()?).into(),
        Dtype::U64 => u64::from_le_bytes(bytes.try_into().ok()?) as f64,
        Dtype::I64 => i64::from_le_bytes(bytes.try_into().ok()?) as f64,
        Dtype::F16 => f16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
        Dtype::BF16 => bf16::from_le_bytes(bytes.try_into().ok()?).to_f64(),
        Dtype::F32 => f32::from_le_bytes(bytes.try_into().ok()?).into(),
        Dtype::F64 => f64::from_le_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

/// How many representable numbers of the type two floats are apart; nothing for other types, and
/// where one of them is not a number.
pub(super) fn ulps(dtype: Dtype, before: &[u8], now: &[u8]) -> Option<u64> {
    let bits = match dtype {
        Dtype::F16 | Dtype::BF16 => 16,
        Dtype::F32 => 32,
        Dtype::F64 => 64,
        _ => return None,
    };
    if value(dtype, before)?.is_nan() || value(dtype, now)?.is_nan() {
        return None;
    }
    let before = rank(bits, before)?;
    Some(before.abs_diff(rank(bits, now)?) as u64)
}

/// The place of a float of so many bits among all of its type; both zeros have place 0.
fn rank(bits: u32, bytes: &[u8]) -> Option<i128> {
    let mut padded = [0; 8];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let all = u64::from_le_bytes(padded);
    let sign = 1 << (bits - 1);
    let magnitude = i128::from(all & (sign - 1));
    Some(if all & sign == 0 {
        magnitude
    } else {
        -magnitude
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_apart_and_the_zeros_are_one_number() {
        let apart =
            |before: f32, now: f32| ulps(Dtype::F32, &before.to_le_bytes(), &now.to_le_bytes());
        assert_eq!(apart(1.0, 1.0_f32.next_up()), Some(1));
        assert_eq!(apart(-0.0, 0.0), Some(0));
        let smallest = f32::from_bits(1);
        assert_eq!(apart(-smallest, smallest), Some(2));
        assert_eq!(apart(1.0, f32::NAN), None);
        let (least, most) = (f64::MIN.to_le_bytes(), f64::MAX.to_le_bytes());
        let expected = 2 * f64::MAX.to_bits();
        assert_eq!(ulps(Dtype::F64, &least, &most), Some(expected));
    }

    #[test]
    fn narrow_floats_are_read_as_they_are() {
        let read = |dtype, bits: u16| value(dtype, &bits.to_le_bytes()).unwrap().to_bits();
        let expected = [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2_f64.powi(-24)),
            (0x8000, -0.0),
            (0xfc00, f64::NEG_INFINITY),
        ];
        for (bits, number) in expected {
            assert_eq!(read(Dtype::F16, bits), number.to_bits(), "{number}");
        }
        assert!(f64::from_bits(read(Dtype::F16, 0x7e00)).is_nan());
        assert_eq!(read(Dtype::BF16, 0x3f80), 1_f64.to_bits());
        assert_eq!(read(Dtype::BF16, 0xc040), (-3_f64).to_bits());
    }
}
