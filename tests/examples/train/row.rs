//! Rows of the results: one for each network, algorithm, implementation and number of threads.
//! docs/performance.md defines every column.

use std::fmt;
use std::fs;
use std::thread::available_parallelism;

use crate::measure::Measured;
use crate::networks::NamedNetwork;

/// The least, the middle and the largest of several values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = values.first().zip(values.last())?;
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 0 {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, min, max })
    }
}

/// The machine that it was measured on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: u32,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        Self {
            processor: model.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: available_parallelism().map_or(1, |cores| cores.get() as u32),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} core(s)", self.processor, self.cores)
    }
}

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) network: String,
    pub(crate) algorithm: String,
    pub(crate) implementation: String,
    pub(crate) version: String,
    pub(crate) threads: u32,
    pub(crate) batch: u32,
    pub(crate) rounds: u32,
    pub(crate) steps: u32,
    pub(crate) milliseconds: Spread,
    pub(crate) samples_per_second: f64,
    /// Of the rate of large products; only where the operations of a step are known.
    pub(crate) product_percent: Option<f64>,
    /// The rate of large products in GFLOP/s.
    pub(crate) product_rate: f64,
    /// The time of the fastest of `PyTorch` over this one.
    pub(crate) over_pytorch: Option<f64>,
    /// This time over that of our own backpropagation.
    pub(crate) times_bp: Option<f64>,
    pub(crate) peak_memory: u64,
    pub(crate) machine: Machine,
}

/// The rows of what was measured together on one network.
pub(crate) fn rows(
    network: &NamedNetwork,
    flop: f64,
    threads: u32,
    measured: &[Measured],
    machine: &Machine,
) -> Vec<Row> {
    let pytorch = measured
        .iter()
        .filter(|it| it.contestant.is_pytorch())
        .min_by(|a, b| median(&a.seconds).total_cmp(&median(&b.seconds)));
    let own = measured
        .iter()
        .find(|it| !it.contestant.is_pytorch() && it.contestant.algorithm() == "bp");
    let row = |it: &Measured| {
        let backpropagation = it.contestant.algorithm() == "bp";
        let milliseconds = Spread::of(it.seconds.iter().map(|seconds| seconds * 1e3))?;
        let share = |(seconds, peak): (&f64, &f64)| 100.0 * flop / seconds / peak;
        Some(Row {
            network: network.name.clone(),
            algorithm: it.contestant.algorithm().to_owned(),
            implementation: it.contestant.implementation(),
            version: it.version.clone(),
            threads,
            batch: network.batch() as u32,
            rounds: it.seconds.len() as u32,
            steps: it.steps,
            milliseconds,
            samples_per_second: network.batch() as f64 / milliseconds.median * 1e3,
            product_percent: backpropagation
                .then(|| median_of(it.seconds.iter().zip(&it.peak).map(share))),
            product_rate: median(&it.peak) / 1e9,
            over_pytorch: pytorch.map(|pytorch| ratio(&pytorch.seconds, &it.seconds)),
            times_bp: own.map(|own| ratio(&it.seconds, &own.seconds)),
            peak_memory: it.peak_memory,
            machine: machine.clone(),
        })
    };
    measured.iter().filter_map(row).collect()
}

/// The median over the rounds of one time over another of the same round.
fn ratio(over: &[f64], under: &[f64]) -> f64 {
    median_of(over.iter().zip(under).map(|(over, under)| over / under))
}

fn median(values: &[f64]) -> f64 {
    median_of(values.iter().copied())
}

fn median_of(values: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(values).map_or(f64::NAN, |spread| spread.median)
}
