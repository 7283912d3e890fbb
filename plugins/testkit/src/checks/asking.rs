//! `asking-changes-nothing`: predictions and directions leave a learner as it was.

use assay_abi::ErrorCode;

use crate::check::{Body, Check, Evidence, failed};
use crate::samples::Samples;
use crate::subject::{Subject, unexpected};

pub(super) const CHECK: Check = Check {
    name: "asking-changes-nothing",
    promise: "Predicting, saving and asking for directions leave the saved state as it was, byte \
              for byte, and training goes on as if nothing had been asked.",
    why: "Otherwise how often an error is measured would be part of the result.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let batches = Samples::random(&network, 20, subject.seed).batches(8);
    let others = Samples::random(&network, 5, subject.seed ^ 1);
    let (mut asked, mut quiet) = (subject.learner(&network)?, subject.learner(&network)?);
    for epoch in 1..=2 {
        let before = asked.save()?;
        asked.predict(&others)?;
        if asked.save()? != before {
            return failed(format!("predicting before epoch {epoch} changed its state"));
        }
        match asked.directions(&others) {
            Ok(_) => {}
            Err(error) if error.code == ErrorCode::UNSUPPORTED => {}
            Err(error) => return Err(unexpected("for directions", &error)),
        }
        if asked.save()? != before {
            return failed(format!(
                "asking for directions before epoch {epoch} changed its state"
            ));
        }
        asked.train(epoch, &batches)?;
        quiet.train(epoch, &batches)?;
        if asked.save()? != quiet.save()? {
            return failed(format!(
                "epoch {epoch} gave another state than it gives a learner that was asked nothing"
            ));
        }
    }
    Ok("states are the same byte for byte".to_owned())
}
