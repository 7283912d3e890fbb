//! `describes`: a plugin says who it is and what it offers.

use std::collections::BTreeSet;

use assay_abi::AlgorithmInfo;

use crate::check::{Body, Check, Evidence, Loading, Problem, failed, skipped};
use crate::subject::unexpected;

pub(super) const CHECK: Check = Check {
    name: "describes",
    promise: "The plugin says its name, version and purpose, and offers at least one algorithm; \
              names are used once, and algorithms and metrics are described.",
    why: "A pipeline file names an algorithm, and a reader of its report has to learn what that is.",
    body: Body::Library(run),
};

fn run(loading: &Loading) -> Evidence {
    let Loading::Loaded(plugin) = loading else {
        return skipped("it does not load");
    };
    let identity = plugin.identity();
    let identity = identity.map_err(|error| unexpected("who it is", &error))?;
    let algorithms = plugin.algorithms();
    let algorithms = algorithms.map_err(|error| unexpected("what it offers", &error))?;
    for (what, text) in [
        ("name", &identity.name),
        ("version", &identity.version),
        ("description", &identity.description),
    ] {
        said_something(&format!("the plugin's {what}"), text)?;
    }
    if algorithms.is_empty() {
        return failed("it offers no algorithm");
    }
    let mut names = BTreeSet::new();
    for algorithm in &algorithms {
        let name = algorithm.name.as_str();
        said_something("the name of an algorithm", name)?;
        if !names.insert(name) {
            return failed(format!("it offers two algorithms of the name `{name}`"));
        }
        described(algorithm)?;
    }
    let names: Vec<_> = names.into_iter().collect();
    Ok(format!(
        "{} {}, with {}",
        identity.name,
        identity.version,
        names.join(", ")
    ))
}

fn described(algorithm: &AlgorithmInfo) -> Result<(), Problem> {
    let of = |what: &str| format!("the {what} of `{}`", algorithm.name);
    said_something(&of("summary"), &algorithm.summary)?;
    said_something(&of("reference"), &algorithm.reference)?;
    let mut names = BTreeSet::new();
    for metric in &algorithm.metrics {
        let name = metric.name.as_str();
        said_something(&of("name of a metric"), name)?;
        said_something(
            &of(&format!("description of the metric `{name}`")),
            &metric.description,
        )?;
        if !names.insert(name) {
            return failed(format!(
                "{} is there twice",
                of(&format!("metric `{name}`"))
            ));
        }
    }
    Ok(())
}

fn said_something(what: &str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return failed(format!("{what} is empty"));
    }
    Ok(())
}
