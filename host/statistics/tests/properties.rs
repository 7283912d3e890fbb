//! Properties for all values, and how often the methods are wrong.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that cannot set itself up should stop there; exact values are expected"
)]

use assay_statistics::{
    Aggregate, Crossed, Importances, Interval, NoImportance, OrderBand, Paired, Parameter,
    SIGNIFICANCE, Sample, Scale, SignFlip, TestSet, Trial, TuningCurve, Unpaired, holm,
    performance_profiles, seeds_for_difference, seeds_for_family, wilson,
};
use proptest::prelude::*;

fn errors(counts: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(
        (0_u32..10_000).prop_map(|error| f64::from(error) / 100.0),
        counts,
    )
}

proptest! {
    #[test]
    fn the_order_of_the_values_changes_no_bit(values in errors(1..24), turn in 0_usize..24) {
        let mut turned = values.clone();
        turned.rotate_left(turn % values.len());
        let [one, other] = [&values, &turned].map(|values| Sample::new(values.iter().copied()).unwrap());
        prop_assert_eq!(one.mean().to_bits(), other.mean().to_bits());
        prop_assert_eq!(one.mean_interval(), other.mean_interval());
        prop_assert_eq!(SignFlip::of(&values), SignFlip::of(&turned));
    }

    #[test]
    fn exchanging_the_methods_exchanges_the_answer(pairs in prop::collection::vec((0_u8..9, 0_u8..9), 1..24)) {
        let pairs: Vec<_> = pairs.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect();
        let exchanged: Vec<_> = pairs.iter().map(|(a, b)| (*b, *a)).collect();
        let (one, other) = (Paired::of(&pairs).unwrap(), Paired::of(&exchanged).unwrap());
        prop_assert!((one.difference + other.difference).abs() < 1e-12);
        prop_assert_eq!(one.test.p_value, other.test.p_value);
        prop_assert!((one.lower.estimate + other.lower.estimate - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_p_value_is_one_of_the_patterns_shares(values in errors(1..20)) {
        let test = SignFlip::of(&values);
        let patterns = 2.0_f64.powi(values.len() as i32);
        prop_assert_eq!((test.p_value * patterns).fract(), 0.0);
        prop_assert!(test.smallest <= test.p_value && test.p_value <= 1.0);
    }

    #[test]
    fn adjusting_never_makes_a_p_value_smaller_and_keeps_their_order(
        p in prop::collection::vec(0.0_f64..=1.0, 1..20)
    ) {
        let adjusted = holm(&p);
        for (at, (before, now)) in p.iter().zip(&adjusted).enumerate() {
            prop_assert!(before <= now && *now <= 1.0);
            for (other, after) in p.iter().zip(&adjusted).skip(at) {
                prop_assert!((before < other) <= (now <= after));
            }
        }
    }

    #[test]
    fn more_trials_are_never_worse(errors in errors(1..40), turn in 0_usize..40) {
        let mut trials: Vec<_> = errors.iter().map(|it| Trial { validation: *it, test: -it }).collect();
        let curve = TuningCurve::of(&trials).unwrap();
        for pair in curve.points.windows(2) {
            prop_assert!(pair[1].validation <= pair[0].validation + 1e-9);
            prop_assert!(pair[1].plug_in <= pair[0].plug_in + 1e-9);
            prop_assert!(pair[1].median <= pair[0].median);
        }
        for point in &curve.points {
            prop_assert!((point.validation + point.test).abs() < 1e-9);
            prop_assert!(point.validation <= point.plug_in + 1e-9);
            prop_assert!(point.low.is_none_or(|low| low <= point.median));
            prop_assert!(point.high.is_none_or(|high| point.median <= high));
        }
        trials.rotate_left(turn % errors.len());
        prop_assert_eq!(TuningCurve::of(&trials), Some(curve));
    }

    #[test]
    fn a_band_holds_the_empirical_curve(count in 1_usize..80) {
        let band = OrderBand::of(count);
        for (at, (low, high)) in band.low.iter().zip(&band.high).enumerate() {
            let [below, with] = [at, at + 1].map(|it| it as f64 / count as f64);
            prop_assert!(*low < with && below < *high, "{} {}", low, high);
        }
        prop_assert!((band.coverage() - 0.95).abs() < 1e-12);
    }
}

fn wrong(uniform: &mut impl FnMut() -> f64, seeds: usize, hard: &[f64]) -> Vec<Vec<bool>> {
    let mut seed = |_| hard.iter().map(|share| uniform() < *share).collect();
    (0..seeds).map(&mut seed).collect()
}

/// All draws of two tasks with three seeds each, 27 · 27, beside those that are drawn.
#[test]
fn a_stratified_bootstrap_draws_as_if_it_counted_all_draws() {
    let tasks = [vec![1.0, 1.5, 4.0], vec![0.25, 2.0, 3.0]];
    let found = Aggregate::of(&tasks).unwrap();
    assert_eq!(found.interquartile_mean, (1.0 + 1.5 + 2.0 + 3.0) / 4.0);
    let mut all = Vec::new();
    for draw in 0..27 * 27 {
        let places = [draw % 3, draw / 3 % 3, draw / 9 % 3];
        let others = [draw / 27 % 3, draw / 81 % 3, draw / 243 % 3];
        let mut values: Vec<f64> = places.iter().map(|at| tasks[0][*at]).collect();
        values.extend(others.iter().map(|at| tasks[1][*at]));
        values.sort_by(f64::total_cmp);
        all.push(values[1..5].iter().sum::<f64>() / 4.0);
    }
    let share = |is_counted: &dyn Fn(f64) -> bool| {
        all.iter().filter(|value| is_counted(**value)).count() as f64 / all.len() as f64
    };
    let Interval { low, high } = found.interval.unwrap();
    let shares = [
        share(&|it| it < low),
        share(&|it| it <= low),
        share(&|it| it > high),
        share(&|it| it >= high),
    ];
    assert!(
        shares[0] < 0.03 && shares[1] > 0.02 && shares[2] < 0.03 && shares[3] > 0.02,
        "{shares:?}"
    );
    let turned = [vec![3.0, 0.25, 2.0], vec![4.0, 1.5, 1.0]];
    assert_eq!(Aggregate::of(&turned), Some(found));
}

/// How often the interval over eight tasks holds the middle, which it does not promise for few seeds.
#[test]
fn the_coverage_over_several_tasks() {
    for seeds in [3, 5, 10] {
        let mut normal = normals(80 + seeds);
        let held = (0..500).filter(|_| {
            let tasks: Vec<Vec<_>> = (0..8)
                .map(|_| (0..seeds).map(|_| normal()).collect())
                .collect();
            contains(Aggregate::of(&tasks).unwrap().interval, 0.0)
        });
        let share = held.count() as f64 / 5.0;
        println!("{seeds} seeds in each of 8 tasks: the interval holds the middle in {share:.1} %");
        assert!((85.0..=99.0).contains(&share));
    }
}

/// All draws of three seeds and four images, 27 · 256, beside those that are drawn.
#[test]
fn a_crossed_bootstrap_draws_as_if_it_counted_all_draws() {
    let (yes, no) = (true, false);
    let first = [
        vec![yes, no, yes, no],
        vec![yes, yes, no, no],
        vec![yes, no, no, no],
    ];
    let second = [
        vec![no, no, yes, no],
        vec![no, no, yes, no],
        vec![no, yes, no, no],
    ];
    let found = Crossed::of(&first, &second).unwrap();
    assert!((found.difference - 1.0 / 6.0).abs() < 1e-15);
    let value =
        |seed: usize, image: usize| f64::from(first[seed][image]) - f64::from(second[seed][image]);
    let mut all = Vec::new();
    for draw in 0..27 * 256 {
        let seeds = [draw % 3, draw / 3 % 3, draw / 9 % 3];
        let images = [0, 2, 4, 6].map(|bit| ((draw / 27) >> bit) & 3);
        let sums = seeds
            .iter()
            .map(|seed| images.iter().map(|image| value(*seed, *image)).sum::<f64>());
        all.push(sums.sum::<f64>() / 12.0);
    }
    let share = |is_counted: &dyn Fn(f64) -> bool| {
        all.iter().filter(|value| is_counted(**value)).count() as f64 / all.len() as f64
    };
    let Interval { low, high } = found.interval.unwrap();
    // The ends are multiples of 1/12.
    let shares = [
        share(&|it| it < low - 1e-9),
        share(&|it| it <= low + 1e-9),
        share(&|it| it > high + 1e-9),
        share(&|it| it >= high - 1e-9),
    ];
    assert!(
        shares[0] < 0.03 && shares[1] > 0.02 && shares[2] < 0.03 && shares[3] > 0.02,
        "{shares:?}"
    );
    let turned = |seeds: &[Vec<bool>; 3]| [seeds[2].clone(), seeds[0].clone(), seeds[1].clone()];
    assert_eq!(Crossed::of(&turned(&first), &turned(&second)), Some(found));
}

/// The variance of a draw has a closed form: with y the mean of a draw of images for each seed, it
/// is that of the mean of y and the mean variance of y between seeds over their number.
#[test]
fn a_crossed_bootstrap_is_as_wide_as_its_variance() {
    let mut uniform = uniforms(9);
    let hard: Vec<_> = (0..1000).map(|_| uniform().powi(4)).collect();
    for seeds in [3, 10, 30] {
        let [a, b] = [1.0, 0.9].map(|factor| {
            wrong(
                &mut uniform,
                seeds,
                &hard.iter().map(|it| it * factor).collect::<Vec<_>>(),
            )
        });
        let found = Crossed::of(&a, &b).unwrap();
        let values = |seed: usize| -> Vec<f64> {
            let pairs = a[seed].iter().zip(&b[seed]);
            pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)).collect()
        };
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / 1000.0;
            let squares = values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 1000.0;
            (mean, squares / 1000.0)
        };
        let of_seeds: Vec<_> = (0..seeds).map(|seed| moments(&values(seed))).collect();
        let of_image =
            |image| (0..seeds).map(|seed| values(seed)[image]).sum::<f64>() / seeds as f64;
        let (mean, of_mean) = moments(&(0..1000).map(of_image).collect::<Vec<_>>());
        assert!((mean - found.difference).abs() < 1e-12);
        let squares = of_seeds
            .iter()
            .map(|(mean, variance)| mean * mean + variance)
            .sum::<f64>();
        let between = squares / seeds as f64 - mean * mean - of_mean;
        let expected = 2.0 * 1.96 * (of_mean + between / seeds as f64).sqrt();
        let Interval { low, high } = found.interval.unwrap();
        assert!(
            ((high - low) / expected - 1.0).abs() < 0.04,
            "{} {expected}",
            high - low
        );
    }
}

