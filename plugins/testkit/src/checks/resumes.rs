//! `resumes`: a saved state is the whole state.

use crate::check::{Body, Check, Evidence, Problem, failed};
use crate::samples::Samples;
use crate::subject::{Learner, Subject};
use crate::tensors::{Tensors, same_bits};

pub(super) const CHECK: Check = Check {
    name: "resumes",
    promise: "A learner that takes up a saved state ends with the same bytes as one that never \
              stopped, whether it is fresh, of another seed, or was trained on something else.",
    why: "Interrupted trainings go on from their last checkpoint, and must not differ for it.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let epochs: Vec<_> = (0..4)
        .map(|epoch| Samples::random(&network, 20, subject.seed.wrapping_add(epoch)).batches(8))
        .collect();
    let mut straight = subject.learner(&network)?;
    straight.train(1, &epochs[0])?;
    let saved = straight.save()?;
    let straight = train_on(&mut straight, &epochs[1..3])?;

    let mut fresh = subject.seeded(&network, subject.seed.wrapping_add(1))?;
    let mut used = subject.learner(&network)?;
    used.train(1, &epochs[3])?;
    used.train(2, &epochs[3])?;
    for (which, learner) in [
        ("a fresh learner of another seed", &mut fresh),
        ("a learner that was trained on something else", &mut used),
    ] {
        restore_exactly(learner, &saved)?;
        let resumed = train_on(learner, &epochs[1..3])?;
        if resumed != straight {
            return failed(format!(
                "{which} took up the state, and ended otherwise than the one that went on: {}",
                difference(&straight, &resumed)?
            ));
        }
    }
    Ok("two learners went on to the same bytes".to_owned())
}

/// Restores `saved`, which has to come out again as it went in.
fn restore_exactly(learner: &mut Learner, saved: &[u8]) -> Result<(), Problem> {
    learner.restore(saved)?;
    if learner.save()? == saved {
        return Ok(());
    }
    failed("a restored state is not the same when it is saved again")
}

/// Trains epochs 2 and 3; the state after them.
fn train_on(learner: &mut Learner, epochs: &[Vec<Samples>]) -> Result<Vec<u8>, Problem> {
    for (epoch, batches) in (2..).zip(epochs) {
        learner.train(epoch, batches)?;
    }
    learner.save()
}

/// Names the tensors that differ between two states: values that their updates depend on were not
/// all saved.
fn difference(one: &[u8], other: &[u8]) -> Result<String, Problem> {
    let (one, other) = (
        Tensors::parse("its state", one)?,
        Tensors::parse("its state", other)?,
    );
    let same = |name: &String, values: &[f32]| {
        (other.0.get(name)).is_some_and(|other| same_bits(other, values))
    };
    let differ = one.0.iter().filter(|(name, values)| !same(name, values));
    let names: Vec<_> = differ.map(|(name, _)| format!("`{name}`")).collect();
    Ok(match &names[..] {
        [] => "the tensors that are no 32-bit floats differ".to_owned(),
        [name] => format!("{name} differs, so what moves it is not all saved"),
        [name, others @ ..] => format!(
            "{name} and {} more tensors differ, so what moves them is not all saved",
            others.len()
        ),
    })
}
