//! A run: when it was, how it ended, and its stages.

use assay_audit::Index;
use assay_core::{Run, RunHash, RunStage};

use crate::ui::action::{self, ending, outcomes};
use crate::ui::duration;
use crate::ui::role::pins;
use crate::ui::words::{count, fields, lines, moment, plain, right, size, table};

pub(crate) fn text(index: &Index, hash: RunHash) -> String {
    let Some(entry) = index.runs().get(&hash) else {
        return format!("run {hash}\n");
    };
    let run = &entry.run;
    let ended = format!(
        "{}: {}, {}",
        ending(run),
        count(run.stages.len() as u64, "stage"),
        outcomes(run)
    );
    let began = format!(
        "{} UTC on {}, took {}, assay {}",
        moment(run.started_ms),
        plain(&run.host),
        duration(run.duration_ms),
        plain(&run.version)
    );
    let mut known = vec![
        ("pipeline", plain(&run.pipeline)),
        ("began", began),
        ("ended", ended),
        ("file", format!("{}, as it was", run.file.short())),
    ];
    let networks = run.networks.map(|networks| ("networks", networks.short()));
    known.extend(networks);
    if !run.overrides.is_empty() {
        let overrides: Vec<_> = run.overrides.iter().map(|it| plain(it)).collect();
        known.push(("overrides", overrides.join("\n")));
    }
    known.push(("pinned as", pins(index, hash.into())));
    known.retain(|(_, value)| !value.is_empty());
    format!("run {hash}\n{}\n{}", fields(&known), stages(index, run))
}

fn stages(index: &Index, run: &Run) -> String {
    let header = [
        "stage", "kind", "outcome", "time", "size", "action", "artifact",
    ];
    let mut stages = table(&header);
    for stage in &run.stages {
        stages.add_row(cells(index, stage));
    }
    right(&mut stages, &[3, 4]);
    lines(&stages)
}

fn cells(index: &Index, stage: &RunStage) -> [String; 7] {
    let dash = || "—".to_owned();
    let entry = stage.action.and_then(|action| index.actions().get(&action));
    let document = entry.and_then(|entry| entry.document.as_ref());
    let gave = |result: &assay_core::ActionResult| Some(result.artifact) == stage.artifact;
    let mut results = entry.into_iter().flat_map(|entry| &entry.results);
    let result = results.find(|(_, result)| gave(result));
    let manifest = stage.artifact.and_then(|it| index.artifacts().get(&it));
    let bytes = manifest.map(|it| {
        it.files
            .values()
            .map(|file| file.size)
            .fold(0, u64::saturating_add)
    });
    [
        plain(&stage.name),
        document.map_or_else(dash, |document| document.kind.name().to_owned()),
        action::outcome(stage.outcome).to_owned(),
        result.map_or_else(dash, |(_, result)| duration(result.duration_ms)),
        bytes.map_or_else(dash, size),
        stage.action.map_or_else(dash, |action| action.short()),
        stage
            .artifact
            .map_or_else(dash, |artifact| artifact.short()),
    ]
}
