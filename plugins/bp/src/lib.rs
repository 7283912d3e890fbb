//! Backpropagation as an Assay plugin.
