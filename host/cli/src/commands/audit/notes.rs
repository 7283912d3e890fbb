//! The notes of an audit beside damage, in words.

use std::path::PathBuf;

use assay_audit::{AffectedStage, Note};
use assay_store::Store;

use crate::commands::audit::layout::{brief, list};
use crate::commands::audit::{role, size, stages};
use crate::ui::words::count;

pub(crate) fn text(store: &Store, note: &Note) -> String {
    match note {
        Note::Irreproducible {
            action,
            artifacts,
            stages,
        } => irreproducible(&action.short(), artifacts.len(), stages),
        Note::UnnamedRun(run) => format!(
            "run {} has no marker in runs/: `pipeline rm` forgot it, it was interrupted at its very \
             end, or someone removed the marker",
            run.short()
        ),
        Note::NewerRevision {
            action,
            kind,
            revision,
        } => format!(
            "action {} is of revision {revision} of `{kind}`, which only a newer version of assay knows",
            action.short()
        ),
        Note::KnownLoss { object, roles } => format!(
            "object {} is lost, as quarantine says; it was {}",
            object.short(),
            list(roles.iter().take(1).map(role))
        ),
        Note::Writable(paths) => format!(
            "{} may be written to, such as {}; `chmod a-w` protects against mistakes",
            files(paths),
            first(store, paths)
        ),
        Note::Unnamed { objects, bytes } => format!(
            "nothing names {} ({}); `pipeline gc` removes what nothing needs",
            count(*objects, "object"),
            size(*bytes)
        ),
        Note::Unfinished(paths) => {
            format!(
                "{} actions have not finished, and go on from scratch/",
                paths.len()
            )
        }
        Note::Temporary(paths) => format!(
            "{} in tmp/: being written, or left behind by a process that died",
            files(paths)
        ),
        Note::Strange(paths) => {
            format!(
                "{} the store did not make, such as {}",
                files(paths),
                first(store, paths)
            )
        }
        Note::Quarantine(things) => format!(
            "quarantine/ holds {} moved there by --fix",
            count(*things as u64, "thing")
        ),
    }
}

fn irreproducible(action: &str, artifacts: usize, affected: &[AffectedStage]) -> String {
    let named = stages(affected);
    let of = if named.is_empty() {
        String::new()
    } else {
        format!(" ({named})")
    };
    format!(
        "NOT REPRODUCIBLE: the results of action {action}{of} have {artifacts} different artifacts"
    )
}

fn files(paths: &[PathBuf]) -> String {
    count(paths.len() as u64, "file")
}

fn first(store: &Store, paths: &[PathBuf]) -> String {
    paths
        .first()
        .map_or_else(String::new, |path| brief(store, path))
}
