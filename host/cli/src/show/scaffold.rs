//! What was written for a new plugin, and what to do with it.

use std::fmt::Write as _;
use std::path::Path;

/// What the files are that an author works with.
const EXPLAINED: [(&str, &str); 3] = [
    ("src/lib.rs", "the rule"),
    ("src/tests.rs", "its equations, once more in plain loops"),
    ("pipeline.toml", "trains it beside backpropagation"),
];

pub(crate) fn text(folder: &Path, files: &[(&str, String)]) -> String {
    let folder = super::words::path(folder);
    let mut text = format!("wrote {folder}, {} files, among them\n", files.len());
    for (name, what) in EXPLAINED {
        let _ = writeln!(text, "  {name:<15}{what}");
    }
    let _ = write!(
        text,
        "\nnext:\n  cd {folder}\n  cargo build --release\n  pipeline run pipeline.toml\n"
    );
    text
}
