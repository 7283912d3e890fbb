//! Expands a stage's `matrix`: every combination of the axes' values, each put in place of the
//! parameter that the axis names. The rest of the reader never sees a matrix.

use serde_json::{Value as Json, json};

use super::diagnostic::{Complaints, Diagnostic};
use super::reader::{Settings, array, table};
use super::tree::{Entry, Node, Table, Value};

/// The key of a stage's matrix.
const MATRIX: &str = "matrix";

/// More trainings than anybody means; a typing error in a range should not fill the memory.
const MOST_POINTS: usize = 100_000;

/// The instances of a stage: the name of each point (empty without a matrix) and its parameters.
pub(super) fn expand(stage: &Settings, out: &mut Complaints) -> Vec<(String, Settings)> {
    let mut parameters = match stage {
        Settings::Table(table) => table.clone(),
        Settings::Outline(outline) => {
            // What is wrong with an outline means nothing.
            let _ = axes(&outline.entry(MATRIX).node);
            return vec![(String::new(), stage.clone())];
        }
    };
    let Some(matrix) = parameters.shift_remove(MATRIX) else {
        return vec![(String::new(), Settings::Table(parameters))];
    };
    let axes = match axes(&matrix.node) {
        Ok(axes) => axes,
        Err(complaint) => {
            out.push(complaint);
            return Vec::new();
        }
    };
    let size = axes
        .iter()
        .try_fold(1_usize, |size, axis| size.checked_mul(axis.values.len()));
    if size.is_none_or(|size| size > MOST_POINTS) {
        out.push(Diagnostic::new(
            format!("the matrix has more than {MOST_POINTS} points"),
            &matrix.key,
        ));
        return Vec::new();
    }
    for axis in &axes {
        // An override can add an axis for a setting of the file, and not a setting for an axis.
        if let Some(setting) = find(&parameters, &axis.path)
            && setting.key.source >= axis.entry.key.source
        {
            let message = format!("`{}` is set both here and by the matrix", axis.path);
            let help = format!(
                "give its values in one place, such as `matrix.{} = […]`",
                axis.path
            );
            out.push(Diagnostic::new(message, &setting.key).help(help));
            return Vec::new();
        }
    }
    let mut points = vec![(String::new(), parameters)];
    for axis in &axes {
        points = points
            .iter()
            .flat_map(|(name, parameters)| {
                axis.values
                    .iter()
                    .map(move |value| axis.point(name, parameters, value))
            })
            .collect();
    }
    let settings = |(name, parameters)| (name, Settings::Table(parameters));
    points.into_iter().map(settings).collect()
}

/// The schema of a stage in which each setting that is required may be an axis of the matrix instead.
pub(super) fn or_axis(mut stage: Json) -> Json {
    if stage["properties"].get(MATRIX).is_none() {
        return stage;
    }
    let is_fixed = |stage: &Json, key: &Json| {
        let property = key.as_str().map(|key| &stage["properties"][key]);
        property.is_some_and(|property| property.get("const").is_some())
    };
    let required = stage["required"].as_array().cloned().unwrap_or_default();
    let (fixed, free): (Vec<_>, Vec<_>) =
        required.into_iter().partition(|key| is_fixed(&stage, key));
    let either = free.iter().map(|key| {
        let axes = json!({ MATRIX: { "required": [key] } });
        let set = json!({ "required": [key] });
        json!({ "anyOf": [set, { "required": [MATRIX], "properties": axes }] })
    });
    stage["allOf"] = either.collect();
    stage["required"] = fixed.into();
    stage
}

struct Axis<'a> {
    /// The parameter, such as `seed` or `hyperparameters.learning_rate`.
    path: String,
    entry: &'a Entry,
    values: &'a [Node],
}

fn axes(matrix: &Node) -> Result<Vec<Axis<'_>>, Diagnostic> {
    let mut axes = Vec::new();
    collect_axes(table(matrix)?, "", &mut axes)?;
    Ok(axes)
}

/// A table within the matrix is the beginning of a path: `hyperparameters.sigma = […]`.
fn collect_axes<'a>(
    matrix: &'a Table,
    prefix: &str,
    axes: &mut Vec<Axis<'a>>,
) -> Result<(), Diagnostic> {
    for (key, entry) in matrix {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match &entry.node.value {
            Value::Table(inner) => {
                collect_axes(inner, &path, axes)?;
                continue;
            }
            Value::Outline(outline) => outline.accept(json!({ "type": "object" })),
            _ => {}
        }
        let values = array(&entry.node)?;
        if values.is_empty() {
            let message = format!("the axis `{path}` has no values");
            return Err(Diagnostic::new(message, &entry.node.place));
        }
        axes.push(Axis {
            path,
            entry,
            values,
        });
    }
    Ok(())
}

impl Axis<'_> {
    fn point(&self, name: &str, parameters: &Table, value: &Node) -> (String, Table) {
        let text = match &value.value {
            Value::String(text) => text.clone(),
            other => other.to_json().to_string(),
        };
        // Methods and algorithms are what a table's rows are called: their names say enough.
        let own = match self.path.as_str() {
            "method" | "algorithm" | "network" | "dataset" => text,
            path => format!("{}={text}", path.rsplit('.').next().unwrap_or(path)),
        };
        let name = if name.is_empty() {
            own
        } else {
            format!("{name}/{own}")
        };
        let mut parameters = parameters.clone();
        put(&mut parameters, &self.path, self.entry, value);
        (name, parameters)
    }
}

/// The setting at the dotted path `key`.
fn find<'t>(table: &'t Table, key: &str) -> Option<&'t Entry> {
    let Some((first, rest)) = key.split_once('.') else {
        return table.get(key);
    };
    match &table.get(first)?.node.value {
        Value::Table(inner) => find(inner, rest),
        _ => None,
    }
}

/// Puts `value` at the dotted path `key`, making tables on the way.
fn put(table: &mut Table, key: &str, axis: &Entry, value: &Node) {
    let leaf = Entry {
        key: axis.key.clone(),
        node: value.clone(),
    };
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), leaf);
        return;
    };
    let inner = table.entry(first.to_owned()).or_insert_with(|| Entry {
        key: axis.key.clone(),
        node: Node {
            place: axis.key.clone(),
            value: Value::Table(Table::new()),
        },
    });
    if let Value::Table(inner) = &mut inner.node.value {
        put(inner, rest, axis, value);
    }
}
