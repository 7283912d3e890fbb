//! Reads `limits = { memory = "8 GiB", time = "2h" }` and `resources = { cpus = 2, … }`, of a stage or of the
//! whole file.

use super::diagnostic::{Complaints, Diagnostic};
use super::reader::{Reader, integer, string};
use super::tree::Node;
use crate::limits::{InvalidLimit, Limits, parse_memory, parse_time};
use crate::resources::Resources;

/// The limits in the table that `reader` reads; none where nothing is said.
pub fn read_limits(reader: &mut Reader<'_>, out: &mut Complaints) -> Limits {
    let node = reader.optional("limits", out, Ok);
    let Some(mut reader) = node.and_then(|node| Reader::of(node, "`limits`", out)) else {
        return Limits::default();
    };
    let limits = Limits {
        memory: reader.optional("memory", out, |node| limit(node, parse_memory)),
        time_ms: reader.optional("time", out, |node| limit(node, parse_time)),
    };
    reader.finish(out);
    limits
}

/// The resources in the table that `reader` reads; none where nothing is said.
pub fn read_resources(reader: &mut Reader<'_>, out: &mut Complaints) -> Resources {
    let node = reader.optional("resources", out, Ok);
    let Some(mut reader) = node.and_then(|node| Reader::of(node, "`resources`", out)) else {
        return Resources::default();
    };
    let count = |range| move |node: &Node| Ok(integer(range)(node)? as u32);
    let resources = Resources {
        cpus: reader.optional("cpus", out, count(1..=4096)),
        memory: reader.optional("memory", out, |node| limit(node, parse_memory)),
        gpus: reader.optional("gpus", out, count(0..=64)),
        time_ms: reader.optional("time", out, |node| limit(node, parse_time)),
    };
    reader.finish(out);
    resources
}

fn limit(
    node: &Node,
    parse: impl FnOnce(&str) -> Result<u64, InvalidLimit>,
) -> Result<u64, Diagnostic> {
    parse(&string(node)?).map_err(|error| {
        let help = match error {
            InvalidLimit::Memory(_) => Some("write it as \"8 GiB\" or \"500 MB\"".to_owned()),
            InvalidLimit::Time(_) => Some("write it as \"2h\" or \"1h 30min\"".to_owned()),
            InvalidLimit::Range { .. } => None,
        };
        Diagnostic::new(error.to_string(), &node.place).help(help)
    })
}
