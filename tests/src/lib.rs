//! End-to-end tests of Assay: the real binary, real plugins, real data.
