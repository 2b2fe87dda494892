//! Matching the file's columns with the manifest's, by name.

use std::collections::HashMap;

use crate::{Result, VaultError};
use weir_catalogue::{Column, Manifest};

/// Most names in one message.
const NAMES_SHOWN_MAX: usize = 8;
/// Most characters of a name that comes from the file.
const NAME_SHOWN_CHARS_MAX: usize = 63;

/// For each column of the manifest, its position in the file.
///
/// What the file's first line says is shown only when every column of the manifest is in it: a CSV file without a
/// header has data there.
pub(super) fn match_columns(
    file: &str,
    headers: &[String],
    manifest: &Manifest,
) -> Result<Vec<usize>> {
    let columns = manifest.columns();
    let mut positions: HashMap<&str, usize> = HashMap::with_capacity(headers.len());
    for (position, header) in headers.iter().enumerate() {
        let known = columns.iter().any(|column| column.header == *header);
        if let Some(first) = positions.insert(header, position)
            && known
        {
            let (first, second) = (first + 1, position + 1);
            return Err(VaultError::ColumnDuplicate {
                file: file.to_owned(),
                column: header.clone(),
                first,
                second,
            });
        }
    }
    let missing: Vec<_> = columns
        .iter()
        .filter(|column| !positions.contains_key(column.header.as_str()))
        .collect();
    if missing.len() == columns.len() {
        return Err(VaultError::HeaderMissing {
            file: file.to_owned(),
        });
    }
    if !missing.is_empty() {
        let names = missing
            .iter()
            .map(|column| missing_name(column, manifest.unit()));
        return Err(VaultError::ColumnsMissing {
            file: file.to_owned(),
            columns: listed(names),
        });
    }
    let unknown = headers
        .iter()
        .enumerate()
        .filter(|(_, header)| columns.iter().all(|column| column.header != **header));
    let unknown: Vec<_> = unknown
        .map(|(position, header)| unknown_name(position, header))
        .collect();
    if !unknown.is_empty() {
        return Err(VaultError::ColumnsUnknown {
            file: file.to_owned(),
            columns: listed(unknown.into_iter()),
        });
    }
    Ok(columns
        .iter()
        .filter_map(|column| positions.get(column.header.as_str()).copied())
        .collect())
}

fn missing_name(column: &Column, unit: &Column) -> String {
    let unit = if column.name == unit.name {
        " (the unit)"
    } else {
        ""
    };
    format!("`{}`{unit}", column.header)
}

fn unknown_name(position: usize, header: &str) -> String {
    if header.is_empty() {
        return format!("the column without a name at position {}", position + 1);
    }
    format!(
        "`{}`",
        header
            .chars()
            .take(NAME_SHOWN_CHARS_MAX)
            .collect::<String>()
            .escape_debug()
    )
}

/// "column `a` is", "columns `a`, `b` and 3 more are": the beginning of a sentence about columns.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    let shown: Vec<_> = names.take(NAMES_SHOWN_MAX).collect();
    let more = match count - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (noun, verb) = if count == 1 {
        ("column", "is")
    } else {
        ("columns", "are")
    };
    format!("{noun} {}{more} {verb}", shown.join(", "))
}
