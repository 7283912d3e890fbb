//! The content-addressed store of Assay: objects, artifacts, actions, results and runs.
