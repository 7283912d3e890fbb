//! Datasets of Assay: sources, checks, Arrow image tables and batches.
