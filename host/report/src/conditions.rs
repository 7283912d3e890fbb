//! The conditions that numbers were made under, ours and a publication's, and how far ours fall short.

use serde::{Deserialize, Serialize};

use crate::results::ReportRow;

/// How many images each split has, and what the networks were computed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Images that the parameters are fitted to.
    pub train_images: u32,
    /// Images held out of the training set; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_images: Option<u32>,
    /// Images that errors are reported on.
    pub test_images: u32,
    /// `cpu` or `cuda`.
    pub device: String,
}

/// The conditions of published figures, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedConditions {
    /// Epochs of each training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Images trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_images: Option<u32>,
    /// Images tested on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_images: Option<u32>,
    /// Configurations that the best was chosen from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configurations: Option<u32>,
}

impl PublishedConditions {
    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl ReportRow {
    /// In what the row falls short of the conditions of the figures published of it, as people read it:
    /// `8 of 500 epochs, 3,000 of 60,000 training images`. Nothing where it does not, or where nothing is
    /// published.
    pub fn shortfall(&self) -> Option<String> {
        let published = self.figures?.conditions;
        let configurations = self.search.as_ref().map_or(1, |search| search.trials);
        let counts = [
            (self.epochs, published.epochs, "epochs"),
            (
                self.conditions.train_images,
                published.train_images,
                "training images",
            ),
            (
                self.conditions.test_images,
                published.test_images,
                "test images",
            ),
            (configurations, published.configurations, "configurations"),
        ];
        let short = counts.into_iter().filter_map(|(ours, theirs, what)| {
            let theirs = theirs.filter(|theirs| ours < *theirs)?;
            Some(format!("{} of {} {what}", count(ours), count(theirs)))
        });
        let short: Vec<_> = short.collect();
        (!short.is_empty()).then(|| short.join(", "))
    }
}

/// The shortfalls of rows with the rows that have them, in order of first appearance.
pub fn shortfalls<'a>(
    rows: impl IntoIterator<Item = &'a ReportRow>,
) -> Vec<(String, Vec<&'a ReportRow>)> {
    grouped(rows, ReportRow::shortfall)
}

/// The conditions of rows as a sentence fragment for each set of rows that share the dataset and the
/// network: what differs between its rows is given as a range.
pub(crate) fn describe<'a>(rows: impl IntoIterator<Item = &'a ReportRow>) -> Vec<(String, String)> {
    let name = |row: &ReportRow| Some(format!("{}, {}", row.label.dataset, row.label.network));
    let groups = grouped(rows, name).into_iter();
    groups
        .map(|(name, rows)| (name, describe_rows(&rows)))
        .collect()
}

/// The rows by key, in order of first appearance; those without a key are left out.
fn grouped<'a>(
    rows: impl IntoIterator<Item = &'a ReportRow>,
    key: impl Fn(&ReportRow) -> Option<String>,
) -> Vec<(String, Vec<&'a ReportRow>)> {
    let mut groups = Vec::<(String, Vec<&'a ReportRow>)>::new();
    for row in rows {
        let Some(key) = key(row) else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    groups
}

fn describe_rows(rows: &[&ReportRow]) -> String {
    let range = |of: fn(&ReportRow) -> u32| {
        let values = || rows.iter().map(|row| of(row));
        let low = values().min().unwrap_or(0);
        let high = values().max().unwrap_or(0);
        if low == high {
            count(low)
        } else {
            format!("{} to {}", count(low), count(high))
        }
    };
    let has_validation = rows
        .iter()
        .any(|row| row.conditions.validation_images.is_some());
    let mut parts = vec![format!(
        "{} training images",
        range(|row| row.conditions.train_images)
    )];
    parts.push(if has_validation {
        format!(
            "{} held out for validation",
            range(|row| row.conditions.validation_images.unwrap_or(0))
        )
    } else {
        "none held out for validation".to_owned()
    });
    parts.push(format!(
        "{} test images",
        range(|row| row.conditions.test_images)
    ));
    parts.push(plural(&range(|row| row.epochs), "epoch"));
    parts.push(format!("batches of {}", range(|row| row.batch_size)));
    parts.push(plural(&range(|row| row.seeds), "seed"));
    let protocols = [
        (
            rows.iter().any(|row| row.search.is_none()),
            "configurations as given",
        ),
        (
            rows.iter()
                .any(|row| row.search.is_some() && !row.is_marked()),
            "configurations searched, chosen on validation images",
        ),
        (
            rows.iter().any(|row| row.is_marked()),
            "configurations searched, chosen on the test set",
        ),
    ];
    let protocols = protocols.iter().filter(|(is_used, _)| *is_used);
    parts.extend(protocols.map(|(_, name)| (*name).to_owned()));
    let mut devices: Vec<_> = rows
        .iter()
        .map(|row| row.conditions.device.as_str())
        .collect();
    devices.sort_unstable();
    devices.dedup();
    parts.push(format!("computed on {}", devices.join(" and ")));
    parts.join(" · ")
}

fn plural(count: &str, what: &str) -> String {
    let s = if count == "1" { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A count with a comma after each thousand: `60,000`.
pub(crate) fn count(count: impl Into<u64>) -> String {
    let digits = count.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
