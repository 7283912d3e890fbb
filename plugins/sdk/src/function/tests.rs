//! Tanh and the exponential against the library's in 64-bit floats, for every float that matters; the
//! softmax against its definition; and all instructions against each other, bit for bit.

use proptest::prelude::*;
use tch::{Kind, Tensor};

use super::exponential::{Logistic, exponential};
use super::tanh::{Derivative, Tanh};
use super::*;
use crate::instructions::available;

/// The largest error that the documentation allows, in units in the last place.
const ULPS: f64 = 1.5;

/// `log Σ e^a` of each sample, of which the softmax is written into `out`.
fn logarithms(a: &Tensor, out: &Tensor) -> Vec<f64> {
    match softmax(a, out).unwrap() {
        Denominators::Known(logs) => logs,
        _ => panic!("not in main memory"),
    }
}

fn tanh(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    Function::Tanh.apply(&mut values);
    values
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The distance of the floats around a positive number.
fn ulp(exact: f64) -> f64 {
    let nearest = exact as f32;
    let below = if f64::from(nearest) > exact {
        nearest.next_down()
    } else {
        nearest
    };
    f64::from(below.next_up()) - f64::from(below)
}

/// Fails unless `found`, for neighbouring or growing `values` ≥ 0, is close to tanh, and never
/// falls below the one before.
fn assert_close(values: &[f32], last: &mut f32) {
    for (&x, &found) in values.iter().zip(&tanh(values)) {
        let exact = f64::from(x).tanh();
        let error = (f64::from(found) - exact).abs();
        assert!(error <= ULPS * ulp(exact), "{found:e} for tanh {x:e}");
        assert!(
            (*last..=1.0).contains(&found),
            "{found:e} for tanh {x:e} after {last:e}"
        );
        *last = found;
    }
}

#[test]
fn tanh_is_close_and_monotone() {
    // Below 2⁻¹³ nothing is left of x³/3 but a rounding, above 16 all is 1: there every float
    // would tell what some do.
    let all = 2_f32.powi(-13).to_bits()..=16_f32.to_bits();
    let below = (0..*all.start()).step_by(1021);
    let above = (*all.end()..=f32::INFINITY.to_bits()).step_by(1021);
    let mut last = 0.0;
    let mut block = Vec::new();
    for x in below.chain(all).chain(above).map(f32::from_bits) {
        block.push(x);
        if block.len() == 4096 {
            assert_close(&block, &mut last);
            block.clear();
        }
    }
    assert_close(&block, &mut last);
}

#[test]
fn all_instructions_give_the_same_bits_and_tanh_is_odd() {
    // Positive numbers, infinity and what is none, then the negative ones of the same bits.
    let positive: Vec<_> = (0..=u32::MAX >> 1)
        .step_by(997)
        .map(f32::from_bits)
        .collect();
    let negative: Vec<_> = positive.iter().map(|x| -x).collect();
    let expected = tanh(&positive);
    for instructions in available() {
        let (mut up, mut down) = (positive.clone(), negative.clone());
        instructions.run(Tanh(&mut up));
        instructions.run(Tanh(&mut down));
        for (((x, expected), up), down) in positive.iter().zip(&expected).zip(up).zip(down) {
            if x.is_nan() {
                assert!(up.is_nan() && down.is_nan(), "{instructions:?}");
                continue;
            }
            assert_eq!(up.to_bits(), expected.to_bits(), "{instructions:?}, {x:e}");
            assert_eq!((-down).to_bits(), up.to_bits(), "{instructions:?}, -{x:e}");
        }
    }
}

#[test]
fn tanh_of_the_smallest_is_itself_and_of_the_largest_one() {
    let smallest = [0.0, -0.0, 1e-45, -1e-45, f32::MIN_POSITIVE, 1e-5, -1e-5];
    assert_eq!(bits(&tanh(&smallest)), bits(&smallest));
    let largest = [9.02, 10.0, 10.01, 1e30, f32::MAX, f32::INFINITY];
    assert_eq!(tanh(&largest), [1.0; 6]);
    assert!(tanh(&[f32::NAN])[0].is_nan());
}

#[test]
fn floats_of_64_bits_are_left_to_libtorch() {
    let values = [-20.0_f64, -1.0, -1e-9, 0.0, 0.3, 2.0];
    let tensor = Tensor::from_slice(&values);
    let delta = Tensor::from_slice(&[2.0; 6]);
    Function::Tanh.apply_to(&tensor).unwrap();
    Function::Tanh.multiply_derivative(&delta, &tensor).unwrap();
    let (found, slope) = (list(&tensor), list(&delta));
    for (x, (found, slope)) in values.iter().zip(found.iter().zip(slope)) {
        assert!((found - x.tanh()).abs() < 1e-15, "{found} for tanh {x}");
        assert!((slope - 2.0 * (1.0 - found * found)).abs() < 1e-15);
    }
}

#[test]
fn the_positive_part_keeps_what_is_no_number() {
    let mut values = [
        -3.0,
        -0.0,
        0.0,
        2.5,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    let h = values;
    Function::Relu.apply(&mut values);
    assert_eq!(values[..6], [0.0, 0.0, 0.0, 2.5, f32::INFINITY, 0.0]);
    assert!(values[6].is_nan());
    let delta = Tensor::from_slice(&[7.0_f32; 6]);
    let h = Tensor::from_slice(&h[..6]);
    Function::Relu.multiply_derivative(&delta, &h).unwrap();
    assert_eq!(list(&delta), [0.0, 0.0, 0.0, 7.0, 7.0, 0.0]);
    for kind in [Kind::Float, Kind::Double] {
        let values = Tensor::from_slice(&[-1.0, 0.5, f64::NAN]).to_kind(kind);
        Function::Relu.apply_to(&values).unwrap();
        let found = list(&values);
        assert_eq!(found[..2], [0.0, 0.5]);
        assert!(found[2].is_nan(), "{kind:?}");
    }
}

#[test]
fn normalisation_in_32_bits_is_that_of_libtorch_in_64() {
    let values: Vec<f32> = (0..7 * 5).map(|at| ((at * 29) % 23) as f32 - 9.0).collect();
    let both = [Kind::Float, Kind::Double].map(|kind| {
        let z = Tensor::from_slice(&values).view([7, 5]).to_kind(kind);
        let normalised = Normalised::like(&z).unwrap();
        let delta = z.sin();
        normalised.take(&z).unwrap();
        normalised.multiply_jacobian(&delta, &z).unwrap();
        [list(&z.view(-1)), list(&delta.view(-1))]
    });
    for (found, expected) in both[0].iter().flatten().zip(both[1].iter().flatten()) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
}

#[test]
fn a_derivative_of_another_shape_is_refused() {
    let (delta, h) = (
        Tensor::zeros([3], (Kind::Float, tch::Device::Cpu)),
        [0.0; 4],
    );
    assert!(
        Function::Tanh
            .derivative(&delta, &Tensor::from_slice(&h))
            .is_err()
    );
}

fn list(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double)).unwrap()
}

