//! How long one training step takes on the paper's networks (Table 3), batch 128.
//!
//! `MKL_CBWR=AVX2 ATEN_CPU_CAPABILITY=avx2 cargo run -p assay-tests --example step -- NETWORK
//! [ALGORITHM] [THREADS]`, after `cargo build --workspace`. The two variables are those that the
//! host sets for its workers. The rate counts the multiplications of backpropagation, padding
//! included, whatever the algorithm leaves out; it is set against a large matrix product on as many
//! threads, timed in turn with the steps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../support/mod.rs"]
mod support;

use std::time::Instant;

use assay_network::Network;
use support::host::{Samples, train};
use support::plugin::{Learner, network};
use tch::{Device, Kind, Tensor};

const ALGORITHMS: [&str; 7] = ["bp", "fa", "dfa", "tp", "dtp", "sdtp", "ao-sdtp"];
const BATCH: usize = 128;
const ROUNDS: usize = 9;
/// How long a round takes, about.
const ROUND_SECONDS: f64 = 1.0;

/// The input and the layers of a network of the paper.
fn described(name: &str) -> Option<([usize; 3], Vec<&'static str>)> {
    let (mnist, cifar) = ([1, 28, 28], [3, 32, 32]);
    Some(match name {
        "mnist-fc" => (
            mnist,
            vec![
                "fc 256",
                "fc 256",
                "fc 256",
                "fc 256",
                "fc 256",
                "softmax 10",
            ],
        ),
        "mnist-lc" => (
            mnist,
            vec!["lc 3x3 32 s2", "lc 3x3 64 s2", "fc 1024", "softmax 10"],
        ),
        "mnist-conv" => (
            mnist,
            vec!["conv 3x3 32 s2", "conv 3x3 64 s2", "fc 1024", "softmax 10"],
        ),
        "cifar-fc" => (cifar, vec!["fc 1024", "fc 1024", "fc 1024", "softmax 10"]),
        "cifar-lc" => (
            cifar,
            vec![
                "lc 5x5 64 s2",
                "lc 5x5 128 s2",
                "lc 3x3 256 s1",
                "fc 1024",
                "softmax 10",
            ],
        ),
        "cifar-conv" => (
            cifar,
            vec![
                "conv 5x5 64 s2",
                "conv 5x5 128 s2",
                "conv 3x3 256 s1",
                "fc 1024",
                "softmax 10",
            ],
        ),
        _ => return None,
    })
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let name = argument(0).unwrap_or("mnist-fc");
    let (input, layers) = described(name).expect("a network such as `mnist-lc` or `cifar-fc`");
    let algorithms = argument(1).map_or(ALGORITHMS.to_vec(), |name| vec![name]);
    let threads = argument(2).map_or(1, |text| text.parse().expect("a number of threads"));

    let flop = step_flop(&Network::parse(input, &layers).unwrap());
    println!(
        "{name}, batch {BATCH}, {threads} thread(s), {:.2} GFLOP",
        flop / 1e9
    );
    for algorithm in algorithms {
        let learner = Learner {
            algorithm,
            network: network(&input, &layers),
            threads,
            ..Learner::default()
        };
        let rounds = rounds(&learner, input);
        let seconds = sorted(rounds.iter().map(|round| round.step));
        let shares = sorted(rounds.iter().map(|round| flop / round.step / round.rate));
        println!(
            "{algorithm:>7}: median {:.2} ms, fastest {:.2} ms; median {:.0} % of the rate of a \
             2048^3 product",
            seconds[ROUNDS / 2] * 1e3,
            seconds[0] * 1e3,
            shares[ROUNDS / 2] * 100.0,
        );
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Three products a layer, two operations a multiplication; the first layer has no use for the
/// error of its input.
fn step_flop(network: &Network) -> f64 {
    let layers = network.summary();
    let products: u64 = layers.iter().map(|layer| 3 * layer.multiply_adds).sum();
    2.0 * BATCH as f64 * (products - layers[0].multiply_adds) as f64
}

/// One measurement.
struct Round {
    /// Seconds per training step.
    step: f64,
    /// Operations per second of a large product just afterwards: a machine that others use is
    /// not equally fast all the time.
    rate: f64,
}

fn rounds(learner: &Learner<'_>, input: [usize; 3]) -> Vec<Round> {
    let mut learner = learner.create().unwrap();
    let batch = Samples::random(1, BATCH, input, 10);
    let mut seconds = |steps: usize| {
        let batches = vec![batch.clone(); steps];
        let start = Instant::now();
        train(&mut learner, 1, &batches, None).1.unwrap();
        start.elapsed().as_secs_f64() / steps as f64
    };
    seconds(2);
    let steps = ((ROUND_SECONDS / seconds(2)) as usize).clamp(2, 200);
    let matrix = || Tensor::ones([2048, 2048], (Kind::Float, Device::Cpu));
    let (a, b, product) = (matrix(), matrix(), matrix());
    (0..ROUNDS)
        .map(|_| {
            let step = seconds(steps);
            let start = Instant::now();
            let _ = a.f_mm_out(&product, &b).unwrap();
            let rate = 2.0 * 2048_f64.powi(3) / start.elapsed().as_secs_f64();
            Round { step, rate }
        })
        .collect()
}
