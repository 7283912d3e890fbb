//! `pipeline plugin list`: every plugin that a name can find, and what is hidden or broken.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::Limits;
use assay_engine::{
    Cancel, Catalogue, ListedLibrary, ListedPlugin, SearchPath, pipeline_plugin_dirs,
};
use clap::Args;
use comfy_table::Table;
use serde_json::{Value, json};

use crate::arguments::processors;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::arguments::user::descriptions_folder;
use crate::error::CliError;
use crate::ui::json::document;
use crate::ui::words::{path, plain};
use crate::ui::{self, RULES};

const EXAMPLES: &str = "\
Examples:
  pipeline plugin list
  pipeline plugin list --pipeline pipelines/mnist.toml
  pipeline plugin list --plugin-dir ~/rules/target/release --json

Trust: `own` comes with this program; `trusted` and `signed` are trusted by you, by hash or through a
key (see `pipeline plugin trust`); `untrusted` plugins run all the same, unless --trusted-only says
otherwise. No plugin is loaded into this program: a worker asks each for its version, once.

Exit codes: 0 listed, whatever is wrong with single plugins, 2 the search path cannot be used.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArguments {
    /// Search the plugin folders of this pipeline file too
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,

    #[command(flatten)]
    search: SearchArguments,

    #[command(flatten)]
    trust: TrustArguments,

    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
}

pub(crate) fn list(arguments: &ListArguments, cancel: &Cancel) -> Result<ExitCode, CliError> {
    let mut search = arguments.search.path();
    if let Some(pipeline) = &arguments.pipeline {
        search.extend(pipeline_plugin_dirs(pipeline)?);
    }
    let catalogue = Catalogue {
        search: &search,
        trust: &arguments.trust.policy()?,
        remember: descriptions_folder(),
        jobs: processors(),
        limits: Limits::default(),
        cancel,
    };
    let plugins = catalogue.list()?;
    ui::print(&if arguments.json {
        json(&plugins)
    } else {
        text(&plugins, &search)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn text(plugins: &[ListedPlugin], search: &SearchPath) -> String {
    let mut text = String::new();
    let usable = |shadowed: bool| {
        plugins
            .iter()
            .filter(move |plugin| plugin.shadowed_by.is_some() == shadowed)
            .filter_map(|plugin| Some((plugin, plugin.library.as_ref().ok()?)))
    };
    if usable(false).next().is_some() {
        let _ = writeln!(text, "{}", table(usable(false)));
    } else {
        let _ = writeln!(text, "no plugin can be used");
    }
    if usable(true).next().is_some() {
        let _ = writeln!(
            text,
            "\nshadowed by a plugin of the same name in an earlier folder; only NAME@HASH or a path finds it:"
        );
        let _ = writeln!(text, "{}", table(usable(true)));
    }
    let unusable = plugins
        .iter()
        .filter_map(|plugin| Some((plugin, plugin.library.as_ref().err()?)));
    for (number, (plugin, reason)) in unusable.enumerate() {
        if number == 0 {
            let _ = writeln!(text, "\nunusable:");
        }
        let (file, reason) = (path(&plugin.file), plain(reason));
        let _ = if reason.contains(&file) {
            writeln!(text, "  {reason}")
        } else {
            writeln!(text, "  {file}: {reason}")
        };
    }
    let _ = writeln!(text, "\nsearched, in this order:");
    for folder in search.folders() {
        let _ = writeln!(text, "  {} ({})", path(&folder.path), folder.origin);
    }
    text
}

fn table<'a>(plugins: impl Iterator<Item = (&'a ListedPlugin, &'a ListedLibrary)>) -> Table {
    let mut table = Table::new();
    table
        .load_style(RULES)
        .set_header(["plugin", "version", "ABI", "hash", "trust", "file"]);
    for (plugin, library) in plugins {
        let version = library.version.as_deref().map_or("—".to_owned(), plain);
        table.add_row([
            plain(&plugin.name),
            version,
            plain(&library.abi),
            library.hash.short(),
            library.trust.name().to_owned(),
            path(&plugin.file),
        ]);
    }
    table
}

fn json(plugins: &[ListedPlugin]) -> String {
    let plugins: Vec<_> = plugins.iter().map(entry).collect();
    document(&json!({ "plugins": plugins }))
}

fn entry(plugin: &ListedPlugin) -> Value {
    let library = plugin.library.as_ref().ok();
    json!({
        "name": plugin.name,
        "version": library.map(|library| &library.version),
        "abi": library.map(|library| &library.abi),
        "libtorch": library.map(|library| &library.libtorch),
        "hash": library.map(|library| library.hash),
        "trust": library.map(|library| library.trust.name()),
        "file": plugin.file.display().to_string(),
        "origin": plugin.origin.name(),
        "shadowed_by": plugin.shadowed_by.as_ref().map(|file| file.display().to_string()),
        "unusable": plugin.library.as_ref().err(),
    })
}
