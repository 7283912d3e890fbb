//! Every function against scipy, or an independent computation, on cases that `scripts/statistics-reference.py` made.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop there"
)]

use assay_statistics::{
    Aggregate, Importances, Interval, OrderBand, Paired, Parameter, Sample, Scale, SignFlip,
    TestSet, Trial, TuningCurve, Unpaired, holm, performance_profiles, wilson,
};
use serde_json::Value;

const CASES: &str = include_str!("reference.jsonl");
/// The largest difference from scipy, beside a value of 1 or of its own size.
const TOLERANCE: f64 = 1e-12;

fn cases(kind: &str) -> Vec<Value> {
    let cases = CASES
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let cases: Vec<_> = cases.filter(|case| case["kind"] == kind).collect();
    assert!(cases.len() >= 30, "{kind}: {}", cases.len());
    cases
}

fn numbers(case: &Value, name: &str) -> Vec<f64> {
    let numbers = case[name].as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, case: &Value) {
    let most = TOLERANCE * expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= most,
        "{found} is not {expected} in {case}"
    );
}

#[track_caller]
fn assert_interval(found: Option<Interval>, case: &Value) {
    let found = found.unwrap();
    let expected = numbers(case, "interval");
    assert_close(found.low, expected[0], case);
    assert_close(found.high, expected[1], case);
}

#[test]
fn there_are_five_hundred_cases() {
    assert!(CASES.lines().count() >= 500);
}

#[test]
fn means_and_their_intervals() {
    for case in cases("mean") {
        let sample = Sample::new(numbers(&case, "values")).unwrap();
        assert_close(sample.mean(), number(&case, "mean"), &case);
        assert_close(
            sample.standard_deviation().unwrap(),
            number(&case, "sd"),
            &case,
        );
        assert_interval(sample.mean_interval(), &case);
    }
}

#[test]
fn wilsons_interval() {
    for case in cases("wilson") {
        let trials = case["trials"].as_u64().unwrap() as usize;
        assert_interval(wilson(number(&case, "successes"), trials), &case);
    }
}

#[test]
fn the_sign_flip_test() {
    for case in cases("sign-flip") {
        let differences = numbers(&case, "differences");
        let test = SignFlip::of(&differences);
        assert!(test.exact);
        assert_close(test.p_value, number(&case, "p"), &case);
        let pairs: Vec<_> = differences.iter().map(|it| (*it, 0.0)).collect();
        assert_eq!(Paired::of(&pairs).unwrap().test, test);
    }
}

#[test]
fn holms_adjustment() {
    for case in cases("holm") {
        let adjusted = holm(&numbers(&case, "p"));
        let expected = numbers(&case, "adjusted");
        assert_eq!(adjusted.len(), expected.len());
        for (found, expected) in adjusted.into_iter().zip(expected) {
            assert_close(found, expected, &case);
        }
    }
}

#[test]
fn welchs_test_and_the_share_of_lower_pairs() {
    for case in cases("unpaired") {
        let sample = |name| Sample::new(numbers(&case, name)).unwrap();
        let found = Unpaired::of(&sample("a"), &sample("b"));
        assert_close(found.p_value.unwrap(), number(&case, "p"), &case);
        assert_interval(found.interval, &case);
        assert_close(found.lower, number(&case, "lower"), &case);
    }
}

#[test]
fn the_coverage_of_a_band() {
    for case in cases("coverage") {
        let [low, high] = ["low", "high"].map(|name| numbers(&case, name));
        let coverage = OrderBand { low, high }.coverage();
        assert_close(coverage, number(&case, "coverage"), &case);
    }
}

#[test]
fn bands_of_order_statistics() {
    for case in cases("order-band") {
        let expected = ["low", "high"].map(|name| numbers(&case, name));
        let band = OrderBand::of(expected[0].len());
        for (found, expected) in [band.low, band.high].iter().zip(&expected) {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert_close(*found, *expected, &case);
            }
        }
    }
}