fn vectors() -> impl Strategy<Value = Vec<(f32, f32)>> {
    let value = prop_oneof![-1.0..1.0_f32, -12.0..12.0_f32, any::<f32>()];
    proptest::collection::vec((value, -1.0..1.0_f32), 0..80)
}

proptest! {
    #[test]
    fn a_value_is_the_same_wherever_it_lies(pairs in vectors()) {
        let (values, h): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let each: Vec<_> = values.iter().flat_map(|&x| tanh(&[x])).collect();
        let expected: Vec<_> = values.iter().zip(&h).map(|(d, h)| d * (-h).mul_add(*h, 1.0)).collect();
        for instructions in available() {
            let mut found = values.clone();
            instructions.run(Tanh(&mut found));
            prop_assert_eq!(bits(&found), bits(&each), "{:?}", instructions);
        }
        for instructions in available() {
            let mut delta = values.clone();
            instructions.run(Derivative { delta: &mut delta, h: &h });
            prop_assert_eq!(bits(&delta), bits(&expected), "{:?}", instructions);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    // A last chunk that is not whole.
    let size = 3 * CHUNK + 7;
    let values: Vec<_> = (0..size).map(|at| at as f32 * 1e-4 - 2.0).collect();
    let computed = |threads| {
        tch::set_num_threads(threads);
        let (h, delta) = (Tensor::from_slice(&values), Tensor::from_slice(&values));
        Function::Tanh.apply_to(&h).unwrap();
        Function::Tanh.multiply_derivative(&delta, &h).unwrap();
        [h, delta].map(|it| bits(&Vec::<f32>::try_from(it).unwrap()))
    };
    let alone = computed(1);
    assert!(alone[0] == bits(&tanh(&values)));
    // Not with the vectors themselves, which a failure would print.
    assert!(computed(2) == alone && computed(3) == alone);
}

#[test]
fn the_exponential_is_within_one_unit_in_the_last_place() {
    // Every 37th float of those for which it is neither zero nor infinite.
    let below = (0..=104_f32.to_bits())
        .step_by(37)
        .map(|bits| -f32::from_bits(bits));
    let above = (0..=89_f32.to_bits()).step_by(37).map(f32::from_bits);
    for x in below.chain(above) {
        let (exact, found) = (f64::from(x).exp(), exponential(x));
        if exact > f64::from(f32::MAX) {
            assert!(found >= f32::MAX, "{found:e} for e^{x:e}");
            continue;
        }
        // Below the normal floats a unit is that of the smallest of them.
        let unit = ulp(exact.max(f64::from(f32::MIN_POSITIVE)));
        let error = (f64::from(found) - exact).abs();
        assert!(
            error <= unit,
            "{found:e} for e^{x:e}, off by {}",
            error / unit
        );
    }
}

#[test]
fn the_exponential_has_its_limits() {
    let (least, most) = (f32::NEG_INFINITY, f32::INFINITY);
    for (x, expected) in [(0.0, 1.0), (least, 0.0), (-150.0, 0.0), (most, most)] {
        assert_eq!(exponential(x).to_bits(), f32::to_bits(expected), "{x}");
    }
    assert!(exponential(f32::NAN).is_nan());
}

#[test]
fn the_logistic_function_is_close_and_has_the_same_bits_with_all_instructions() {
    let values: Vec<_> = (0..=90_f32.to_bits())
        .step_by(997)
        .flat_map(|bits| [f32::from_bits(bits), -f32::from_bits(bits)])
        .chain([f32::INFINITY, f32::NEG_INFINITY, f32::NAN])
        .collect();
    let all: Vec<_> = available()
        .map(|instructions| {
            let mut found = values.clone();
            instructions.run(Logistic(&mut found));
            found
        })
        .collect();
    for (at, &z) in values.iter().enumerate() {
        if z.is_nan() {
            assert!(all.iter().all(|found| found[at].is_nan()));
            continue;
        }
        let (exact, found) = (1.0 / (1.0 + (-f64::from(z)).exp()), all[0][at]);
        // From 89 down the exponential is infinite, and the quotient zero.
        let error = (f64::from(found) - exact).abs();
        let close = if z > -88.0 { 3.0 * ulp(exact) } else { 1e-38 };
        assert!(error <= close, "{found:e} for {z:e}");
        assert!(
            all.iter().all(|it| it[at].to_bits() == found.to_bits()),
            "{z:e}"
        );
    }
}

#[test]
fn the_softmax_is_its_definition_and_far_logits_do_no_harm() {
    let logits = [
        [1.0_f32, -2.0, 0.5, 1000.0],
        [0.0, -2.0, 88.0, -1000.0],
        [3.0, -2.0, -200.0, 999.0],
    ];
    let a = Tensor::from_slice2(&logits);
    let out = a.zeros_like();
    let logs = logarithms(&a, &out);
    for sample in 0..4 {
        let of_sample = logits.map(|row| f64::from(row[sample]));
        let largest = of_sample.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = of_sample.iter().map(|a| (a - largest).exp()).sum();
        assert!((logs[sample] - largest - sum.ln()).abs() < 1e-7 * logs[sample].abs().max(1.0));
        for (unit, a) in of_sample.into_iter().enumerate() {
            let found = out.double_value(&[unit as i64, sample as i64]);
            let exact = (a - largest).exp() / sum;
            assert!(
                (found - exact).abs() <= 2e-7 * exact + 1e-45,
                "{found:e} for {exact:e}"
            );
        }
    }
}

#[test]
fn a_logit_that_is_no_number_makes_none_of_its_sample_alone() {
    let a = Tensor::from_slice2(&[[1.0_f32, f32::NAN], [2.0, 0.0]]);
    let out = a.zeros_like();
    let logs = logarithms(&a, &out);
    assert!(logs[0].is_finite() && logs[1].is_nan());
    assert!(out.double_value(&[1, 0]).is_finite() && out.double_value(&[1, 1]).is_nan());
}
