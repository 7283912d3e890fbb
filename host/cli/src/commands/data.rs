//! `pipeline data show`: prepares a dataset as a run would, and shows what is in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_core::ArtifactHash;
use assay_data::figures::Figures;
use assay_data::prepare::Description;
use assay_data::sheet::Sheet;
use assay_data::sources::ScalingChoice;
use assay_engine::{
    Cancel, DatasetArgument, Execution, Observer as _, PlannedDataset, StoredDataset, open_dataset,
    plan_dataset,
};
use assay_store::Store;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::arguments::{Places, processors};
use crate::error::CliError;
use crate::export::write;
use crate::ui::json::document;
use crate::ui::progress::ProgressView;
use crate::ui::words::{path, plain, size};
use crate::ui::{self, RULES};

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Show what a dataset holds, in figures and as a contact sheet; prepares it if it is new.
    Show(DataShowArguments),
}

const SHOW_EXAMPLES: &str = "\
Examples:
  pipeline data show mnist
  pipeline data show cifar10 --sheet cifar10.png
  pipeline data show pipelines/cifar10.toml --sheet test.png --split test --per-class 20
  pipeline data show mine.toml digits --set digits.limit.train=1000 --json

The whole of each split is read for its figures: seconds for MNIST and CIFAR-10.

Exit codes: 0 done, 1 the dataset could not be prepared, 2 the request or the store cannot be used,
130 stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = SHOW_EXAMPLES)]
pub(crate) struct DataShowArguments {
    /// A known dataset (mnist, fashion-mnist, cifar10), or a pipeline file: a path that ends in
    /// .toml or has a slash
    dataset: String,

    /// The dataset stage of the pipeline file [default: its only one]
    stage: Option<String>,

    /// Override a value of the pipeline file, as `pipeline run` does
    #[arg(long = "set", value_name = "NAME.KEY=VALUE")]
    overrides: Vec<String>,

    /// Write a contact sheet to this file (PNG): the first images of each class, a row for each
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,

    /// The split on the sheet
    #[arg(long, value_enum, default_value_t = SheetSplit::Train, requires = "sheet")]
    split: SheetSplit,

    /// Images of each class on the sheet
    #[arg(long, value_name = "N", default_value_t = 10, requires = "sheet",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    per_class: u32,

    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    places: Places,
}

/// A split by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SheetSplit {
    Train,
    Validation,
    Test,
}

impl SheetSplit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl DataShowArguments {
    /// # Errors
    /// A known dataset has neither stages nor a file to override.
    pub(crate) fn argument(&self) -> Result<DatasetArgument<'_>, String> {
        let path = Path::new(&self.dataset);
        let in_file =
            self.dataset.contains('/') || path.extension().is_some_and(|end| end == "toml");
        if in_file {
            return Ok(DatasetArgument::File {
                path,
                stage: self.stage.as_deref(),
                overrides: &self.overrides,
            });
        }
        if self.stage.is_some() || !self.overrides.is_empty() {
            return Err(format!(
                "a stage and --set are for a pipeline file; `{}` is taken as a dataset's name",
                self.dataset
            ));
        }
        Ok(DatasetArgument::Known(&self.dataset))
    }
}

/// A dataset as it is shown.
struct ShownDataset {
    /// The stage's name, or that of the known dataset.
    name: String,
    artifact: ArtifactHash,
    description: Description,
    splits: Vec<ShownSplit>,
    sheet: Option<ShownSheet>,
}

/// One split of it.
struct ShownSplit {
    name: &'static str,
    /// The size of its table.
    bytes: u64,
    figures: Figures,
}

