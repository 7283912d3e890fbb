//! Direct feedback alignment as an Assay plugin.
