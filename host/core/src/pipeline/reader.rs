//! Reads tables key by key: each typed getter complains at the value's own place, and `finish`
//! complains about every key that nobody asked for.

use std::sync::Arc;

use serde_json::json;

use super::diagnostic::{Complaints, Diagnostic, Place, Places};
use super::file::Placed;
use super::outline::Outline;
use super::tree::{Entry, Node, Table, Value};

/// One table being read.
pub struct Reader<'a> {
    fields: Fields<'a>,
    /// Where the table stands, for complaints about keys it lacks.
    pub place: Place,
    /// The name of the table in messages, such as `[stage.train]`.
    name: String,
    asked: Vec<&'static str>,
}

/// The settings of a stage.
#[derive(Clone, Debug)]
pub(super) enum Settings {
    Table(Table),
    Outline(Arc<Outline>),
}

impl Settings {
    /// Their reader; `header` is where they stand.
    pub(super) fn reader(&self, header: &Place, name: String) -> Reader<'_> {
        let fields = match self {
            Self::Table(table) => Fields::Table(table),
            Self::Outline(outline) => Fields::Outline(outline),
        };
        Reader::of_fields(fields, header, name)
    }
}

/// What a reader reads.
#[derive(Clone, Copy)]
enum Fields<'a> {
    Table(&'a Table),
    Outline(&'a Outline),
}

impl<'a> Reader<'a> {
    /// The reader of `table`, which messages call `name`.
    pub fn new(table: &'a Table, place: &Place, name: impl Into<String>) -> Self {
        Self::of_fields(Fields::Table(table), place, name.into())
    }

    fn of_fields(fields: Fields<'a>, place: &Place, name: String) -> Self {
        Self {
            fields,
            place: place.clone(),
            name,
            asked: Vec::new(),
        }
    }

    /// The reader of `node`, which must be a table.
    pub fn of(node: &'a Node, name: impl Into<String>, out: &mut Complaints) -> Option<Self> {
        let name = name.into();
        let of_fields = |fields, name| Some(Self::of_fields(fields, &node.place, name));
        match &node.value {
            Value::Table(table) => of_fields(Fields::Table(table), name),
            Value::Outline(outline) => of_fields(Fields::Outline(outline), name),
            other => {
                out.push(expected("a table", other, node).help(format!("write it as {name}")));
                None
            }
        }
    }

    /// Where everything in the table stands, and the table itself.
    pub fn places(&self) -> Places {
        let mut places = Places::from_iter([(String::new(), self.place.clone())]);
        if let Fields::Table(table) = self.fields {
            collect_places(table, "", &mut places);
        }
        places
    }

    /// The entry under `key`, if it is there.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        match self.fields {
            Fields::Table(table) => table.get(key),
            Fields::Outline(outline) => Some(outline.entry(key)),
        }
    }

    /// The entry under a key that the reader goes on to refuse, in better words than that it is not
    /// known.
    pub fn unwanted(&mut self, key: &'static str) -> Option<&'a Entry> {
        match self.fields {
            Fields::Table(_) => self.entry(key),
            Fields::Outline(_) => None,
        }
    }

    /// The value under `key`, read by `read`, if it is there.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        out: &mut Complaints,
        read: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        match read(&self.entry(key)?.node) {
            Ok(value) => Some(value),
            Err(complaint) => {
                out.push(complaint);
                None
            }
        }
    }

    /// The value under `key`; complains where it is missing.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        out: &mut Complaints,
        read: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        let missing = |reader: &Self| {
            let message = format!("{} has no `{key}`", reader.name);
            Diagnostic::new(message, &reader.place).label(format!("`{key}` is required"))
        };
        self.required_or(key, missing, out, read)
    }

    /// As [`Reader::required`], with another complaint where the value is missing.
    pub fn required_or<T>(
        &mut self,
        key: &'static str,
        missing: impl FnOnce(&Self) -> Diagnostic,
        out: &mut Complaints,
        read: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        match self.fields {
            Fields::Table(table) if !table.contains_key(key) => {
                self.asked.push(key);
                out.push(missing(self));
                return None;
            }
            Fields::Table(_) => {}
            Fields::Outline(outline) => outline.require(key),
        }
        self.optional(key, out, read)
    }

    /// Complains about every key that nobody asked for.
    pub fn finish(self, out: &mut Complaints) {
        for (key, entry) in self.unknown() {
            out.push(self.no_key(key, entry).help(out.choices(key, self.asked())));
        }
    }

    /// Like [`Reader::finish`], for the table of a whole pipeline file, where the override of a stage's
    /// setting begins with the name of one of the `stages`.
    pub(super) fn finish_overridden<'s>(
        self,
        stages: &(impl Iterator<Item = &'s str> + Clone),
        out: &mut Complaints,
    ) {
        for (key, entry) in self.unknown() {
            let is_of_stage = matches!(entry.node.value, Value::Table(_));
            let complaint = if entry.key.source > 0 && is_of_stage {
                let message = format!("there is no stage `{}`", shortened(key));
                let keys = self.asked().map(|key| -> &'s str { key });
                let known = stages.clone().chain(keys);
                Diagnostic::new(message, &entry.key).help(out.choices(key, known))
            } else {
                self.no_key(key, entry).help(out.choices(key, self.asked()))
            };
            out.push(complaint);
        }
    }

    fn unknown(&self) -> impl Iterator<Item = (&'a String, &'a Entry)> {
        let table = match self.fields {
            Fields::Table(table) => Some(table),
            Fields::Outline(_) => None,
        };
        let entries = table.into_iter().flatten();
        entries.filter(|(key, _)| !self.asked.contains(&key.as_str()))
    }

    fn no_key(&self, key: &str, entry: &Entry) -> Diagnostic {
        let message = format!("{} has no key `{}`", self.name, shortened(key));
        Diagnostic::new(message, &entry.key).label("not known here")
    }

    fn asked(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.asked.iter().copied()
    }
}

