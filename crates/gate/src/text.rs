//! Texts in their one form, from the four that an engine may hold them in.

use std::sync::Arc;

use arrow::array::{AnyDictionaryArray, Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;

use crate::error::GateError;

/// Most bytes of text in one column that is judged. Offsets of a released column are 32 bits wide, and a dictionary
/// can stand for far more text than it holds.
pub const TEXT_BYTES_MAX: usize = 1 << 30;

/// The column as plain texts, each value copied, nothing under nulls.
pub(crate) fn canonical_texts(column: &dyn Array) -> Result<ArrayRef, GateError> {
    let texts: Vec<Option<&str>> = match column.as_any_dictionary_opt() {
        Some(dictionary) => dictionary_texts(dictionary),
        None => plain_texts(column),
    }
    .ok_or(GateError::Step { step: "normalise" })?;
    let mut bytes = 0_usize;
    for text in texts.iter().flatten() {
        bytes = bytes.saturating_add(text.len());
    }
    if bytes > TEXT_BYTES_MAX {
        return Err(GateError::TooMuchText {
            bytes_max: TEXT_BYTES_MAX,
        });
    }
    Ok(Arc::new(texts.into_iter().collect::<StringArray>()))
}

fn plain_texts(column: &dyn Array) -> Option<Vec<Option<&str>>> {
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string_opt::<i32>()?.iter().collect()),
        DataType::LargeUtf8 => Some(column.as_string_opt::<i64>()?.iter().collect()),
        DataType::Utf8View => Some(column.as_string_view_opt()?.iter().collect()),
        _ => None,
    }
}

fn dictionary_texts(dictionary: &dyn AnyDictionaryArray) -> Option<Vec<Option<&str>>> {
    let values = plain_texts(dictionary.values().as_ref())?;
    if values.is_empty() {
        // Without values every key is null, and keys have no positions to look up.
        return Some(vec![None; dictionary.len()]);
    }
    let keys = dictionary.keys();
    let text_of = |(row, key): (usize, usize)| {
        if keys.is_null(row) {
            None
        } else {
            values.get(key).copied().flatten()
        }
    };
    Some(
        dictionary
            .normalized_keys()
            .into_iter()
            .enumerate()
            .map(text_of)
            .collect(),
    )
}
