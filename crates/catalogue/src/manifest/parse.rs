//! From TOML to a checked [`Manifest`]. Every message gives line, column, key, and what to do.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::parse_column::RawColumn;
use super::parse_terms::{RawAccess, RawContact, RawRetention, RawRule};
use super::units::RawUnits;
use super::{Column, Manifest, Role, Sharing};
use crate::limits::{
    COLUMNS_MAX, MANIFEST_BYTES_MAX, NAME_CHARS_MAX, NAME_PREFIX_RESERVED, NULL_VALUES_MAX,
    TEXT_BYTES_MAX,
};
use crate::{CatalogueError, Result, is_name};

/// Names of columns, with their places.
pub(super) type RawNames = Spanned<Vec<Spanned<String>>>;

/// A manifest as written: TOML of the right shape, nothing else checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    name: Spanned<String>,
    pub(super) population: Option<Spanned<String>>,
    pub(super) unit: Spanned<RawUnits>,
    description: Spanned<String>,
    source: Spanned<String>,
    licence: Spanned<String>,
    null_values: Option<Spanned<Vec<String>>>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) provider: Option<Spanned<String>>,
    pub(super) form: Option<Spanned<String>>,
    pub(super) classification: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) grading: Option<Spanned<String>>,
    pub(super) sharing: Option<Spanned<RawAccess>>,
    pub(super) opening: Option<Spanned<RawAccess>>,
    pub(super) update_frequency: Option<Spanned<String>>,
    pub(super) time_column: Option<Spanned<String>>,
    pub(super) scenarios: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) keywords: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) retention: Option<Spanned<RawRetention>>,
    pub(super) contact: Option<RawContact>,
    rule: Option<Spanned<Vec<RawRule>>>,
    structural: Option<Spanned<Vec<RawNames>>>,
    pub(super) column: Spanned<Vec<RawColumn>>,
}

/// The text of a manifest, to say where in it something is wrong.
pub(super) struct Text<'a> {
    text: &'a str,
    file: &'a str,
}

impl Text<'_> {
    pub(super) fn error(&self, span: Range<usize>, problem: impl Into<String>) -> CatalogueError {
        let before = &self.text[..self.text.floor_char_boundary(span.start)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        CatalogueError::Manifest {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            problem: problem.into(),
        }
    }

    pub(super) fn name<'v>(&self, key: &str, value: &'v Spanned<String>) -> Result<&'v String> {
        let name = value.get_ref();
        if name.starts_with(NAME_PREFIX_RESERVED) {
            let problem = format!(
                "{key} = `{name}`: names that begin with `{NAME_PREFIX_RESERVED}` are reserved; choose another"
            );
            return Err(self.error(value.span(), problem));
        }
        if !is_name(name) {
            let problem = format!(
                "{key} = `{}`: a name is lower snake_case of at most {NAME_CHARS_MAX} characters and begins with a letter, such as `{}`",
                shortened(name),
                suggestion(name),
            );
            return Err(self.error(value.span(), problem));
        }
        Ok(name)
    }

    pub(super) fn text(&self, key: &str, value: &Spanned<String>) -> Result<String> {
        let text = value.get_ref();
        if text.trim().is_empty() {
            return Err(self.error(
                value.span(),
                format!("{key} is empty; say it in a few words"),
            ));
        }
        if text.len() > TEXT_BYTES_MAX {
            let problem = format!(
                "{key} has {} bytes, at most {TEXT_BYTES_MAX} are kept; shorten it",
                text.len()
            );
            return Err(self.error(value.span(), problem));
        }
        Ok(text.clone())
    }

    fn columns(&self, raw: &RawManifest) -> Result<Vec<Column>> {
        let rows = raw.column.get_ref();
        if rows.is_empty() || rows.len() > COLUMNS_MAX {
            let problem = format!("{} columns; a dataset has 1 to {COLUMNS_MAX}", rows.len());
            return Err(self.error(raw.column.span(), problem));
        }
        let mut names = HashMap::new();
        let mut headers = HashMap::new();
        let mut columns = Vec::with_capacity(rows.len());
        for (index, raw) in rows.iter().enumerate() {
            let column = self.column(raw)?;
            let span = || raw.header.as_ref().unwrap_or(&raw.name).span();
            if names.insert(column.name.clone(), index).is_some() {
                let problem = format!("column `{}` is described twice; remove one", column.name);
                return Err(self.error(raw.name.span(), problem));
            }
            if let Some(other) = headers.insert(column.header.clone(), index) {
                let problem = format!(
                    "columns {} and {} of the manifest are both named `{}` in the file; mend one `header`",
                    other + 1,
                    index + 1,
                    column.header
                );
                return Err(self.error(span(), problem));
            }
            columns.push(column);
        }
        Ok(columns)
    }

    fn null_values(&self, raw: &RawManifest) -> Result<Vec<String>> {
        let Some(values) = &raw.null_values else {
            return Ok(vec![String::new()]);
        };
        if values.get_ref().len() > NULL_VALUES_MAX {
            let problem = format!(
                "null_values has {} spellings, at most {NULL_VALUES_MAX} are read",
                values.get_ref().len()
            );
            return Err(self.error(values.span(), problem));
        }
        Ok(values.get_ref().clone())
    }
}

