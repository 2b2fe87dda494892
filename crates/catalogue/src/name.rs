//! Names of datasets, populations and columns.

use crate::limits::NAME_CHARS_MAX;

/// Whether `name` is lower snake_case of at most [`NAME_CHARS_MAX`] characters. Such a name is safe in a path, in SQL
/// and in a URN.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
