//! `metrics`: the metrics reported are those declared.

use std::collections::BTreeSet;

use crate::check::{Body, Check, Evidence, failed};
use crate::samples::Samples;
use crate::subject::Subject;

pub(super) const CHECK: Check = Check {
    name: "metrics",
    promise: "Each epoch reports every metric that the algorithm declares, no other, and finite \
              numbers only. One that is declared as `NAME_l` is reported as `NAME_1`, `NAME_2`, … of \
              layers.",
    why: "Curves and tables are made from metrics by name; a gap in one would go unnoticed.",
    body: Body::Algorithm(run),
};

fn run(subject: &Subject<'_>) -> Evidence {
    let network = subject.network()?;
    let mut learner = subject.learner(&network)?;
    let declared = subject.algorithm.metrics.iter();
    let declared: BTreeSet<_> = declared.map(|metric| metric.name.as_str()).collect();
    let mut count = 0;
    for epoch in 1..=2 {
        let samples = Samples::random(&network, 44, subject.seed.wrapping_add(epoch.into()));
        let metrics = learner.train(epoch, &samples.batches(8))?.metrics;
        if let Some((name, value)) = metrics.non_finite() {
            return failed(format!("`{name}` is {value} in epoch {epoch}"));
        }
        let reported = metrics.0.iter().filter(|(_, values)| !values.is_empty());
        let reported: Vec<_> = reported.map(|(name, _)| name.as_str()).collect();
        let mut seen = BTreeSet::new();
        for name in reported {
            let of_layers = of_layers(name);
            let known = [Some(name), of_layers.as_deref()];
            let mut known = known.into_iter().flatten();
            let Some(known) = known.find_map(|name| declared.get(name)) else {
                return failed(format!("it reports `{name}`, which it does not declare"));
            };
            seen.insert(*known);
        }
        if let Some(name) = declared.difference(&seen).next() {
            return failed(format!(
                "it declares `{name}`, but does not report it in epoch {epoch}"
            ));
        }
        count += metrics.0.values().map(Vec::len).sum::<usize>();
    }
    let names: Vec<_> = declared.into_iter().collect();
    Ok(match names[..] {
        [] => "it declares no metric and reports none".to_owned(),
        _ => format!("{count} finite values of {}", names.join(", ")),
    })
}

/// The declaration of a metric of some layer: `NAME_l` for `NAME_3`.
fn of_layers(name: &str) -> Option<String> {
    let (family, layer) = name.rsplit_once('_')?;
    layer.parse::<usize>().ok()?;
    Some(format!("{family}_l"))
}
