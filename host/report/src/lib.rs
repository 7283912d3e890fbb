//! Metric tables of Assay and the reports made from them.
