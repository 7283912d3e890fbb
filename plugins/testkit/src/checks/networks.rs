//! `networks`: every kind of network is either trained or refused.

use assay_abi::ErrorCode;
use assay_network::Network;

use crate::check::{Body, Check, Evidence, Problem, failed};
use crate::networks::candidates;
use crate::samples::Samples;
use crate::subject::{Subject, check_refusal};

pub(super) const CHECK: Check = Check {
    name: "networks",
    promise: "A network of each kind, for either task, is trained and predicted with, or refused \
              with the code UNSUPPORTED and a reason; at least one is trained.",
    why: "A pipeline with a network that the algorithm cannot train has to be refused before it \
          has cost a night.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let (mut trained, mut refused) = (Vec::new(), Vec::new());
    for (name, network) in candidates() {
        if is_trained(subject, name, &network)? {
            trained.push(name);
        } else {
            refused.push(name);
        }
    }
    if trained.is_empty() {
        return failed("it supports no kind of network");
    }
    let mut seen = format!("trains {}", trained.join(", "));
    if !refused.is_empty() {
        seen = format!("{seen}; refuses {}", refused.join(", "));
    }
    Ok(seen)
}

/// True if `network` was trained, false if it was refused as it should be.
fn is_trained(subject: &Subject<'_>, name: &str, network: &Network) -> Result<bool, Problem> {
    let mut learner = match subject.create(network, &subject.default_text(), subject.seed) {
        Ok(learner) => learner,
        Err(error) => {
            let asked = format!("to train the network `{name}`");
            check_refusal(&asked, &error, (ErrorCode::UNSUPPORTED, "UNSUPPORTED"))?;
            return Ok(false);
        }
    };
    let samples = Samples::random(network, 20, subject.seed);
    let of_network = |problem: Problem| problem.of(&format!("the network `{name}`"));
    learner.train(1, &samples.batches(8)).map_err(of_network)?;
    let outputs = learner.predict(&samples).map_err(of_network)?;
    if outputs.iter().all(|output| output.is_finite()) {
        return Ok(true);
    }
    failed(format!(
        "the network `{name}` predicts values that are no finite numbers"
    ))
}
