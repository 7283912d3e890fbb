//! `pipeline data show`: prepares a dataset as a run would, and shows what is in it.

use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::ArtifactHash;
use assay_data::figures::Figures;
use assay_data::prepare::Description;
use assay_data::sheet::Sheet;
use assay_engine::{
    Cancel, Execution, Observer as _, PlannedDataset, StoredDataset, open_dataset, plan_dataset,
};
use assay_store::Store;

use crate::arguments::{DataShowArguments, processors};
use crate::error::CliError;
use crate::export::write;
use crate::show;
use crate::show::progress::ProgressView;

/// A dataset as it is shown.
pub(crate) struct ShownDataset {
    /// The stage's name, or that of the known dataset.
    pub(crate) name: String,
    pub(crate) artifact: ArtifactHash,
    pub(crate) description: Description,
    pub(crate) splits: Vec<ShownSplit>,
    pub(crate) sheet: Option<ShownSheet>,
}

/// One split of it.
pub(crate) struct ShownSplit {
    pub(crate) name: &'static str,
    /// The size of its table.
    pub(crate) bytes: u64,
    pub(crate) figures: Figures,
}

/// The contact sheet that was written.
pub(crate) struct ShownSheet {
    pub(crate) path: PathBuf,
    pub(crate) split: &'static str,
    /// Width and height in pixels.
    pub(crate) size: (u32, u32),
    /// Images in a row.
    pub(crate) columns: u32,
}

pub(crate) fn show(arguments: &DataShowArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let argument = arguments.argument().map_err(CliError::Arguments)?;
    let store = Store::open(&arguments.places.store.path)?;
    let planned = plan_dataset(&store, argument, arguments.places.data_dir.as_deref())?;
    let artifact = prepare(arguments, &store, &planned, cancel)?;
    let dataset = open_dataset(&store, artifact)?;
    let sheet = write_sheet(arguments, &dataset)?;
    let splits = dataset.splits.iter().map(|split| ShownSplit {
        name: split.name,
        bytes: split.bytes,
        figures: Figures::of(&split.table),
    });
    let shown = ShownDataset {
        name: planned.name,
        artifact,
        splits: splits.collect(),
        description: dataset.description,
        sheet,
    };
    show::print(&if arguments.json {
        show::json::dataset(&shown)
    } else {
        show::dataset::text(&shown)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The dataset's artifact, from the store where it is known.
fn prepare(
    arguments: &DataShowArguments,
    store: &Store,
    planned: &PlannedDataset,
    cancel: &Cancel,
) -> Result<ArtifactHash, CliError> {
    if let Some(result) = store.cached(planned.key)? {
        return Ok(result.artifact);
    }
    let name = planned.name.as_str();
    let view = ProgressView::new(std::iter::once(name));
    view.started(name);
    let data_dir = planned.data_dir.as_ref();
    let execution = Execution {
        store,
        data_dir: data_dir
            .or(arguments.places.data_dir.as_ref())
            .map(PathBuf::as_path),
        threads: processors(),
        limits: planned.limits,
        card: None,
        cancel,
        observe: &|progress| view.progress(name, &progress),
    };
    let ended = execution.execute(planned.key);
    view.finish();
    Ok(ended.map_err(CliError::Action)?.result.artifact)
}

fn write_sheet(
    arguments: &DataShowArguments,
    dataset: &StoredDataset,
) -> Result<Option<ShownSheet>, CliError> {
    let Some(path) = &arguments.sheet else {
        return Ok(None);
    };
    let wanted = arguments.split.name();
    let split = dataset.splits.iter().find(|split| split.name == wanted);
    let split = split
        .ok_or_else(|| CliError::Arguments(format!("the dataset has no {wanted} split to show")))?;
    let sheet = Sheet::draw(&split.table, arguments.per_class)?;
    write(path, &sheet.to_png()?)?;
    Ok(Some(ShownSheet {
        path: path.clone(),
        split: split.name,
        size: sheet.size(),
        columns: sheet.columns(),
    }))
}