/// How often the intervals hold the truth, which they do not promise for few seeds. Each image is
/// wrong with a probability of its own, and some seeds are worse than others.
#[test]
fn the_coverage_of_what_is_not_exact() {
    let mut uniform = uniforms(5);
    let mut normal = normals(5);
    for seeds in [3, 5, 10] {
        let (mut crossed, mut test_set) = (0, 0);
        for _ in 0..500 {
            let hard: Vec<_> = (0..400).map(|_| uniform().powi(9)).collect();
            // The mean of uᵏ is 1 / (k + 1).
            let mut method = || {
                let seed = |shift: f64| {
                    wrong(
                        &mut uniform,
                        1,
                        &hard.iter().map(|it| it * shift).collect::<Vec<_>>(),
                    )
                    .remove(0)
                };
                (0..seeds)
                    .map(|_| (1.0 + 0.1 * normal()).clamp(0.0, 2.0))
                    .map(seed)
                    .collect::<Vec<_>>()
            };
            let (a, b) = (method(), method());
            crossed += u32::from(contains(
                Crossed::with_draws(&a, &b, 1000).unwrap().interval,
                0.0,
            ));
            let even = wrong(&mut uniform, seeds, &hard);
            test_set += u32::from(contains(TestSet::of(&even).unwrap().interval, 0.1));
        }
        let [crossed, test_set] = [crossed, test_set].map(|held| f64::from(held) / 5.0);
        println!("{seeds} seeds: crossed bootstrap {crossed} %, test set {test_set} %");
        assert!((90.0..=100.0).contains(&crossed) && (92.0..=97.0).contains(&test_set));
    }
}