pub(super) fn parse(text: &str, file: &str) -> Result<Manifest> {
    if text.len() > MANIFEST_BYTES_MAX {
        let bytes = text.len() as u64;
        return Err(CatalogueError::ManifestTooLarge {
            file: file.to_owned(),
            bytes,
            limit: MANIFEST_BYTES_MAX,
        });
    }
    let text = Text { text, file };
    let raw: RawManifest = toml::from_str(text.text)
        .map_err(|error| text.error(error.span().unwrap_or(0..0), plain_words(error.message())))?;
    let mut columns = text.columns(&raw)?;
    let units = text.units(&raw, &columns)?;
    if columns.iter().all(|column| column.role == Role::Identifier) {
        let problem = "every column is an identifier, and identifiers are not stored; describe what the data says about a unit";
        return Err(text.error(raw.column.span(), problem));
    }
    let terms = text.terms(&raw, &columns)?;
    let rules = text.rules(raw.rule.as_ref(), &columns)?;
    let structural = text.structural(raw.structural.as_ref(), &columns)?;
    if matches!(terms.sharing, Sharing::NotShared(_)) {
        for column in &mut columns {
            column.rights.read = false;
        }
    }
    Ok(Manifest {
        name: text.name("name", &raw.name)?.clone(),
        units,
        description: text.text("description", &raw.description)?,
        source: text.text("source", &raw.source)?,
        licence: text.text("licence", &raw.licence)?,
        null_values: text.null_values(&raw)?,
        terms,
        rules,
        structural,
        columns,
    })
}

/// The parser's message in this project's words, with the key that was likely meant.
fn plain_words(message: &str) -> String {
    let message = message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key");
    let message = message.trim_end().replace('\n', "; ");
    match meant(&message) {
        Some(key) => format!("{message}; did you mean `{key}`?"),
        None => message,
    }
}

/// Of the keys that a message about an unknown one lists, the nearest to it.
fn meant(message: &str) -> Option<&str> {
    let (unknown, known) = message
        .strip_prefix("unknown key `")?
        .split_once("`, expected ")?;
    nearest(unknown, known.split('`').skip(1).step_by(2))
}

/// The nearest of `known`, where one is near enough to be a slip.
fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    const LIKENESS_MIN: f64 = 0.8;
    known
        .map(|known| (strsim::jaro_winkler(given, known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

pub(super) fn choose<T: Copy>(
    given: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    all.iter()
        .copied()
        .find(|&choice| name(choice) == given)
        .ok_or_else(|| {
            let known: Vec<_> = all
                .iter()
                .map(|&choice| format!("`{}`", name(choice)))
                .collect();
            let likely = nearest(given, all.iter().map(|&choice| name(choice)))
                .map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            format!(
                "`{}` is none of {}{likely}",
                shortened(given),
                known.join(", ")
            )
        })
}

/// Keeps a message short whatever was given.
pub(super) fn shortened(given: &str) -> String {
    if given.chars().count() <= NAME_CHARS_MAX {
        return given.to_owned();
    }
    given
        .chars()
        .take(NAME_CHARS_MAX)
        .chain("…".chars())
        .collect()
}

/// The nearest name that would pass.
fn suggestion(given: &str) -> String {
    let mut name = String::new();
    for char in given.chars() {
        match char {
            'a'..='z' | '0'..='9' => name.push(char),
            'A'..='Z' => {
                if name.ends_with(|last: char| last.is_ascii_lowercase()) {
                    name.push('_');
                }
                name.push(char.to_ascii_lowercase());
            }
            _ if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            _ => {}
        }
    }
    let name = name
        .trim_start_matches(|first: char| !first.is_ascii_lowercase())
        .trim_end_matches('_');
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() {
        "flights".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "tests_terms.rs"]
mod tests_terms;
