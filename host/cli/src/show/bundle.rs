//! Bundles in words: what was written, and what was found right.

use std::fmt::Write as _;

use serde_json::json;

use super::json::document;
use super::words::{path, plain, size};
use crate::command::bundle::{ReadBundle, Signature, WrittenBundle};

pub(crate) fn written(written: &WrittenBundle<'_>) -> String {
    let file = path(written.file);
    let bundled = &written.bundled;
    let mut text = format!(
        "wrote run {} of `{}` to {file}\n  {} files, {}, packed to {}\n  blake3 {}\n",
        written.run.short(),
        plain(written.pipeline),
        bundled.files,
        size(bundled.unpacked),
        size(bundled.packed),
        bundled.hash
    );
    push_left_out(&mut text, &bundled.without_libraries);
    if let Some(signature) = &written.signature {
        let _ = writeln!(text, "  signed in {}", path(signature));
    }
    let _ = writeln!(text, "\nwho receives it: pipeline unbundle {file}");
    text
}

pub(crate) fn written_json(written: &WrittenBundle<'_>) -> String {
    let bundled = &written.bundled;
    document(&json!({
        "run": written.run,
        "pipeline": written.pipeline,
        "file": written.file,
        "files": bundled.files,
        "unpacked": bundled.unpacked,
        "packed": bundled.packed,
        "hash": bundled.hash,
        "signature": written.signature,
        "without_libraries": bundled.without_libraries,
    }))
}

pub(crate) fn read(read: &ReadBundle<'_>) -> String {
    let bundle = &read.bundle;
    let run = bundle.run.short();
    let what = format!("run {run} of `{}`", plain(&bundle.pipeline));
    let mut text = match read.taken {
        None => format!("{} is {what}; nothing was written\n", path(read.file)),
        Some((store, true)) => format!("{what} was in the store {} already\n", path(store)),
        Some((store, false)) => format!("took {what} into the store {}\n", path(store)),
    };
    let _ = writeln!(
        text,
        "  {} files, {}: every hash, document and reference is right",
        bundle.files.len(),
        size(bundle.unpacked())
    );
    push_left_out(&mut text, &bundle.without_libraries);
    text.push_str(&signature(&read.signature));
    for file in &read.files {
        let _ = writeln!(text, "  wrote {}", path(file));
    }
    if let Some((store, _)) = read.taken {
        let store = path(store);
        let _ = write!(
            text,
            "\nnext:\n  pipeline show {run} --store {store}\n  pipeline lineage {run} --store {store}\n  \
             pipeline audit {run} --store {store}\n"
        );
    }
    text
}

/// What a bundle holds, a line for each file.
pub(crate) fn list(bundle: &ReadBundle<'_>) -> String {
    let mut text = String::new();
    for (name, bytes, what) in &bundle.bundle.files {
        let name = plain(&shortened(name));
        let _ = writeln!(text, "{:>10}  {name:<42}  {}", size(*bytes), plain(what));
    }
    text.push('\n');
    text.push_str(&read(bundle));
    text
}

pub(crate) fn read_json(read: &ReadBundle<'_>) -> String {
    let bundle = &read.bundle;
    let files = bundle.files.iter();
    let files: Vec<_> = files
        .map(|(name, size, what)| json!({ "name": name, "size": size, "what": what }))
        .collect();
    let (signed, key, comment) = match &read.signature {
        Signature::None => ("no", None, None),
        Signature::Unknown => ("by another key", None, None),
        Signature::Good(key, comment) => ("yes", Some(key.key.as_str()), Some(comment)),
    };
    document(&json!({
        "run": bundle.run,
        "pipeline": bundle.pipeline,
        "pipeline_file": bundle.file,
        "networks_file": bundle.networks,
        "store": read.taken.map(|(store, _)| store),
        "already": read.taken.map(|(_, already)| already),
        "signed": signed,
        "key": key,
        "comment": comment,
        "without_libraries": bundle.without_libraries,
        "files": files,
        "written": read.files,
    }))
}

fn signature(signature: &Signature) -> String {
    match signature {
        Signature::None => "  not signed: who made it is not known\n".to_owned(),
        Signature::Unknown => {
            "  signed, but by no key that you trust; check with --key PUB, or trust it with \
             `pipeline plugin trust --key`\n"
                .to_owned()
        }
        Signature::Good(key, comment) => {
            let name = match key.comment.as_str() {
                "" => String::new(),
                comment => format!(" ({})", plain(comment)),
            };
            format!(
                "  signed by {}{name}\n    {}\n",
                key.key.as_str(),
                plain(comment)
            )
        }
    }
}

fn push_left_out(text: &mut String, plugins: &[String]) {
    if !plugins.is_empty() {
        let plugins = plain(&plugins.join(", "));
        let _ = writeln!(
            text,
            "  without the libraries of {plugins}: it can be verified, and not executed again"
        );
    }
}

/// `objects/ab/cdef…`: enough to recognise it, in a line.
fn shortened(name: &str) -> String {
    let parts = name
        .split('/')
        .map(|part| match part.char_indices().nth(10) {
            Some((end, _)) if part.len() > 30 => format!("{}…", part.get(..end).unwrap_or(part)),
            _ => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join("/")
}