proptest! {
    // Each of them draws 2,000 searches.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_order_of_the_tasks_changes_no_bit(
        tasks in prop::collection::vec(errors(3..6), 1..6), turn in 0_usize..6
    ) {
        let found = Aggregate::of(&tasks).unwrap();
        let Interval { low, high } = found.interval.unwrap();
        prop_assert!(low <= high);
        let mut turned = tasks.clone();
        turned.rotate_left(turn % tasks.len());
        for task in &mut turned {
            let turn = turn % task.len();
            task.rotate_left(turn);
        }
        prop_assert_eq!(Aggregate::of(&turned), Some(found));
    }

    #[test]
    fn a_profile_rises_and_some_method_is_the_best(
        errors in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, 0.1_f64..10.0), 4), 1..6)
    ) {
        let profiles = performance_profiles(&errors, &[0.5, 1.0, 2.0, 4.0]).unwrap();
        prop_assert_eq!(profiles.len(), errors.len());
        for profile in &profiles {
            prop_assert_eq!(profile[0], 0.0);
            prop_assert!(profile.is_sorted());
        }
        let is_met = |task: &usize| errors.iter().any(|method| method[*task].is_some());
        let met = (0..4).filter(is_met).count() as f64 / 4.0;
        prop_assert!(profiles.iter().map(|profile| profile[1]).sum::<f64>() >= met);
    }

    #[test]
    fn importances_are_shares_and_the_order_of_the_trials_changes_no_bit(
        trials in prop::collection::vec((0_u32..50, 1_u32..1000, 0_usize..3), 42..70), turn in 0_usize..42
    ) {
        let of = |trials: &[(u32, u32, usize)]| {
            let errors: Vec<_> = trials.iter().map(|trial| f64::from(trial.0)).collect();
            let rate = Parameter::Numeric {
                values: trials.iter().map(|trial| f64::from(trial.1)).collect(),
                low: 1.0,
                high: 1000.0,
                scale: Scale::Logarithmic,
            };
            let kind = Parameter::Categorical { values: trials.iter().map(|trial| trial.2).collect(), choices: 3 };
            Importances::of(&errors, &[rate, kind])
        };
        let found = of(&trials).unwrap();
        let total: f64 = found.parameters.iter().map(|it| it.share).sum();
        prop_assert!((total - 1.0).abs() < 1e-12);
        for importance in &found.parameters {
            let Interval { low, high } = importance.interval;
            prop_assert!(0.0 <= low && low <= high && high <= 1.0);
        }
        let mut turned = trials.clone();
        turned.rotate_left(turn);
        prop_assert_eq!(of(&turned), Ok(found));
    }
}