/// The contact sheet that was written.
struct ShownSheet {
    path: PathBuf,
    split: &'static str,
    /// Width and height in pixels.
    size: (u32, u32),
    /// Images in a row.
    columns: u32,
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
    ui::print(&if arguments.json {
        json(&shown)
    } else {
        text(&shown)
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

fn text(dataset: &ShownDataset) -> String {
    let description = &dataset.description;
    let [channels, height, width] = <[u32; 3]>::from(description.shape);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} classes, images of {channels} × {height} × {width} (channels, rows, columns)",
        plain(&dataset.name),
        description.classes
    );
    let _ = writeln!(text, "artifact {}", dataset.artifact);
    let _ = writeln!(text, "\n{}", splits(dataset));
    let scaling = match description.scaling {
        ScalingChoice::UnitInterval => "Scaled to the unit interval: pixel / 255.",
        ScalingChoice::Standardised => {
            "Standardised: (pixel / 255 − mean) / sd, with the train split's figures."
        }
    };
    let _ = writeln!(
        text,
        "Mean and standard deviation (sd) of pixel / 255, smallest and largest pixel of 0 to 255.\n\
         {scaling}"
    );
    let _ = writeln!(text, "\n{}", classes(dataset));
    if let Some(sheet) = &dataset.sheet {
        let _ = writeln!(text, "{}", self::sheet(sheet));
    }
    text
}

/// A row for each channel of each split.
fn splits(dataset: &ShownDataset) -> Table {
    let mut table = Table::new();
    table.load_style(RULES).set_header([
        "split", "images", "table", "channel", "mean", "sd", "pixels",
    ]);
    for split in &dataset.splits {
        for (channel, figures) in split.figures.channels.iter().enumerate() {
            let mut cells = if channel == 0 {
                let images: u64 = split.figures.label_counts.iter().sum();
                vec![split.name.to_owned(), images.to_string(), size(split.bytes)]
            } else {
                vec![String::new(); 3]
            };
            cells.push(channel.to_string());
            cells.extend([figures.mean, figures.standard_deviation].map(|it| format!("{it:.4}")));
            cells.push(match figures.range {
                Some((smallest, largest)) => format!("{smallest} to {largest}"),
                None => "—".to_owned(),
            });
            table.add_row(cells);
        }
    }
    right(&mut table, 1);
    table
}

/// A row for each class, with its images in each split.
fn classes(dataset: &ShownDataset) -> Table {
    let mut table = Table::new();
    let mut header = vec!["label", "class"];
    header.extend(dataset.splits.iter().map(|split| split.name));
    table.load_style(RULES).set_header(header);
    for (label, name) in dataset.description.class_names.iter().enumerate() {
        let mut cells = vec![label.to_string(), plain(name)];
        cells.extend(dataset.splits.iter().map(|split| {
            let count = split.figures.label_counts.get(label);
            count.map_or("—".to_owned(), u64::to_string)
        }));
        table.add_row(cells);
    }
    right(&mut table, 2);
    table
}

fn right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn sheet(sheet: &ShownSheet) -> String {
    let (width, height) = sheet.size;
    format!(
        "{}: {width} × {height} pixels, the first {} images of each class of the {} split, a row \
         for each class\nin the order of the labels",
        path(&sheet.path),
        sheet.columns,
        sheet.split
    )
}

fn json(dataset: &ShownDataset) -> String {
    let description = &dataset.description;
    let splits: Vec<_> = dataset.splits.iter().map(split_json).collect();
    let sheet = dataset.sheet.as_ref().map(|sheet| {
        json!({
            "file": sheet.path,
            "split": sheet.split,
            "width": sheet.size.0,
            "height": sheet.size.1,
            "columns": sheet.columns,
        })
    });
    document(&json!({
        "dataset": dataset.name,
        "artifact": dataset.artifact,
        "shape": description.shape,
        "classes": description.classes,
        "class_names": description.class_names,
        "scaling": description.scaling,
        "splits": splits,
        "sheet": sheet,
    }))
}

fn split_json(split: &ShownSplit) -> Value {
    let channels: Vec<_> = split
        .figures
        .channels
        .iter()
        .map(|channel| {
            json!({
                "mean": channel.mean,
                "standard_deviation": channel.standard_deviation,
                "smallest": channel.range.map(|(smallest, _)| smallest),
                "largest": channel.range.map(|(_, largest)| largest),
            })
        })
        .collect();
    json!({
        "name": split.name,
        "images": split.figures.label_counts.iter().sum::<u64>(),
        "bytes": split.bytes,
        "label_counts": split.figures.label_counts,
        "channels": channels,
    })
}
