//! Comparisons as text: a table, and a sentence for each.

use std::fmt::Write as _;

use assay_report::{Measured, Verdict};
use assay_statistics::{Interval, seeds_for_family};

use super::view::{CompareView, ComparisonView, RowView};
use crate::ui::words::{count, plain, right, table};

pub(super) fn text(view: &CompareView) -> String {
    let mut text = format!("{}, {}", view.metric.replace('_', " "), view.unit);
    if view.chosen_on_test {
        text.push_str(" (the epoch is chosen on the test set)");
    }
    text.push_str("\n\n");
    let mut rows = table(&[
        "rows",
        "means",
        "difference\n(95 % interval)\n(new images too)",
        "p\n(Holm)",
        "lower\nin",
        "seeds",
    ]);
    for comparison in &view.comparisons {
        rows.add_row(comparison.columns(view));
    }
    right(&mut rows, &[1, 2, 3, 4, 5]);
    let _ = writeln!(text, "{rows}\n");
    for comparison in &view.comparisons {
        let _ = writeln!(text, "{}", comparison.sentence(view));
    }
    text
}

impl ComparisonView {
    fn columns(&self, view: &CompareView) -> [String; 6] {
        let absent = || "—".to_owned();
        let number =
            |value: Option<f64>| value.map_or_else(absent, |it| format!("{it:.*}", view.decimals));
        let seeds = |row: &RowView| match row.missing {
            0 => row.seeds.to_string(),
            missing => format!("{} of {}", row.seeds - missing, row.seeds),
        };
        let seeds = match (seeds(&self.first), seeds(&self.second)) {
            (first, second) if first == second => first,
            (first, second) => format!("{first}, {second}"),
        };
        let lower = match &self.measured {
            Measured::Paired(paired) => Some(paired.lower.estimate),
            Measured::Unpaired(unpaired) => Some(unpaired.lower),
            Measured::Missing => None,
        };
        let interval = |Interval { low, high }| format!("({low:.0$} to {high:.0$})", view.decimals);
        let difference = self.measured.difference().map(|difference| {
            let mut lines = vec![format!("{difference:+.*}", view.decimals)];
            lines.extend(self.measured.interval().map(interval));
            lines.extend(self.interval_new_images.map(interval));
            lines.join("\n")
        });
        let rows = if view.of_two_runs {
            self.first.method.clone()
        } else {
            format!("{} − {}", self.first.method, self.second.method)
        };
        [
            plain(&rows),
            format!("{} − {}", number(self.first.mean), number(self.second.mean)),
            difference.unwrap_or_else(absent),
            self.p_adjusted.map_or_else(absent, p_value),
            lower.map_or_else(absent, |it| format!("{:.0} %", 100.0 * it)),
            seeds,
        ]
    }

    /// The conclusion in words.
    fn sentence(&self, view: &CompareView) -> String {
        let RowView {
            dataset,
            network,
            method,
            ..
        } = &self.first;
        let other = if view.of_two_runs {
            format!("{method} of the second run")
        } else {
            self.second.method.clone()
        };
        let place = format!("on {dataset}, {network}");
        let how = match self.measured {
            Measured::Unpaired(_) => " (unpaired: the rows do not share their seeds)",
            Measured::Paired(_) | Measured::Missing => "",
        };
        let sentence = match (self.verdict, &self.measured) {
            (_, Measured::Missing) => {
                format!("{method} and {other} {place} cannot be compared: one has no value.")
            }
            (Verdict::Better, _) => format!(
                "{method} is better than {other} {place}: lower by {}{how}.",
                self.size(view)
            ),
            (Verdict::Worse, _) => format!(
                "{method} is worse than {other} {place}: higher by {}{how}.",
                self.size(view)
            ),
            (Verdict::NotMeaningful, _) => format!(
                "{method} and {other} differ {place}, but not meaningfully: which is lower changes \
                 from seed to seed{how}."
            ),
            (Verdict::NotSignificant, _) => format!(
                "{method} and {other} {place}: not significant{how}.{}",
                self.advice(view.family())
            ),
        };
        plain(&sentence)
    }

    /// The size of the difference with its interval, both without the sign of the difference.
    fn size(&self, view: &CompareView) -> String {
        let difference = self.measured.difference().unwrap_or_default();
        let sign = difference.signum();
        let number = |value: f64| format!("{:.*}", view.decimals, sign * value);
        match self.measured.interval() {
            Some(Interval { low, high }) => {
                let (near, far) = if sign < 0.0 { (high, low) } else { (low, high) };
                format!(
                    "{} ({} to {})",
                    number(difference),
                    number(near),
                    number(far)
                )
            }
            None => number(difference),
        }
    }

    /// How many seeds would tell.
    fn advice(&self, family: usize) -> String {
        let Measured::Paired(paired) = &self.measured else {
            return String::new();
        };
        let least = seeds_for_family(family);
        let comparisons = count(family as u64, "comparison");
        let verb = if family == 1 { "needs" } else { "need" };
        if paired.pairs < least {
            return format!(
                " With {} nothing can be: {comparisons} {verb} {least} or more{}.",
                count(paired.pairs as u64, "common seed"),
                match self.seeds_needed.filter(|needed| *needed > least) {
                    Some(needed) => format!(", and a difference like this one about {needed}"),
                    None => String::new(),
                }
            );
        }
        match self.seeds_needed.filter(|needed| *needed > paired.pairs) {
            Some(needed) => format!(
                " To find a difference like this one takes about {needed} seeds, {} more.",
                needed - paired.pairs
            ),
            None => String::new(),
        }
    }
}

fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}