/// Of two hyper-parameters one makes the error, the other nothing.
#[test]
fn the_parameter_that_matters_is_found() {
    let mut uniform = uniforms(3);
    let points: Vec<_> = (0..100).map(|_| [uniform(), uniform()]).collect();
    let errors: Vec<_> = points.iter().map(|[first, _]| first * first).collect();
    let parameters = [0, 1].map(|at| Parameter::Numeric {
        values: points.iter().map(|point| point[at]).collect(),
        low: 0.0,
        high: 1.0,
        scale: Scale::Linear,
    });
    let found = Importances::of(&errors, &parameters).unwrap().parameters;
    assert!(found[0].share > 0.85, "{found:?}");
    assert!(found[0].interval.low > found[1].interval.high, "{found:?}");
}

#[test]
fn importances_are_refused_with_a_reason() {
    let numeric = |values: &[f64], scale| Parameter::Numeric {
        values: values.to_vec(),
        low: 0.0,
        high: 1.0,
        scale,
    };
    let of = |errors: &[f64], parameter| Importances::of(errors, &[parameter]);
    let halves = [0.5; 40];
    let errors: Vec<_> = (0..40).map(f64::from).collect();
    let linear = numeric(&halves, Scale::Linear);
    assert_eq!(of(&errors[1..], linear.clone()), Err(NoImportance::Unequal));
    assert_eq!(
        of(&[], numeric(&[], Scale::Linear)),
        Err(NoImportance::TooFew)
    );
    assert_eq!(
        of(&errors[9..], numeric(&halves[9..], Scale::Linear)),
        Err(NoImportance::TooFew)
    );
    assert_eq!(of(&errors, linear), Err(NoImportance::NoDifference));
    assert_eq!(
        of(&errors, numeric(&halves, Scale::Logarithmic)),
        Err(NoImportance::OutOfRange)
    );
    assert_eq!(
        of(&errors, numeric(&[2.0; 40], Scale::Linear)),
        Err(NoImportance::OutOfRange)
    );
    assert_eq!(
        of(&[f64::NAN; 40], numeric(&halves, Scale::Linear)),
        Err(NoImportance::OutOfRange)
    );
    let choice = Parameter::Categorical {
        values: vec![2; 40],
        choices: 2,
    };
    assert_eq!(of(&errors, choice), Err(NoImportance::OutOfRange));
    assert_eq!(
        Importances::of(&errors, &[]),
        Err(NoImportance::NoDifference)
    );
}

