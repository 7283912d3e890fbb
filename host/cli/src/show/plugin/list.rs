//! The list of plugins as tables for people and as a document for scripts.

use std::fmt::Write as _;

use assay_engine::{ListedLibrary, ListedPlugin, SearchPath};
use comfy_table::Table;
use serde_json::{Value, json};

use super::{RULES, path, plain};
use crate::show::json::document;

pub(crate) fn text(plugins: &[ListedPlugin], search: &SearchPath) -> String {
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

pub(crate) fn json(plugins: &[ListedPlugin]) -> String {
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
