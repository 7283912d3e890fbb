//! `learns`: the algorithm learns what no linear model can.

use assay_network::Network;

use crate::check::{Body, Check, Evidence, failed};
use crate::glyphs::{CLASSES, INPUT, pictures};
use crate::linear;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "learns",
    promise: "With its defaults the algorithm tells digits in small pictures apart, on pictures it \
              has not seen, as well as it declares, or else better than any linear model does.",
    why: "A rule that moves weights and learns nothing, or no more than a linear model would, keeps \
          every other promise.",
    body: Body::Algorithm(run),
};

const TRAIN: usize = 2000;
const TEST: usize = 1000;
const BATCH: usize = 50;
const EPOCHS: u32 = 30;

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.first_supported(networks())?;
    let mut learner = subject.learner(&network)?;
    // The pictures are the same whatever the seed, so that figures of two seeds can be compared.
    let (train, test) = (pictures(TRAIN, 1), pictures(TEST, 2));
    let batches = train.batches(BATCH);
    for epoch in 1..=EPOCHS {
        learner.train(epoch, &batches)?;
    }
    let error = linear::error(&learner.predict(&test)?, test.labels());
    let floor = linear::lowest_error(&train, &test, CLASSES);
    let declared = subject.plugin.minimum(&subject.algorithm.name);
    let bound = declared.map_or_else(|| bound(floor), |accuracy| 1.0 - accuracy);
    let figures = format!(
        "{:.1} % of the test pictures are wrong after {EPOCHS} epochs; a linear model has {:.1} % \
         wrong, at most {:.1} % are {}",
        100.0 * error,
        100.0 * floor,
        100.0 * bound,
        match declared {
            Some(_) => "promised",
            None => "asked for",
        }
    );
    if error <= bound {
        Ok(figures)
    } else {
        failed(figures)
    }
}

/// The largest error that passes where the algorithm declares none: below the linear model's by three standard errors of a fraction
/// measured on the test pictures, so that luck does not pass.
fn bound(floor: f64) -> f64 {
    floor - 3.0 * (floor * (1.0 - floor) / TEST as f64).sqrt()
}

/// Networks for the pictures, with enough hidden units for any of the paper's algorithms.
fn networks() -> impl Iterator<Item = Network> {
    let notations: [&[&str]; 3] = [
        &["fc 64", "fc 32", "softmax 4"],
        &["conv 3x3 8", "fc 32", "softmax 4"],
        &["lc 3x3 8", "softmax 4"],
    ];
    let networks = notations.into_iter();
    networks.filter_map(|layers| Network::parse(INPUT, layers).ok())
}