#[test]
fn what_has_no_answer_has_none() {
    assert_eq!(Sample::new([]), None);
    assert_eq!(Sample::new([1.0, f64::NAN]), None);
    assert_eq!(Paired::of(&[]), None);
    assert_eq!(wilson(0.0, 0), None);
    assert_eq!(Sample::new([1.0, 2.0]).unwrap().mean_interval(), None);
    assert_eq!(Sample::new([1.0]).unwrap().standard_deviation(), None);
    let alone = Sample::new([1.0]).unwrap();
    assert_eq!(Unpaired::of(&alone, &alone).p_value, None);
    assert_eq!(SignFlip::of(&[]).p_value, 1.0);
    assert_eq!(SignFlip::of(&[0.0, 0.0]).p_value, 1.0);
    assert_eq!(seeds_for_difference(0.0, 1.0), None);
    assert_eq!(seeds_for_difference(1e-9, 1.0), None);
    let diverged = Trial {
        validation: f64::INFINITY,
        test: 1.0,
    };
    assert_eq!(TuningCurve::of(&[]), None);
    assert_eq!(TuningCurve::of(&[diverged]), None);
    assert!(OrderBand::of(0).low.is_empty());
    let [one, two] = [1, 2].map(|images| vec![vec![true; images]]);
    assert_eq!(TestSet::of(&[]), None);
    assert_eq!(TestSet::of(&[vec![]]), None);
    assert_eq!(TestSet::of(&[vec![true], vec![true, false]]), None);
    let found = TestSet::of(&one).unwrap();
    assert_eq!([found.standard_error, found.method_variance], [None, None]);
    assert_eq!(Crossed::of(&[], &[]), None);
    assert_eq!(Crossed::of(&one, &two), None);
    assert_eq!(Crossed::of(&one, &[]), None);
    assert_eq!(Crossed::of(&two, &two).unwrap().interval, None);
    let three = vec![vec![true; 5]; 3];
    let none = vec![vec![false; 5]; 3];
    let zero = Interval {
        low: 0.0,
        high: 0.0,
    };
    assert_eq!(Crossed::of(&three, &three).unwrap().interval, Some(zero));
    let all = Interval {
        low: 1.0,
        high: 1.0,
    };
    assert_eq!(Crossed::of(&three, &none).unwrap().interval, Some(all));
    assert_eq!(Sample::new([1.0, 2.0]).unwrap().prediction_interval(), None);
    assert_eq!(Aggregate::of(&[]), None);
    assert_eq!(Aggregate::of(&[vec![1.0], vec![]]), None);
    assert_eq!(Aggregate::of(&[vec![f64::NAN]]), None);
    let few = Aggregate::of(&[vec![1.0, 2.0], vec![3.0; 3]]).unwrap();
    assert_eq!((few.interquartile_mean, few.interval), (8.0 / 3.0, None));
    assert_eq!(performance_profiles(&[], &[1.0]), None);
    assert_eq!(performance_profiles(&[vec![], vec![]], &[1.0]), None);
    assert_eq!(performance_profiles(&[vec![None], vec![]], &[1.0]), None);
    assert_eq!(
        performance_profiles(&[vec![None], vec![None]], &[1.0]),
        Some(vec![vec![0.0]; 2])
    );
    assert_eq!(Unpaired::of(&alone, &alone).rank_p_value, 1.0);
}

