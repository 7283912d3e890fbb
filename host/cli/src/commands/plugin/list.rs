//! `pipeline plugin list`: every plugin that a name can find, and what is hidden or broken.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_core::{Limits, PluginHash};
use assay_engine::{
    Cancel, Catalogue, ListedLibrary, ListedPlugin, SearchPath, pipeline_plugin_dirs,
};
use clap::Args;
use comfy_table::Table;
use serde::Serialize;

use crate::arguments::processors;
use crate::arguments::search::{SearchArguments, TrustArguments};
use crate::arguments::user::descriptions_folder;
use crate::error::CliError;
use crate::ui;
use crate::ui::words::{ShownPath, path, plain, table};

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
    let view = PluginsView {
        plugins: plugins.iter().map(PluginView::of).collect(),
        searched: &search,
    };
    ui::print_view(&view, arguments.json, text)?;
    Ok(ExitCode::SUCCESS)
}

/// Every file that is named like a plugin, and where such files were looked for.
#[derive(Serialize)]
struct PluginsView<'a> {
    plugins: Vec<PluginView<'a>>,
    #[serde(skip)]
    searched: &'a SearchPath,
}

/// A file that is named like a plugin; nothing is known of a library that cannot be used.
#[derive(Serialize)]
struct PluginView<'a> {
    name: &'a str,
    version: Option<&'a str>,
    abi: Option<&'a str>,
    libtorch: Option<&'a str>,
    hash: Option<PluginHash>,
    trust: Option<&'static str>,
    file: ShownPath<'a>,
    origin: &'static str,
    shadowed_by: Option<ShownPath<'a>>,
    unusable: Option<&'a str>,
    #[serde(skip)]
    library: Option<&'a ListedLibrary>,
}

impl<'a> PluginView<'a> {
    fn of(plugin: &'a ListedPlugin) -> Self {
        let library = plugin.library.as_ref();
        let usable = library.ok();
        Self {
            name: &plugin.name,
            version: usable.and_then(|library| library.version.as_deref()),
            abi: usable.map(|library| library.abi.as_str()),
            libtorch: usable.map(|library| library.libtorch.as_str()),
            hash: usable.map(|library| library.hash),
            trust: usable.map(|library| library.trust.name()),
            file: ShownPath(&plugin.file),
            origin: plugin.origin.name(),
            shadowed_by: plugin.shadowed_by.as_deref().map(ShownPath),
            unusable: library.err().map(String::as_str),
            library: usable,
        }
    }
}

fn text(view: &PluginsView<'_>) -> String {
    let mut text = String::new();
    let usable = |shadowed: bool| {
        view.plugins
            .iter()
            .filter(move |plugin| plugin.shadowed_by.is_some() == shadowed)
            .filter_map(|plugin| Some((plugin, plugin.library?)))
    };
    if usable(false).next().is_some() {
        let _ = writeln!(text, "{}", usable_table(usable(false)));
    } else {
        let _ = writeln!(text, "no plugin can be used");
    }
    if usable(true).next().is_some() {
        let _ = writeln!(
            text,
            "\nshadowed by a plugin of the same name in an earlier folder; only NAME@HASH or a path finds it:"
        );
        let _ = writeln!(text, "{}", usable_table(usable(true)));
    }
    let unusable = view
        .plugins
        .iter()
        .filter_map(|plugin| Some((plugin, plugin.unusable?)));
    for (number, (plugin, reason)) in unusable.enumerate() {
        if number == 0 {
            let _ = writeln!(text, "\nunusable:");
        }
        let (file, reason) = (plugin.file.to_string(), plain(reason));
        let _ = if reason.contains(&file) {
            writeln!(text, "  {reason}")
        } else {
            writeln!(text, "  {file}: {reason}")
        };
    }
    let _ = writeln!(text, "\nsearched, in this order:");
    for folder in view.searched.folders() {
        let _ = writeln!(text, "  {} ({})", path(&folder.path), folder.origin);
    }
    text
}

fn usable_table<'a>(
    plugins: impl Iterator<Item = (&'a PluginView<'a>, &'a ListedLibrary)>,
) -> Table {
    let mut shown = table(&["plugin", "version", "ABI", "hash", "trust", "file"]);
    for (plugin, library) in plugins {
        let version = library.version.as_deref().map_or("—".to_owned(), plain);
        shown.add_row([
            plain(plugin.name),
            version,
            plain(&library.abi),
            library.hash.short(),
            library.trust.name().to_owned(),
            plugin.file.to_string(),
        ]);
    }
    shown
}
