//! Nothing: the manifest is all there is to this crate.