#[test]
fn the_seeds_that_a_family_needs() {
    // 2 / 2⁶ ≤ 0.05, 16 · 2 / 2¹⁰ ≤ 0.05, 136 · 2 / 2¹³ ≤ 0.05, and with one seed fewer not.
    assert_eq!([1, 16, 136].map(seeds_for_family), [6, 10, 13]);
}

/// From Cohen's tables of the paired t-test, 80 % power at 5 %: d = 0.2, 0.5, 0.8.
#[test]
fn the_seeds_that_a_difference_needs() {
    let needed = [0.2, 0.5, 0.8].map(|d| seeds_for_difference(d, 1.0).unwrap());
    for (needed, tabled) in needed.into_iter().zip([199_usize, 34, 15]) {
        assert!(needed.abs_diff(tabled) <= 1, "{needed} beside {tabled}");
    }
}

#[test]
fn many_differences_are_drawn_and_close_to_the_count() {
    // Of equal differences, half of them each way, the p-value is 1; of 41 alike it is next to 0.
    let half: Vec<_> = (0..60)
        .map(|at| if at % 2 == 0 { 1.0 } else { -1.0 })
        .collect();
    assert_eq!(SignFlip::of(&half).p_value, 1.0);
    let alike = SignFlip::of(&[1.0; 41]);
    assert!(!alike.exact && alike.p_value < 1e-4);
    // 24 of 44: the binomial probability of at least 24 or at most 20.
    let most: Vec<_> = (0..44).map(|at| if at < 24 { 1.0 } else { -1.0 }).collect();
    let p_value = SignFlip::of(&most).p_value;
    assert!((p_value - 0.6516).abs() < 0.01, "{p_value}");
}

