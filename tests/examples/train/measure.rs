//! Measuring in rounds: in each, everything has its turn, so that a machine that others use too is
//! as slow for one as for another.

use crate::Failure;
use crate::contestant::{Contestant, Instructions, Running};
use crate::networks::NamedNetwork;
use crate::worker::PRODUCT_SIZE;

/// Operations of one product of the reference: a multiplication and an addition for each.
const PRODUCT_FLOP: f64 = (2 * PRODUCT_SIZE.pow(3)) as f64;

/// Steps of a turn at most.
const MOST_STEPS: f64 = 500.0;

/// Rounds and length of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    rounds: u32,
    /// The length of a turn, about.
    turn_seconds: f64,
}

impl Effort {
    pub(crate) const QUICK: Self = Self {
        rounds: 3,
        turn_seconds: 0.2,
    };

    pub(crate) fn thorough(rounds: u32) -> Self {
        Self {
            rounds,
            turn_seconds: 0.5,
        }
    }
}

/// Measurements of one contestant.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) contestant: Contestant,
    pub(crate) version: String,
    pub(crate) steps: u32,
    /// Seconds per step, one for each round.
    pub(crate) seconds: Vec<f64>,
    /// Operations per second of large products, in the same rounds.
    pub(crate) peak: Vec<f64>,
    /// Bytes.
    pub(crate) peak_memory: u64,
}

struct Turn<'a> {
    contestant: &'a Contestant,
    running: Running,
    steps: u32,
    seconds: Vec<f64>,
}

/// Measures `contestants` together. One that cannot start or ends early is left out with a word
/// on standard error: it may be that only its memory does not suffice.
pub(crate) fn measure(
    network: &NamedNetwork,
    threads: u32,
    contestants: &[Contestant],
    effort: Effort,
) -> Result<Vec<Measured>, Failure> {
    let products = [Instructions::All, Instructions::OfWorker].map(Contestant::Product);
    let mut products = (products.iter())
        .map(|product| Turn::start(product, network, threads, effort))
        .collect::<Result<Vec<_>, _>>()?;
    let mut turns: Vec<_> = contestants
        .iter()
        .filter_map(|it| unless_failed(it, Turn::start(it, network, threads, effort)))
        .collect();
    for _ in 0..effort.rounds {
        for product in &mut products {
            product.take()?;
        }
        turns.retain_mut(|turn| unless_failed(turn.contestant, turn.take()).is_some());
        // Not always in the same order: what comes after a long turn may find a hotter machine.
        turns.reverse();
    }
    if effort.rounds % 2 == 1 {
        turns.reverse();
    }
    // The faster one: which that is depends on the processor and on its library.
    let fastest = |round: usize| {
        let seconds = products.iter().map(|product| product.seconds[round]);
        seconds.fold(f64::INFINITY, f64::min)
    };
    let peak: Vec<_> = (0..effort.rounds as usize)
        .map(|round| PRODUCT_FLOP / fastest(round))
        .collect();
    turns.into_iter().map(|turn| turn.finish(&peak)).collect()
}

fn unless_failed<T>(contestant: &Contestant, result: Result<T, Failure>) -> Option<T> {
    let named = |failure: &Failure| eprintln!("left out: {contestant}: {failure}");
    result.inspect_err(named).ok()
}

impl<'a> Turn<'a> {
    fn start(
        contestant: &'a Contestant,
        network: &NamedNetwork,
        threads: u32,
        effort: Effort,
    ) -> Result<Self, Failure> {
        let mut running = contestant.start(network, threads)?;
        running.seconds(1)?;
        let steps = (effort.turn_seconds / running.seconds(2)?).clamp(1.0, MOST_STEPS);
        Ok(Self {
            contestant,
            running,
            steps: steps as u32,
            seconds: Vec::new(),
        })
    }

    /// Has its turn. The first step is not counted: it finds the caches full of what the turn before left there.
    fn take(&mut self) -> Result<(), Failure> {
        self.running.seconds(1)?;
        self.seconds.push(self.running.seconds(self.steps)?);
        Ok(())
    }

    fn finish(self, peak: &[f64]) -> Result<Measured, Failure> {
        Ok(Measured {
            contestant: self.contestant.clone(),
            version: self.running.version.clone(),
            steps: self.steps,
            seconds: self.seconds,
            peak: peak.to_vec(),
            peak_memory: self.running.peak_memory()?,
        })
    }
}
