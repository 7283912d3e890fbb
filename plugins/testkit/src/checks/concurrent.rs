//! `concurrent`: learners on several threads of a process compute what each computes alone, where an algorithm says so.

use std::sync::Barrier;
use std::thread;

use assay_network::Network;

use crate::check::{Body, Check, Evidence, Problem, failed, skipped};
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "concurrent",
    promise: "An algorithm whose schema has \"concurrent\": true has the same states and predictions, bit for bit, \
              while other learners of it are created, trained and dropped on other threads of the process.",
    why: "Trainings of small networks share a worker, so that they fill a card together.",
    body: Body::Algorithm(check),
};

/// The seeds of the learners that compute side by side, counted from that of the check: two of them are the same.
const SEEDS: [u64; 3] = [0, 1, 0];

fn check(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    if agrees(subject, &network)? {
        return Ok(format!("{} threads gave the bytes of one", SEEDS.len()));
    }
    skipped("its schema does not say that it is concurrent")
}

/// True if learners that compute side by side were compared with ones that do not; false where the algorithm does not
/// say that they may.
pub(super) fn agrees(subject: &Subject<'_>, network: &Network) -> Result<bool, Problem> {
    let schema = subject.schema().unwrap_or_default();
    if schema
        .get("concurrent")
        .and_then(serde_json::Value::as_bool)
        != Some(true)
    {
        return Ok(false);
    }
    let alone = SEEDS.map(|seed| trained(subject, network, seed, None));
    let barrier = Barrier::new(SEEDS.len());
    let together = thread::scope(|scope| {
        let barrier = &barrier;
        let train = |seed| move || trained(subject, network, seed, Some(barrier));
        let threads = SEEDS.map(|seed| scope.spawn(train(seed)));
        threads.map(|thread| match thread.join() {
            Ok(outputs) => outputs,
            Err(_) => failed("a thread that asked it panicked"),
        })
    });
    for (alone, together) in alone.into_iter().zip(together) {
        if alone? != together? {
            return failed(
                "it has other states or predictions while other learners compute on other threads",
            );
        }
    }
    Ok(true)
}

/// The states and predictions of a learner that begins when the others do.
fn trained(
    subject: &Subject<'_>,
    network: &Network,
    seed: u64,
    begin: Option<&Barrier>,
) -> Result<Vec<u8>, Problem> {
    let seed = subject.seed.wrapping_add(seed);
    let samples = Samples::random(network, 44, seed);
    let batches = samples.batches(8);
    begin.map(Barrier::wait);
    let learner = subject.seeded(network, seed);
    // All are there before one of them trains.
    begin.map(Barrier::wait);
    let mut learner = learner?;
    let mut outputs = Vec::new();
    for epoch in 1..=2 {
        learner.train(epoch, &batches)?;
        outputs.extend(learner.save()?);
        let predictions = learner.predict(&samples)?;
        outputs.extend(predictions.iter().flat_map(|it| it.to_bits().to_le_bytes()));
    }
    Ok(outputs)
}
