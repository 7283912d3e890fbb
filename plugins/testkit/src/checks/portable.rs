//! `portable`: threads and vector instructions decide no bit, where an algorithm says so, nor does a card.

use super::{concurrent, resident};
use crate::check::{Body, Check, Problem, skipped};
use crate::networks::candidates;
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "portable",
    promise: "An algorithm whose schema has \"cpu\" in its list \"portable\" gives the same states and \
              predictions, bit for bit, with any number of threads and any vector instructions; with \
              \"cuda-portable\" there, on a card too.",
    why: "Its trainings are known without either, so a result of one machine stands for that of any \
          other.",
    body: Body::Compared(outputs),
};

/// The device of which an algorithm has to say so.
const CPU: &str = "cpu";

/// The states and predictions of a short training of every network that the algorithm supports.
fn outputs(subject: &Subject<'_>) -> Result<Vec<u8>, Problem> {
    let schema = subject.schema().unwrap_or_default();
    let devices = schema.get("portable").and_then(|it| it.as_array());
    let declares = |device| devices.is_some_and(|it| it.iter().any(|it| it == device));
    if !declares(CPU) {
        return skipped("its schema does not say that it is portable");
    }
    if !declares(subject.device) {
        return skipped("its schema does not say that it is portable on cards");
    }
    let mut outputs = Vec::new();
    for (_, network) in candidates() {
        let created = subject.create(&network, &subject.default_text(), subject.seed);
        let Ok(mut learner) = created else { continue };
        // Enough for sums in vectors and in parts, and a batch that fills neither.
        let samples = Samples::random(&network, 77, subject.seed);
        for epoch in 1..=2 {
            learner.train(epoch, &samples.batches(33))?;
        }
        outputs.extend(learner.save()?);
        let predictions = learner.predict(&samples)?;
        outputs.extend(predictions.iter().flat_map(|it| it.to_bits().to_le_bytes()));
        // Of the devices that the other checks do not know, too.
        resident::agrees(subject, &network)?;
        if subject.device != CPU {
            concurrent::agrees(subject, &network)?;
        }
    }
    Ok(outputs)
}
