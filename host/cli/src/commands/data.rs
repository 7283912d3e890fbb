//! `pipeline data show`: prepares a dataset as a run would, and shows what is in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use assay_core::{Advice, ArtifactHash};
use assay_data::figures::Figures;
use assay_data::sheet::{Sheet, SheetError};
use assay_data::sources::ScalingChoice;
use assay_engine::{
    Announcer, Cancel, DatasetArgument, Event, Execution, PlannedDataset, StoredDataset,
    StoredSplit, open_dataset, plan_dataset,
};
use assay_store::Store;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Table;
use serde::Serialize;

use crate::arguments::{Places, processors};
use crate::error::CliError;
use crate::export::write;
use crate::ui;
use crate::ui::progress::ProgressView;
use crate::ui::words::{ShownPath, plain, right, size, table};

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
    fn name(self) -> &'static str {
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
    fn argument(&self) -> Result<DatasetArgument<'_>, String> {
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

/// The contact sheet cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("there is no contact sheet of the dataset")]
struct NoSheet(#[source] SheetError);

impl Advice for NoSheet {}

/// A dataset in figures.
#[derive(Serialize)]
struct DatasetView<'a> {
    /// The stage's name, or that of the known dataset.
    dataset: &'a str,
    artifact: ArtifactHash,
    /// Channels, rows and columns of an image.
    shape: [u32; 3],
    classes: u16,
    class_names: &'a [String],
    scaling: ScalingChoice,
    splits: Vec<SplitView>,
    sheet: Option<SheetView<'a>>,
}

#[derive(Serialize)]
struct SplitView {
    name: &'static str,
    images: u64,
    /// The size of its table.
    bytes: u64,
    label_counts: Vec<u64>,
    channels: Vec<ChannelView>,
}

/// The pixels of one channel of a split.
#[derive(Serialize)]
struct ChannelView {
    mean: f64,
    standard_deviation: f64,
    /// None where there is no image, as is the largest.
    smallest: Option<u8>,
    largest: Option<u8>,
}

/// The contact sheet that was written.
#[derive(Serialize)]
struct SheetView<'a> {
    file: ShownPath<'a>,
    split: &'static str,
    /// In pixels, as is the height.
    width: u32,
    height: u32,
    /// Images in a row.
    columns: u32,
}

impl SplitView {
    fn of(split: &StoredSplit) -> Self {
        let figures = Figures::of(&split.table);
        let channels = figures.channels.iter().map(|channel| ChannelView {
            mean: channel.mean,
            standard_deviation: channel.standard_deviation,
            smallest: channel.range.map(|(smallest, _)| smallest),
            largest: channel.range.map(|(_, largest)| largest),
        });
        Self {
            name: split.name,
            images: figures.label_counts.iter().sum(),
            bytes: split.bytes,
            channels: channels.collect(),
            label_counts: figures.label_counts,
        }
    }
}

pub(crate) fn show(arguments: &DataShowArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let argument = arguments.argument().map_err(CliError::Arguments)?;
    let store = Store::open(&arguments.places.store.path)?;
    let planned = plan_dataset(&store, argument, arguments.places.data_dir.as_deref())?;
    let artifact = prepare(arguments, &store, &planned, cancel)?;
    let dataset = open_dataset(&store, artifact)?;
    let sheet = write_sheet(arguments, &dataset)?;
    let description = &dataset.description;
    let view = DatasetView {
        dataset: &planned.name,
        artifact,
        shape: description.shape.into(),
        classes: description.classes,
        class_names: &description.class_names,
        scaling: description.scaling,
        splits: dataset.splits.iter().map(SplitView::of).collect(),
        sheet,
    };
    ui::print_view(&view, arguments.json, text)?;
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
    let announcer = Announcer::new("", vec![&view]);
    announcer.announce(Event::StageStarted {
        stage: name.to_owned(),
        action: planned.key,
    });
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
        observe: &|news| announcer.announce(Event::of_news(name, news)),
    };
    let ended = execution.execute(planned.key);
    view.finish();
    Ok(ended.map_err(CliError::Action)?.result.artifact)
}

fn write_sheet<'a>(
    arguments: &'a DataShowArguments,
    dataset: &StoredDataset,
) -> Result<Option<SheetView<'a>>, CliError> {
    let Some(path) = &arguments.sheet else {
        return Ok(None);
    };
    let wanted = arguments.split.name();
    let split = dataset.splits.iter().find(|split| split.name == wanted);
    let split = split
        .ok_or_else(|| CliError::Arguments(format!("the dataset has no {wanted} split to show")))?;
    let sheet = Sheet::draw(&split.table, arguments.per_class).map_err(NoSheet)?;
    write(path, &sheet.to_png().map_err(NoSheet)?)?;
    let (width, height) = sheet.size();
    Ok(Some(SheetView {
        file: ShownPath(path),
        split: split.name,
        width,
        height,
        columns: sheet.columns(),
    }))
}

fn text(view: &DatasetView<'_>) -> String {
    let [channels, height, width] = view.shape;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} classes, images of {channels} × {height} × {width} (channels, rows, columns)",
        plain(view.dataset),
        view.classes
    );
    let _ = writeln!(text, "artifact {}", view.artifact);
    let _ = writeln!(text, "\n{}", splits(view));
    let scaling = match view.scaling {
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
    let _ = writeln!(text, "\n{}", classes(view));
    if let Some(sheet) = &view.sheet {
        let _ = writeln!(text, "{}", sheet_text(sheet));
    }
    text
}

/// A row for each channel of each split.
fn splits(view: &DatasetView<'_>) -> Table {
    let mut shown = table(&[
        "split", "images", "table", "channel", "mean", "sd", "pixels",
    ]);
    for split in &view.splits {
        for (number, channel) in split.channels.iter().enumerate() {
            let mut cells = if number == 0 {
                vec![
                    split.name.to_owned(),
                    split.images.to_string(),
                    size(split.bytes),
                ]
            } else {
                vec![String::new(); 3]
            };
            cells.push(number.to_string());
            cells.extend([channel.mean, channel.standard_deviation].map(|it| format!("{it:.4}")));
            let range = channel.smallest.zip(channel.largest);
            cells.push(range.map_or("—".to_owned(), |(smallest, largest)| {
                format!("{smallest} to {largest}")
            }));
            shown.add_row(cells);
        }
    }
    right(&mut shown, &[1, 2, 3, 4, 5, 6]);
    shown
}

/// A row for each class, with its images in each split.
fn classes(view: &DatasetView<'_>) -> Table {
    let mut header = vec!["label", "class"];
    header.extend(view.splits.iter().map(|split| split.name));
    let mut shown = table(&header);
    for (label, name) in view.class_names.iter().enumerate() {
        let mut cells = vec![label.to_string(), plain(name)];
        cells.extend(view.splits.iter().map(|split| {
            let count = split.label_counts.get(label);
            count.map_or("—".to_owned(), u64::to_string)
        }));
        shown.add_row(cells);
    }
    let numbers: Vec<_> = (2..header.len()).collect();
    right(&mut shown, &numbers);
    shown
}

fn sheet_text(sheet: &SheetView<'_>) -> String {
    format!(
        "{}: {} × {} pixels, the first {} images of each class of the {} split, a row for each \
         class\nin the order of the labels",
        sheet.file, sheet.width, sheet.height, sheet.columns, sheet.split
    )
}
