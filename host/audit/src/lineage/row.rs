//! Rows of a report's table, told by what they are about, and which of the report's inputs are
//! theirs.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use assay_core::{Action, Advice, StageKind};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Something that a row is about: `method=bp`, `seed=1`, `learning_rate=0.001`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// A column that names the row, or a parameter of its training.
    pub key: String,
    /// Value that it must have.
    pub value: String,
}

/// Why there is no such row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A text that is not `KEY=VALUE`.
    #[error("`{0}` is not KEY=VALUE, such as method=bp")]
    Syntax(String),
    /// Only reports have rows.
    #[error("only a report's table has rows; name a report, such as quickstart:report")]
    NoReport,
    /// Nothing in the table is as asked for.
    #[error("the report has no row with {asked}; it has {}", known.join("; "))]
    Unknown {
        /// Conditions that were asked for.
        asked: String,
        /// Methods, networks and datasets that the report has.
        known: Vec<String>,
    },
}

impl Advice for RowError {}

impl FromStr for Row {
    type Err = RowError;

    fn from_str(text: &str) -> Result<Self, RowError> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(RowError::Syntax(text.to_owned())),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// One training of a report, as its action names it.
#[derive(Deserialize)]
struct ReportedTraining {
    method: String,
    network: String,
    dataset: String,
    training: String,
    evaluation: String,
}

impl ReportedTraining {
    fn fields(&self) -> [(&str, &str); 3] {
        [
            ("method", &self.method),
            ("network", &self.network),
            ("dataset", &self.dataset),
        ]
    }
}

/// The roles of the inputs behind the rows that are as asked for. `parameters` gives the parameters
/// of the training that has a role.
///
/// # Errors
/// The action is no report, or none of its entries is as asked for.
pub(super) fn inputs_of(
    action: &Action,
    rows: &[Row],
    parameters: impl Fn(&str) -> Option<Map<String, Value>>,
) -> Result<BTreeSet<String>, RowError> {
    let entries = action.parameters.get("entries");
    let entries = entries.and_then(|entries| Vec::<ReportedTraining>::deserialize(entries).ok());
    let Some(entries) = entries.filter(|_| action.kind == StageKind::Report) else {
        return Err(RowError::NoReport);
    };
    let mut roles = BTreeSet::new();
    for entry in &entries {
        let is_asked_for = |row: &Row| {
            let field = entry.fields().into_iter().find(|(key, _)| *key == row.key);
            match field {
                Some((_, value)) => value == row.value,
                None => parameters(&entry.training).is_some_and(|found| has(&found, row)),
            }
        };
        if rows.iter().all(is_asked_for) {
            roles.extend([entry.training.clone(), entry.evaluation.clone()]);
        }
    }
    if !roles.is_empty() {
        return Ok(roles);
    }
    let asked: Vec<_> = rows.iter().map(Row::to_string).collect();
    let known = entries.iter().map(|entry| {
        let fields = entry.fields().map(|(key, value)| format!("{key}={value}"));
        fields.join(" ")
    });
    let known: BTreeSet<_> = known.collect();
    Err(RowError::Unknown {
        asked: asked.join(" and "),
        known: known.into_iter().collect(),
    })
}

/// Whether a parameter or hyper-parameter of that name has that value.
fn has(parameters: &Map<String, Value>, row: &Row) -> bool {
    let hyperparameters = parameters.get("hyperparameters");
    let found = parameters.get(&row.key);
    let found = found.or_else(|| hyperparameters?.get(&row.key));
    match found {
        Some(Value::String(text)) => *text == row.value,
        Some(value) => serde_json::from_str::<Value>(&row.value).is_ok_and(|asked| {
            asked == *value || asked.as_f64().is_some_and(|it| value.as_f64() == Some(it))
        }),
        None => false,
    }
}
