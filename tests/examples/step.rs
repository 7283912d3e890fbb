//! How long one training step takes: every plugin on the paper's fully connected MNIST network,
//! batch 128, one thread. Arguments choose plugins.
//!
//! `MKL_CBWR=AVX2 ATEN_CPU_CAPABILITY=avx2 cargo run -p assay-tests --example step`, after
//! `cargo build --workspace`. The two variables are those that the host sets for its workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;

use support::host::{Samples, train};
use support::plugin::{Learner, network};

const ALGORITHMS: [&str; 7] = ["bp", "fa", "dfa", "tp", "dtp", "sdtp", "ao-sdtp"];
const STEPS: usize = 200;
const EPOCHS: usize = 9;

fn main() {
    let batches: Vec<_> = (0..STEPS as u64)
        .map(|seed| Samples::random(seed, 128, [1, 28, 28], 10))
        .collect();
    let layers = [
        "fc 256",
        "fc 256",
        "fc 256",
        "fc 256",
        "fc 256",
        "softmax 10",
    ];
    println!("784-256x5-10, batch 128, 1 thread, {EPOCHS} x {STEPS} steps, ms/step");
    let mut algorithms: Vec<_> = std::env::args().skip(1).collect();
    if algorithms.is_empty() {
        algorithms = ALGORITHMS.map(String::from).into();
    }
    for algorithm in &algorithms {
        let settings = Learner {
            algorithm,
            network: network(&[1, 28, 28], &layers),
            ..Learner::default()
        };
        let mut learner = settings.create().unwrap();
        train(&mut learner, 1, &batches, None).1.unwrap();
        let mut times: Vec<_> = (0..EPOCHS)
            .map(|_| {
                let start = Instant::now();
                train(&mut learner, 2, &batches, None).1.unwrap();
                start.elapsed().as_secs_f64() * 1e3 / STEPS as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "{algorithm:>7}: median {:.2}, fastest {:.2}",
            times[EPOCHS / 2],
            times[0]
        );
    }
}
