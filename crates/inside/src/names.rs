//! Names and fragments taken from the caller's SQL.

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Spanned};
use datafusion::sql::sqlparser::tokenizer::Span;

use crate::error::Place;

/// Prefix of the vault's own columns; no query may name one.
pub(crate) const RESERVED_PREFIX: &str = "weir_";

/// Longest fragment of SQL that a message quotes, in characters.
const FRAGMENT_CHARS_MAX: usize = 100;

/// The text of a part of the query, shortened for a message.
pub(crate) fn fragment(part: &dyn std::fmt::Display) -> String {
    let text = part.to_string();
    match text.char_indices().nth(FRAGMENT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Where a part of the query stands.
pub(crate) fn place(part: &impl Spanned) -> Place {
    place_of(part.span())
}

/// Where a span begins.
pub(crate) fn place_of(span: Span) -> Place {
    Place {
        line: span.start.line,
        column: span.start.column,
    }
}

/// An identifier as the planner will read it: lower case unless quoted.
pub(crate) fn normalise(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The one identifier of a name that has no qualifier.
pub(crate) fn simple(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(ident),
        _ => None,
    }
}
