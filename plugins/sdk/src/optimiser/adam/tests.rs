use proptest::prelude::*;
use tch::Tensor;

use super::kernel::{CHUNK, Divisor, update, update_portable};
use super::{Adam, Span, update_tensors};

/// Coefficients do not depend on the elements.
const WHOLE: Span = Span {
    elements: 0..0,
    rate: 1.0,
    epsilon: 1.0,
};

/// The formula of the module's documentation, in f64.
fn reference(adam: Adam, steps: &[Vec<f32>], start: &[f32]) -> Vec<f64> {
    let mut values: Vec<f64> = start.iter().copied().map(f64::from).collect();
    let mut first = vec![0.0; start.len()];
    let mut second = vec![0.0; start.len()];
    for (t, gradients) in (1..).zip(steps) {
        for i in 0..start.len() {
            let gradient = f64::from(gradients[i]);
            first[i] = adam.beta1 * first[i] + (1.0 - adam.beta1) * gradient;
            second[i] = adam.beta2 * second[i] + (1.0 - adam.beta2) * gradient * gradient;
            let m_hat = first[i] / (1.0 - adam.beta1.powi(t));
            let v_hat: f64 = second[i] / (1.0 - adam.beta2.powi(t));
            values[i] -= adam.learning_rate * m_hat / (v_hat.sqrt() + adam.epsilon);
        }
    }
    values
}

fn runs() -> impl Strategy<Value = (Adam, Vec<Vec<f32>>, Vec<f32>)> {
    let adam = (1e-5..1e-1, 0.0..0.99, 0.9..0.9999, 1e-8..1e-3).prop_map(
        |(learning_rate, beta1, beta2, epsilon)| Adam {
            learning_rate,
            beta1,
            beta2,
            epsilon,
        },
    );
    (1..40_usize, 1..20_usize).prop_flat_map(move |(size, steps)| {
        let gradient = prop_oneof![Just(0.0_f32), -1.0..1.0_f32, -1e-6..1e-6_f32];
        let step = proptest::collection::vec(gradient, size);
        let start = proptest::collection::vec(-1.0..1.0_f32, size);
        (adam.clone(), proptest::collection::vec(step, steps), start)
    })
}

/// Every value moves by about the learning rate a step, so rounding (of second moments near
/// zero above all) is compared with the way that was moved.
fn close(adam: Adam, steps: usize, found: &[f32], expected: &[f64]) -> bool {
    let tolerance = 1e-6 + 1e-3 * adam.learning_rate * steps as f64;
    found
        .iter()
        .zip(expected)
        .all(|(&found, expected)| (f64::from(found) - expected).abs() <= tolerance)
}

#[test]
fn moments_that_fade_end_at_zero() {
    let adam = Adam {
        beta2: 0.9,
        ..Adam::default()
    };
    let (mut value, mut first, mut second) = ([0.5], [0.0], [0.0]);
    for t in 1..2000 {
        let gradient = if t == 1 { [1.0] } else { [0.0] };
        let _ = update(
            adam.coefficients(t, &WHOLE),
            &mut value,
            &gradient,
            &mut first,
            &mut second,
        );
    }
    assert_eq!((first, second), ([0.0], [0.0]));
}

#[test]
fn a_corrected_quotient_is_a_divisions() {
    let same = |root: f32, by: f32| {
        let (found, expected) = (Divisor::new(by).quotient::<true>(root), root / by);
        assert_eq!(found.to_bits(), expected.to_bits(), "{root:e} / {by:e}");
    };
    let corrections = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0 - f64::EPSILON / 2.0]
        .into_iter()
        .flat_map(|beta2| [1, 2, 3, 10, 100, 5000].map(|step| (beta2, step)))
        .map(|(beta2, step)| {
            let adam = Adam {
                beta2,
                ..Adam::default()
            };
            adam.coefficients(step, &WHOLE).root_correction
        });
    // One with all bits set, and its neighbours.
    let special = [1.0_f32.next_down(), 0.5_f32.next_up(), 0.5_f32.next_down()];
    for by in corrections.chain(special) {
        for root in [
            0.0,
            f32::MIN_POSITIVE.sqrt(),
            f32::MAX.sqrt(),
            f32::INFINITY,
        ] {
            same(root, by);
        }
        assert!(Divisor::new(by).quotient::<true>(f32::NAN).is_nan());
        // Every 61st of all significands, each with another exponent.
        for significand in (0..1_u32 << 23).step_by(61) {
            let exponent = 64 + significand % 127;
            same(f32::from_bits(exponent << 23 | significand), by);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    // A last chunk that is not whole.
    let size = 5 * CHUNK + 7;
    let some = |seed: u64| -> Vec<f32> {
        let mut random = seed;
        let mut next = || {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (random >> 40) as f32 / (1 << 24) as f32
        };
        (0..size).map(|_| next()).collect()
    };
    let (gradients, start) = (some(1), (some(2), some(3), some(4)));
    let updated = |threads| {
        let (mut values, mut first, mut second) = start.clone();
        let c = Adam::default().coefficients(3, &WHOLE);
        tch::set_num_threads(threads);
        update(c, &mut values, &gradients, &mut first, &mut second);
        [values, first, second].map(|it| it.into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let alone = updated(1);
    assert_ne!(
        alone[0],
        start.0.iter().map(|it| it.to_bits()).collect::<Vec<_>>()
    );
    // Not with the arrays themselves, which a failure would print.
    assert!(updated(2) == alone && updated(3) == alone);
}

proptest! {
    #[test]
    fn the_fused_pass_follows_the_formula((adam, steps, start) in runs()) {
        let mut values = start.clone();
        let mut first = vec![0.0; start.len()];
        let mut second = first.clone();
        for (t, gradients) in (1..).zip(&steps) {
            update(adam.coefficients(t, &WHOLE), &mut values, gradients, &mut first, &mut second);
        }
        let expected = reference(adam, &steps, &start);
        prop_assert!(close(adam, steps.len(), &values, &expected), "{values:?} {expected:?}");
    }

    #[test]
    fn the_tensor_operations_follow_the_formula((adam, steps, start) in runs()) {
        let mut values = Tensor::from_slice(&start);
        let mut first = values.zeros_like();
        let mut second = values.zeros_like();
        for (t, gradients) in (1..).zip(&steps) {
            let gradients = Tensor::from_slice(gradients);
            update_tensors(adam.coefficients(t, &WHOLE), &mut values, &gradients, &mut first, &mut second)
                .unwrap();
        }
        let values = Vec::<f32>::try_from(values).unwrap();
        let expected = reference(adam, &steps, &start);
        prop_assert!(close(adam, steps.len(), &values, &expected), "{values:?} {expected:?}");
    }

    #[test]
    fn wide_registers_change_no_bit((adam, steps, start) in runs()) {
        let zeros = vec![0.0; start.len()];
        let mut wide = (start.clone(), zeros.clone(), zeros.clone());
        let mut plain = wide.clone();
        for (t, gradients) in (1..).zip(&steps) {
            let c = adam.coefficients(t, &WHOLE);
            update(c, &mut wide.0, gradients, &mut wide.1, &mut wide.2);
            update_portable::<true, false>(c, &mut plain.0, gradients, &mut plain.1, &mut plain.2);
        }
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&wide.0), bits(&plain.0));
        prop_assert_eq!(bits(&wide.1), bits(&plain.1));
        prop_assert_eq!(bits(&wide.2), bits(&plain.2));
    }
}