fn collect_places(table: &Table, prefix: &str, places: &mut Places) {
    for (key, Entry { node, .. }) in table {
        let path = format!("{prefix}{key}");
        if let Value::Table(inner) = &node.value {
            collect_places(inner, &format!("{path}."), places);
        }
        places.insert(path, node.place.clone());
    }
}

/// The complaint that `node` is `found` where `wanted` was expected.
fn expected(wanted: &str, found: &Value, node: &Node) -> Diagnostic {
    Diagnostic::new(
        format!("expected {wanted}, found {}", found.kind()),
        &node.place,
    )
    .label(format!("expected {wanted}"))
}

/// A string.
///
/// # Errors
/// It is something else.
pub fn string(node: &Node) -> Result<String, Diagnostic> {
    match &node.value {
        Value::String(text) => Ok(text.clone()),
        Value::Outline(outline) => outline.refuse(json!({ "type": "string" })),
        other => Err(expected("a string", other, node)),
    }
}

/// `true` or `false`.
///
/// # Errors
/// It is something else.
pub fn boolean(node: &Node) -> Result<bool, Diagnostic> {
    match &node.value {
        Value::Boolean(boolean) => Ok(*boolean),
        Value::Outline(outline) => outline.refuse(json!({ "type": "boolean" })),
        other => Err(expected("true or false", other, node)),
    }
}

/// A value that `read` accepts, with its place.
pub fn placed<T>(
    read: impl Fn(&Node) -> Result<T, Diagnostic>,
) -> impl Fn(&Node) -> Result<Placed<T>, Diagnostic> {
    move |node| {
        Ok(Placed {
            value: read(node)?,
            place: node.place.clone(),
        })
    }
}

