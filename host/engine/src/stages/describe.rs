//! The describe stage: asks a plugin what it offers, so that a pipeline can be checked before
//! anything is trained.

use super::{Context, JSON, Kind, Outputs, StageError, write_document};
use crate::plugin::describe;

/// The file with the [`PluginDescription`](crate::PluginDescription).
pub(crate) const PLUGIN: &str = "plugin.json";

pub(super) const KIND: Kind = Kind::of_commands(run);

fn run(context: &Context) -> Result<Outputs, StageError> {
    let plugin = context.load_plugin()?;
    let description =
        describe(plugin).map_err(|error| context.plugin_error("describe its algorithms", error))?;
    write_document(&context.out.join(PLUGIN), &description)?;
    let mut outputs = Outputs::default();
    outputs.add(PLUGIN, JSON);
    Ok(outputs)
}
