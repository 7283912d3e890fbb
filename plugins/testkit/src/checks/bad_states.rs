//! `refuses-bad-states`: whether a damaged state is noticed, and costs nothing.

use assay_abi::ErrorCode;

use crate::check::{Body, Check, Evidence, failed};
use crate::networks::candidates;
use crate::samples::Samples;
use crate::subject::{Subject, readable};

pub(super) const CHECK: Check = Check {
    name: "refuses-bad-states",
    promise: "A state that is empty, cut short, no safetensors or another network's is refused \
              with the code STATE and a reason, and the learner stays as it was.",
    why: "A checkpoint that was damaged must not become the weights of a result.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let mut learner = subject.learner(&network)?;
    learner.train(1, &Samples::random(&network, 8, subject.seed).batches(8))?;
    let own = learner.save()?;
    let cut = &own[..own.len() / 2];
    let mut states = vec![
        ("an empty state", Vec::new()),
        ("half of its own state", cut.to_vec()),
        ("a text for a state", b"these are no tensors".to_vec()),
    ];
    let others = candidates().into_iter().map(|(_, other)| other);
    if let Ok(other) = subject.first_supported(others.filter(|other| *other != network)) {
        let state = subject.learner(&other)?.save()?;
        states.push(("the state of another network", state));
    }
    for (what, state) in &states {
        let asked = format!("to restore {what}");
        let Err(error) = learner.try_restore(state) else {
            return failed(format!("it restores {what}"));
        };
        readable(&asked, &error)?;
        if error.code != ErrorCode::STATE {
            let code = error.code.0;
            return failed(format!(
                "asked {asked}, it refused with the code {code} instead of STATE: {error}"
            ));
        }
        if learner.save()? != own {
            return failed(format!("it refused {what}, but is not what it was"));
        }
    }
    Ok(format!("{} bad states were refused", states.len()))
}
