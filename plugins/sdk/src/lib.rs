//! What the author of an Assay plugin writes against.
