//! From TOML to a checked [`Manifest`]. Every message gives line, column, key, and what to do.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::units::RawUnits;
use super::{Column, ColumnType, Manifest, Role};
use crate::limits::{
    COLUMNS_MAX, MANIFEST_BYTES_MAX, NAME_CHARS_MAX, NAME_PREFIX_RESERVED, NULL_VALUES_MAX,
    TEXT_BYTES_MAX,
};
use crate::{CatalogueError, Result, is_name};

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
    pub(super) column: Spanned<Vec<RawColumn>>,
}

/// A `[[column]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawColumn {
    name: Spanned<String>,
    header: Option<Spanned<String>>,
    pub(super) r#type: Spanned<String>,
    pub(super) role: Spanned<String>,
    description: Spanned<String>,
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

    fn text(&self, key: &str, value: &Spanned<String>) -> Result<String> {
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

    fn column(&self, raw: &RawColumn) -> Result<Column> {
        let name = self.name("name", &raw.name)?.clone();
        let kind = choose(raw.r#type.get_ref(), &ColumnType::ALL, ColumnType::name)
            .map_err(|known| self.error(raw.r#type.span(), format!("type of `{name}`: {known}")))?;
        let role = choose(raw.role.get_ref(), &Role::ALL, Role::name)
            .map_err(|known| self.error(raw.role.span(), format!("role of `{name}`: {known}")))?;
        let header = match &raw.header {
            Some(header)
                if header.get_ref().is_empty() || header.get_ref().len() > TEXT_BYTES_MAX =>
            {
                let problem = format!(
                    "header of `{name}` is empty or longer than {TEXT_BYTES_MAX} bytes; give the column's name in the file"
                );
                return Err(self.error(header.span(), problem));
            }
            Some(header) => header.get_ref().clone(),
            None => name.clone(),
        };
        let description = self.text("description", &raw.description)?;
        Ok(Column {
            name,
            header,
            kind,
            role,
            description,
        })
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
    let columns = text.columns(&raw)?;
    let units = text.units(&raw, &columns)?;
    if columns.iter().all(|column| column.role == Role::Identifier) {
        let problem = "every column is an identifier, and identifiers are not stored; describe what the data says about a unit";
        return Err(text.error(raw.column.span(), problem));
    }
    Ok(Manifest {
        name: text.name("name", &raw.name)?.clone(),
        units,
        description: text.text("description", &raw.description)?,
        source: text.text("source", &raw.source)?,
        licence: text.text("licence", &raw.licence)?,
        null_values: text.null_values(&raw)?,
        columns,
    })
}

/// The parser's message in this project's words.
fn plain_words(message: &str) -> String {
    let message = message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key");
    message.trim_end().replace('\n', "; ")
}

fn choose<T: Copy>(given: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    all.iter()
        .copied()
        .find(|&choice| name(choice) == given)
        .ok_or_else(|| {
            let known: Vec<_> = all
                .iter()
                .map(|&choice| format!("`{}`", name(choice)))
                .collect();
            format!("`{}` is none of {}", shortened(given), known.join(", "))
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
