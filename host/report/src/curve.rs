//! Learning curves: one metric against epoch, over the seeds of one row. It owns the averaging;
//! it never draws.

use std::collections::BTreeMap;

use crate::entry::ReportEntry;
use crate::metrics::Split;
use crate::summary::Statistic;

/// A metric after one epoch over the seeds that have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) epoch: u32,
    pub(crate) mean: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// A metric on `split` by epoch. Values that are not finite are left out.
pub(crate) fn curve(entries: &[ReportEntry], split: Split, metric: &str) -> Vec<Sample> {
    let mut by_epoch: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for entry in entries {
        let rows = entry.metrics.iter();
        for row in rows.filter(|row| row.split == split && row.metric == metric) {
            if row.value.is_finite() {
                by_epoch.entry(row.epoch).or_default().push(row.value);
            }
        }
    }
    let samples = by_epoch.into_iter().filter_map(|(epoch, values)| {
        Some(Sample {
            epoch,
            mean: Statistic::of(&values)?.mean,
            lowest: values.iter().copied().fold(f64::INFINITY, f64::min),
            highest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    });
    samples.collect()
}
