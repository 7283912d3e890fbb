//! Feedback alignment as an Assay plugin.
