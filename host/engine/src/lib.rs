//! Runs the actions of Assay: executor, workers, plugin loading and the stages.
