use proptest::prelude::*;

use super::*;

const STREAM: Stream = Stream {
    key: 0x0123_4567_89ab_cdef,
    layer: 3,
    step: 5,
};

fn normals(stream: Stream, count: usize) -> Vec<f32> {
    let mut values = vec![f32::NAN; count];
    fill(stream, 1.0, &mut values);
    values
}

/// The formula in the documentation of `box_muller`, in f64 with the library's functions.
fn exact(radius: u32, direction: u32) -> [f64; 2] {
    let u = f64::from((radius >> 8) + 1) / f64::from(1 << 24);
    let angle = ((f64::from(direction >> 10) + 0.5) / f64::from(1 << 22) - 0.5)
        * std::f64::consts::FRAC_PI_2;
    let length = (-2.0 * u.ln()).sqrt();
    let sign = if direction & 1 == 0 { 1.0 } else { -1.0 };
    let (along, across) = (sign * length * angle.cos(), length * angle.sin());
    if direction & 2 == 0 {
        [across, along]
    } else {
        [along, across]
    }
}

/// Fails unless |found − expected| is a few roundings of a number of that size.
fn assert_close(radius: u32, direction: u32) {
    let [x, y] = box_muller([radius; LANES], [direction; LANES]);
    for (found, expected) in [x[0], y[0]].into_iter().zip(exact(radius, direction)) {
        let error = (f64::from(found) - expected).abs();
        assert!(error < 2e-6, "{radius} {direction}: {found} {expected}");
    }
}

proptest! {
    #[test]
    fn the_transform_is_exact_to_rounding(radius: u32, direction: u32) {
        assert_close(radius, direction);
    }

    #[test]
    fn wide_registers_change_no_bit(key: u64, layer: u32, step: u64, count in 0..200_usize) {
        let stream = Stream { key, layer, step };
        let (mut wide, mut plain) = (vec![0.0; count], vec![0.0; count]);
        fill(stream, 0.3, &mut wide);
        fill_portable(stream, 0.3, &mut plain);
        prop_assert_eq!(wide, plain);
    }

    #[test]
    fn a_longer_draw_starts_with_the_shorter(count in 0..200_usize) {
        prop_assert_eq!(&normals(STREAM, 200)[..count], normals(STREAM, count));
    }
}

#[test]
fn the_ends_of_the_range_are_finite() {
    for radius in [0, 1 << 8, u32::MAX - (1 << 8), u32::MAX] {
        for direction in [0, 1, 2, 3, 1 << 10, u32::MAX] {
            assert_close(radius, direction);
        }
    }
}

/// A change of these values changes every training that draws noise.
#[test]
fn the_stream_is_frozen() {
    let values: Vec<_> = normals(STREAM, 33).into_iter().step_by(8).collect();
    assert_eq!(
        values,
        [
            0.737_500_25,
            -3.347_643_9,
            1.159_099_7,
            0.074_708_9,
            0.307_127_36
        ]
    );
}

#[test]
fn the_numbers_are_normal() {
    let count = 1_000_000;
    let mut values: Vec<_> = normals(STREAM, count).into_iter().map(f64::from).collect();
    let moment = |power| values.iter().map(|x| x.powi(power)).sum::<f64>() / count as f64;
    // The standard errors of the first four moments are √(1, 2, 15, 96) / 1000.
    for (power, expected, error) in [
        (1, 0.0, 1e-3),
        (2, 1.0, 1.42e-3),
        (3, 0.0, 3.9e-3),
        (4, 3.0, 9.8e-3),
    ] {
        let found = moment(power);
        assert!((found - expected).abs() < 4.0 * error, "{power}: {found}");
    }
    // Kolmogorov & Smirnov: with a million numbers the distance exceeds 0.00195 once in a
    // thousand streams.
    values.sort_by(f64::total_cmp);
    let distance = (1..)
        .zip(&values)
        .map(|(rank, &x)| (f64::from(rank) / count as f64 - cumulative(x)).abs())
        .fold(0.0, f64::max);
    assert!(distance < 1.95e-3, "{distance}");
}

/// The cumulative distribution of the standard normal, by its everywhere convergent series.
fn cumulative(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for k in 1..200 {
        term *= x * x / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn every_part_of_the_address_chooses_another_stream() {
    let base = normals(STREAM, 10_000);
    let others = [
        Stream {
            key: STREAM.key ^ 1,
            ..STREAM
        },
        Stream {
            key: STREAM.key ^ (1 << 40),
            ..STREAM
        },
        Stream { layer: 4, ..STREAM },
        Stream { step: 6, ..STREAM },
        Stream {
            step: 5 + (1 << 32),
            ..STREAM
        },
    ];
    for other in others {
        let other = normals(other, base.len());
        let product: f64 = base.iter().zip(&other).map(|(a, b)| f64::from(a * b)).sum();
        // The correlation of independent streams has a standard error of 1/100.
        assert!((product / base.len() as f64).abs() < 0.04);
    }
}