/// The meaning of one of these words.
pub fn one_of<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&Node) -> Result<T, Diagnostic> {
    move |node| {
        if let Value::Outline(outline) = &node.value {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            return outline.refuse(json!({ "enum": words }));
        }
        let word = string(node)?;
        if let Some((_, value)) = words.iter().find(|(known, _)| *known == word) {
            return Ok(*value);
        }
        let known = words.iter().map(|(word, _)| *word);
        let message = format!("`{}` is not known here", shortened(&word));
        Err(Diagnostic::new(message, &node.place).help(choices(&word, known)))
    }
}

/// An integer in `range`.
pub fn integer(range: std::ops::RangeInclusive<i64>) -> impl Fn(&Node) -> Result<i64, Diagnostic> {
    move |node| match node.value {
        Value::Outline(ref outline) => outline.refuse(json!({
            "type": "integer",
            "minimum": range.start(),
            "maximum": range.end(),
        })),
        Value::Integer(integer) if range.contains(&integer) => Ok(integer),
        Value::Integer(integer) => Err(Diagnostic::new(
            format!("{integer} is out of range"),
            &node.place,
        )
        .label(format!("expected {} to {}", range.start(), range.end()))),
        ref other => Err(expected("an integer", other, node)),
    }
}

/// The items of an array.
///
/// # Errors
/// It is something else.
pub fn array(node: &Node) -> Result<&[Node], Diagnostic> {
    match &node.value {
        Value::Array(items) => Ok(items),
        Value::Outline(outline) => Ok(outline.items()),
        other => Err(expected("an array", other, node)),
    }
}

/// What `of_array` makes of an array, and `of_other` of any other value.
pub fn array_or<'a, T>(
    node: &'a Node,
    of_array: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
    of_other: impl FnOnce(&'a Node) -> Result<T, Diagnostic>,
) -> Result<T, Diagnostic> {
    match node.value {
        Value::Array(_) => of_array(node),
        Value::Outline(_) => of_array(node).or_else(|_| of_other(node)),
        _ => of_other(node),
    }
}

/// An array of strings.
///
/// # Errors
/// It is something else.
pub fn strings(node: &Node) -> Result<Vec<String>, Diagnostic> {
    array(node)?.iter().map(string).collect()
}

/// A table.
///
/// # Errors
/// It is something else.
pub fn table(node: &Node) -> Result<&Table, Diagnostic> {
    match &node.value {
        Value::Table(table) => Ok(table),
        Value::Outline(outline) => Ok(outline.names()),
        other => Err(expected("a table", other, node)),
    }
}

/// More names than these are no help.
const MOST_CHOICES: usize = 12;

/// `did you mean …`, or the list of what there is, or of its beginning.
pub fn choices<'a>(misspelt: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(close) = suggestion(misspelt, known.clone()) {
        return Some(format!("did you mean `{close}`?"));
    }
    let shown = known.clone().take(MOST_CHOICES);
    let mut all: Vec<_> = shown.map(|name| format!("`{}`", shortened(name))).collect();
    if let more @ 1.. = known.skip(MOST_CHOICES).count() {
        all.push(format!("and {more} more"));
    }
    (!all.is_empty()).then(|| format!("there is {}", all.join(", ")))
}

impl Complaints {
    /// [`choices`] for a complaint that is about to be added, if it is one that will be shown.
    pub fn choices<'a>(
        &self,
        misspelt: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<String> {
        if self.is_full() {
            return None;
        }
        choices(misspelt, known)
    }
}

/// A name that nobody means to type is not compared with others.
const LONGEST_NAME: usize = 200;
/// The most characters of a name or value in a message.
const NAME_CHARACTERS: usize = 80;

/// A name or value as a message quotes it.
pub fn shortened(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARACTERS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// The known name that is close enough to `misspelt` to be what was meant.
pub fn suggestion<'a>(misspelt: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if misspelt.len() > LONGEST_NAME {
        return None;
    }
    known
        .filter(|name| name.len() <= LONGEST_NAME)
        .map(|name| (strsim::damerau_levenshtein(misspelt, name), name))
        .filter(|&(distance, name)| distance <= 1.max(name.chars().count() / 3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}
