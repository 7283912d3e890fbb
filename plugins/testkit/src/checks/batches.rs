//! `batches`: epochs and batches of unusual sizes.

use crate::check::{Body, Check, Evidence, Problem, failed};
use crate::samples::Samples;
use crate::subject::{Learner, Subject, Trained};
use crate::tensors::Tensors;

pub(super) const CHECK: Check = Check {
    name: "batches",
    promise: "Epochs without a batch, of a single sample, with a ragged last batch and with batches \
              larger than those before end well; metrics, state and predictions stay finite.",
    why: "The last batch of an epoch has as many samples as are left, which may be one.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let mut learner = subject.learner(&network)?;
    let samples = Samples::random(&network, 40, subject.seed);
    let shapes: [(&str, Vec<Samples>); 6] = [
        ("without a batch", Vec::new()),
        ("of a single sample", samples.parts(&[1])[..1].to_vec()),
        ("with a ragged last batch", samples.parts(&[16, 16, 7])),
        ("of single samples", samples.parts(&[1, 1, 1])[..3].to_vec()),
        ("of one large batch", vec![samples.clone()]),
        ("without a batch", Vec::new()),
    ];
    for (epoch, (shape, batches)) in (1..).zip(&shapes) {
        let of_epoch = |problem: Problem| problem.of(&format!("an epoch {shape}"));
        let (trained, result) = learner.try_train(epoch, batches, None);
        result.map_err(|error| of_epoch(Problem::Failed(format!("it said: {error}"))))?;
        healthy(&mut learner, &trained, batches, &samples).map_err(of_epoch)?;
    }
    Ok(format!(
        "{} epochs of unusual sizes ended well",
        shapes.len()
    ))
}

/// Fails unless every batch was taken and everything is finite.
fn healthy(
    learner: &mut Learner,
    trained: &Trained,
    batches: &[Samples],
    samples: &Samples,
) -> Result<(), Problem> {
    let (served, passes) = (trained.conduct.served, trained.conduct.passes);
    if passes == 0 || served != passes * batches.len() {
        return failed(format!(
            "it took {served} of the {} batches, and the end of {passes} passes",
            batches.len()
        ));
    }
    if let Some((name, value)) = trained.metrics.non_finite() {
        return failed(format!("`{name}` is {value}"));
    }
    let state = Tensors::parse("its state", &learner.save()?)?;
    if let Some(name) = state.non_finite() {
        return failed(format!("tensor `{name}` of its state is not finite"));
    }
    if learner
        .predict(samples)?
        .iter()
        .all(|output| output.is_finite())
    {
        return Ok(());
    }
    failed("a prediction is not finite")
}
