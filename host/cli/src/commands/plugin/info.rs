//! `pipeline plugin info`: one plugin in full, as it describes itself to a worker.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::{Limits, PluginHash};
use assay_engine::{AlgorithmDescription, Cancel, Catalogue, PluginInfo, Trust};
use assay_files::TemporaryFolder;
use assay_store::Store;
use clap::Args;
use serde::Serialize;

use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::arguments::user::descriptions_folder;
use crate::commands::plugin::schema::hyperparameters;
use crate::error::CliError;
use crate::ui;
use crate::ui::words::{ShownPath, plain, prose_table};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin info dtp
  pipeline plugin info ./target/release/libassay_mine.so
  pipeline plugin info bp@f43c8e1a --json

A plugin is named as in a pipeline file: by name, by path (with a slash), or by either with `@` and at
least 8 digits of its hash. A whole hash is found in the store too. The plugin is asked in a worker,
never loaded into this program.

Exit codes: 0 shown, 2 there is no such plugin, it may not run, or it cannot say what it offers, 130
stopped by Ctrl-C.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InfoArguments {
    /// The plugin: NAME, PATH, NAME@HASH or PATH@HASH
    plugin: String,

    /// Find whole hashes in this store too [default: a store that is thrown away]
    #[arg(long, value_name = "DIR", env = "ASSAY_STORE")]
    store: Option<PathBuf>,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    trust: TrustArguments,

    /// Print one JSON document instead of text and tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn info(arguments: &InfoArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let folder = TemporaryFolder::new().map_err(CliError::Temporary)?;
    let store = match &arguments.store {
        Some(store) => Store::open(store)?,
        None => Store::open(folder.path().join("store"))?,
    };
    let catalogue = Catalogue {
        search: &arguments.search.path(),
        trust: &arguments.trust.policy()?,
        remember: descriptions_folder(),
        jobs: 1,
        limits: Limits::default(),
        cancel,
    };
    let info = catalogue.info(&store, &arguments.plugin)?;
    ui::print_view(&PluginView::of(&info), arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// A plugin in full.
#[derive(Serialize)]
struct PluginView<'a> {
    name: &'a str,
    version: &'a str,
    description: &'a str,
    /// None where its hash found it in the store.
    file: Option<ShownPath<'a>>,
    hash: PluginHash,
    trust: &'static str,
    abi: &'a str,
    target: &'a str,
    libtorch: &'a str,
    algorithms: Vec<AlgorithmView<'a>>,
    #[serde(skip)]
    trusted_by: &'a Trust,
}

/// An algorithm, with what stands in its schema beside the hyper-parameters.
#[derive(Serialize)]
struct AlgorithmView<'a> {
    #[serde(flatten)]
    described: &'a AlgorithmDescription,
    transports: Option<&'a str>,
}

impl<'a> PluginView<'a> {
    fn of(info: &'a PluginInfo) -> Self {
        let described = &info.description;
        Self {
            name: &described.name,
            version: &described.version,
            description: &described.description,
            file: info.file.as_deref().map(ShownPath),
            hash: info.pin.hash,
            trust: info.trust.name(),
            abi: &info.pin.abi,
            target: &info.target,
            libtorch: &info.libtorch,
            algorithms: described
                .algorithms
                .iter()
                .map(|described| AlgorithmView {
                    described,
                    transports: described.transports(),
                })
                .collect(),
            trusted_by: &info.trust,
        }
    }
}

fn text(plugin: &PluginView<'_>) -> String {
    let (name, version) = (plain(plugin.name), plain(plugin.version));
    let file = match &plugin.file {
        Some(file) => file.to_string(),
        None => "none: its hash found it in the store".to_owned(),
    };
    let libtorch = match plugin.libtorch {
        "" => "none".to_owned(),
        version => plain(version),
    };
    let facts = [
        ("file", file),
        ("hash", plugin.hash.to_string()),
        ("trust", trust(plugin.trusted_by)),
        ("ABI", plain(plugin.abi)),
        ("target", plain(plugin.target)),
        ("libtorch", libtorch),
    ];
    let mut text = format!("{name} {version}: {}\n", plain(plugin.description));
    for (title, fact) in facts {
        let _ = writeln!(text, "  {title:8}  {fact}");
    }
    for shown in &plugin.algorithms {
        text.push_str(&algorithm(shown.described));
    }
    text
}

fn trust(trust: &Trust) -> String {
    match trust {
        Trust::Program => "own: it comes with this program".to_owned(),
        Trust::Hash => "trusted: you trust this hash".to_owned(),
        Trust::Key(signer) => format!("signed by a key that you trust: {}", plain(signer)),
        Trust::Nobody => "untrusted".to_owned(),
    }
}

fn algorithm(algorithm: &AlgorithmDescription) -> String {
    let mut text = format!(
        "\nalgorithm {}: {}\n",
        plain(&algorithm.name),
        plain(&algorithm.summary)
    );
    if !algorithm.reference.is_empty() {
        let _ = writeln!(text, "  {}", plain(&algorithm.reference));
    }
    if let Some(transports) = algorithm.transports() {
        let _ = writeln!(text, "  transports {}", plain(transports));
    }
    let rows = hyperparameters(&algorithm.hyperparameters);
    if rows.is_empty() {
        text.push_str("no hyper-parameters\n");
    } else {
        let mut table = prose_table(&[
            "hyper-parameter",
            "type",
            "range",
            "default",
            "documentation",
        ]);
        for row in rows {
            table.add_row([
                row.name,
                row.kind,
                row.range,
                row.default,
                row.documentation,
            ]);
        }
        let _ = writeln!(text, "{table}");
    }
    if !algorithm.metrics.is_empty() {
        let mut table = prose_table(&["metric", "what it measures"]);
        for metric in &algorithm.metrics {
            table.add_row([plain(&metric.name), plain(&metric.description)]);
        }
        let _ = writeln!(text, "{table}");
    }
    text
}