/// A stream of numbers that are uniform in (0, 1).
fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    let mut bits = blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof();
    let mut block = [0; 64];
    let mut at = block.len();
    move || {
        if at == block.len() {
            bits.fill(&mut block);
            at = 0;
        }
        let bytes = block[at..at + 8].try_into().unwrap();
        at += 8;
        ((u64::from_le_bytes(bytes) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

/// A stream of standard normal numbers, by Box and Muller's method.
fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut uniform = uniforms(seed);
    move || {
        let radius = (-2.0 * uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * uniform()).cos()
    }
}

#[test]
fn the_intervals_of_normal_values_cover_as_often_as_they_say() {
    for n in [3, 5, 10] {
        let mut normal = normals(n);
        let (mut means, mut predictions) = (0, 0);
        for _ in 0..4000 {
            let sample = Sample::new((0..n).map(|_| normal())).unwrap();
            means += u32::from(contains(sample.mean_interval(), 0.0));
            predictions += u32::from(contains(sample.prediction_interval(), normal()));
        }
        let [mean, prediction] = [means, predictions].map(|held| f64::from(held) / 4000.0);
        println!("{n} normal values: mean {mean}, one more {prediction}");
        assert!((0.94..=0.96).contains(&mean), "n = {n}: {mean}");
        assert!((0.94..=0.96).contains(&prediction), "n = {n}: {prediction}");
    }
}

/// Less often than it says: the logarithms of the values are normal with a deviation of ½.
#[test]
fn the_interval_of_the_mean_of_skewed_values() {
    for n in [3, 5, 10] {
        let mut normal = normals(n);
        let mean = 0.125_f64.exp();
        let held = (0..4000).filter(|_| {
            let sample = Sample::new((0..n).map(|_| (normal() / 2.0).exp())).unwrap();
            contains(sample.mean_interval(), mean)
        });
        let share = held.count() as f64 / 4000.0;
        println!("{n} skewed values: mean {share}");
        assert!((0.88..=0.96).contains(&share), "n = {n}: {share}");
    }
}

fn contains(interval: Option<Interval>, value: f64) -> bool {
    interval.is_some_and(|it| it.low <= value && value <= it.high)
}

/// Seventeen equal methods and ten seeds: how often one of the 16 comparisons is significant.
#[test]
fn a_family_of_equal_methods_is_rarely_called_different() {
    let mut normal = normals(17);
    let mut alarms = 0;
    for _ in 0..10_000 {
        let mut method = || (0..10).map(|_| normal()).collect::<Vec<_>>();
        let reference = method();
        let p_values: Vec<_> = (0..16)
            .map(|_| {
                let pairs: Vec<_> = method()
                    .into_iter()
                    .zip(reference.iter().copied())
                    .collect();
                Paired::of(&pairs).unwrap().test.p_value
            })
            .collect();
        alarms += u32::from(holm(&p_values).iter().any(|p| *p <= SIGNIFICANCE));
    }
    let share = f64::from(alarms) / 10_000.0;
    println!("of 10,000 tables of 17 equal methods, {alarms} show a difference");
    assert!(share <= 0.055, "{share}");
}

/// As often as the recursion says: of 60 uniform numbers, in 20,000 repetitions.
#[test]
fn a_band_covers_sixty_uniform_numbers_as_often_as_it_says() {
    let band = OrderBand::of(60);
    let mut uniform = uniforms(60);
    let covered = (0..20_000).filter(|_| {
        let mut values: Vec<_> = (0..60).map(|_| uniform()).collect();
        values.sort_by(f64::total_cmp);
        let ends = band.low.iter().zip(&band.high);
        values
            .iter()
            .zip(ends)
            .all(|(value, (low, high))| low <= value && value <= high)
    });
    let share = covered.count() as f64 / 20_000.0;
    assert!((0.945..=0.955).contains(&share), "{share}");
}

/// Many trials lose no digits: of 500 with the values 1 … 500, the best of k is (B + 1) / (k + 1)
/// on average.
#[test]
fn the_curve_of_five_hundred_trials() {
    let trials = (1..=500).map(|it| Trial {
        validation: f64::from(it),
        test: 0.0,
    });
    let curve = TuningCurve::of(&trials.collect::<Vec<_>>()).unwrap();
    for point in curve.points {
        let expected = 501.0 / (point.tried as f64 + 1.0);
        assert!(
            (point.validation / expected - 1.0).abs() < 1e-12,
            "{point:?}"
        );
    }
}