#[test]
fn tuning_curves() {
    for case in cases("tuning") {
        let trials = case["trials"]
            .as_array()
            .unwrap()
            .iter()
            .map(|trial| Trial {
                validation: trial[0].as_f64().unwrap(),
                test: trial[1].as_f64().unwrap(),
            });
        let trials: Vec<_> = trials.collect();
        let curve = TuningCurve::of(&trials).unwrap();
        assert_eq!(curve.points.len(), trials.len());
        for expected in case["points"].as_array().unwrap() {
            let tried = expected[0].as_u64().unwrap() as usize;
            let point = curve.points[tried - 1];
            assert_eq!(point.tried, tried);
            let found = [point.validation, point.plug_in, point.test, point.median];
            for (at, found) in found.into_iter().enumerate() {
                assert_close(found, expected[at + 1].as_f64().unwrap(), &case);
            }
            if let Some(low) = expected.get(5) {
                assert_eq!(
                    [point.low, point.high],
                    [low.as_f64(), expected[6].as_f64()]
                );
            }
        }
    }
}

#[test]
fn the_importance_of_parameters() {
    for case in cases("importance") {
        let parameters = case["parameters"].as_array().unwrap().iter();
        let parameters = parameters.map(|parameter| match parameter["choices"].as_u64() {
            Some(choices) => Parameter::Categorical {
                values: numbers(parameter, "values")
                    .iter()
                    .map(|it| *it as usize)
                    .collect(),
                choices: choices as usize,
            },
            None => Parameter::Numeric {
                values: numbers(parameter, "values"),
                low: number(parameter, "low"),
                high: number(parameter, "high"),
                scale: if parameter["log"] == true {
                    Scale::Logarithmic
                } else {
                    Scale::Linear
                },
            },
        });
        let parameters: Vec<_> = parameters.collect();
        let found = Importances::of(&numbers(&case, "errors"), &parameters).unwrap();
        assert_eq!(found.best as u64, case["best"].as_u64().unwrap());
        for (found, expected) in found.parameters.iter().zip(numbers(&case, "shares")) {
            assert_close(found.share, expected, &case);
        }
    }
}

#[test]
fn the_interval_of_one_more_training() {
    for case in cases("prediction") {
        let sample = Sample::new(numbers(&case, "values")).unwrap();
        assert_interval(sample.prediction_interval(), &case);
    }
}

#[test]
fn what_a_test_set_adds() {
    for case in cases("test-set") {
        let seeds = case["wrong"].as_array().unwrap().iter();
        let seeds = seeds.map(|seed| seed.as_str().unwrap().chars().map(|it| it == '1').collect());
        let found = TestSet::of(&seeds.collect::<Vec<_>>()).unwrap();
        assert_close(found.mean, number(&case, "mean"), &case);
        assert_close(found.standard_error.unwrap(), number(&case, "error"), &case);
        assert_interval(found.interval, &case);
        assert_eq!(
            found.method_variance.is_some(),
            case["variance"].is_number()
        );
        if let Some(variance) = found.method_variance {
            assert_close(variance, number(&case, "variance"), &case);
        }
    }
}

#[test]
fn the_middle_of_several_tasks() {
    for case in cases("aggregate") {
        let tasks = case["tasks"].as_array().unwrap().iter();
        let tasks = tasks.map(|task| {
            let values = task.as_array().unwrap().iter();
            values.map(|value| value.as_f64().unwrap()).collect()
        });
        let found = Aggregate::of(&tasks.collect::<Vec<_>>()).unwrap();
        assert_close(found.interquartile_mean, number(&case, "middle"), &case);
    }
}

#[test]
fn performance_profiles_of_methods() {
    for case in cases("profile") {
        let errors = case["errors"].as_array().unwrap().iter();
        let errors = errors.map(|method| {
            let errors = method.as_array().unwrap().iter();
            errors.map(Value::as_f64).collect()
        });
        let ratios = numbers(&case, "ratios");
        let found = performance_profiles(&errors.collect::<Vec<_>>(), &ratios).unwrap();
        let expected = case["profiles"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found
            .iter()
            .flatten()
            .zip(expected.iter().flat_map(|it| it.as_array().unwrap()))
        {
            assert_close(*found, expected.as_f64().unwrap(), &case);
        }
    }
}

#[test]
fn mann_and_whitneys_test() {
    for case in cases("rank") {
        let sample = |name| Sample::new(numbers(&case, name)).unwrap();
        let found = Unpaired::of(&sample("a"), &sample("b"));
        assert_close(found.rank_p_value, number(&case, "p"), &case);
        assert_eq!(found.rank_is_exact, case["exact"].as_bool().unwrap());
    }
}
