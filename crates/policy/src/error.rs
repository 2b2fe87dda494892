//! What can be wrong with a policy file, said so that its author can mend it.

use std::fmt;

/// Who is at fault. A policy file is written by a person, so it is always the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// The text that was handed in.
    Caller,
}

/// Where in a policy text something is: `source:line:column`, both counted from 1, the column in characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    source: Box<str>,
    line: usize,
    column: usize,
}

impl Place {
    /// The place `offset` bytes into `text`.
    pub(crate) fn at(source: &str, text: &str, offset: usize) -> Place {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            source: source.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The name the text was handed in under, usually a path.
    pub fn source_name(&self) -> &str {
        &self.source
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// Why a text is not a policy.
///
/// Texts quoted from the file are shortened and their control characters escaped, so that a hostile file can neither
/// flood nor forge a log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The text is longer than any policy.
    #[error(
        "{source_name}: a policy file has at most {limit_bytes} bytes, this one is larger; remove what is not policy"
    )]
    #[non_exhaustive]
    TooLarge {
        /// The name the text was handed in under.
        source_name: String,
        /// [`crate::POLICY_BYTES_MAX`].
        limit_bytes: usize,
    },
    /// The text is not TOML.
    #[error("{place}: not valid TOML: {problem}")]
    #[non_exhaustive]
    Syntax {
        /// Where the parser stopped.
        place: Place,
        /// What it says.
        problem: String,
    },
    /// A key that no policy has.
    #[error("{place}: `{key}` is not a policy key; {hint}")]
    #[non_exhaustive]
    UnknownKey {
        /// Where the key is.
        place: Place,
        /// The key, with its table.
        key: String,
        /// The nearest known key, or all of them.
        hint: String,
    },
    /// A value of the wrong kind.
    #[error("{place}: `{key}` is {found}, but must be {expected}")]
    #[non_exhaustive]
    WrongType {
        /// Where the value is.
        place: Place,
        /// The key, with its table.
        key: String,
        /// What kind of value it is.
        found: &'static str,
        /// What kind it must be, with an example.
        expected: &'static str,
    },
    /// A value below the compiled-in floor.
    #[error(
        "{place}: `{key}` is `{value}`, but the floor is {floor}: {reason}. Write {floor} or more"
    )]
    #[non_exhaustive]
    BelowFloor {
        /// Where the value is.
        place: Place,
        /// The key, with its table.
        key: String,
        /// The value as written.
        value: String,
        /// The smallest value accepted, as a file would have it.
        floor: String,
        /// Why.
        reason: &'static str,
    },
    /// A value above the compiled-in ceiling.
    #[error(
        "{place}: `{key}` is `{value}`, but the ceiling is {ceiling}: {reason}. Write {ceiling} or less"
    )]
    #[non_exhaustive]
    AboveCeiling {
        /// Where the value is.
        place: Place,
        /// The key, with its table.
        key: String,
        /// The value as written.
        value: String,
        /// The largest value accepted, as a file would have it.
        ceiling: String,
        /// Why.
        reason: &'static str,
    },
    /// A multiple that counts are not rounded to.
    #[error("{place}: `{key}` is `{value}`, but counts are rounded to one of {bases}")]
    #[non_exhaustive]
    NotABase {
        /// Where the value is.
        place: Place,
        /// The key, with its table.
        key: String,
        /// The value as written.
        value: String,
        /// [`crate::COUNT_BASES`].
        bases: String,
    },
    /// A number with more decimals than a policy holds.
    #[error(
        "{place}: `{key}` is `{value}`, but a policy holds {decimals_max} decimals. Write `{nearest}` or another number \
         with at most {decimals_max}"
    )]
    #[non_exhaustive]
    TooPrecise {
        /// Where the value is.
        place: Place,
        /// The key, with its table.
        key: String,
        /// The value as written.
        value: String,
        /// The nearest value that can be held.
        nearest: String,
        /// How many decimals can be held.
        decimals_max: usize,
    },
    /// No name.
    #[error(
        "{source_name}: the policy has no name; begin the file with a line such as `name = \"health\"`"
    )]
    #[non_exhaustive]
    NameMissing {
        /// The name the text was handed in under.
        source_name: String,
    },
    /// A name that could not stand in a decision record.
    #[error(
        "{place}: the name `{name}` is not usable; write lower-case letters, digits and hyphens, at most {chars_max} characters, such as `health-2025`"
    )]
    #[non_exhaustive]
    NameInvalid {
        /// Where the name is.
        place: Place,
        /// The name as written.
        name: String,
        /// [`crate::NAME_CHARS_MAX`].
        chars_max: usize,
    },
}

impl PolicyError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            PolicyError::TooLarge { .. } => "POLICY_TOO_LARGE",
            PolicyError::Syntax { .. } => "POLICY_SYNTAX",
            PolicyError::UnknownKey { .. } => "POLICY_UNKNOWN_KEY",
            PolicyError::WrongType { .. } => "POLICY_WRONG_TYPE",
            PolicyError::BelowFloor { .. } => "POLICY_BELOW_FLOOR",
            PolicyError::AboveCeiling { .. } => "POLICY_ABOVE_CEILING",
            PolicyError::NotABase { .. } => "POLICY_NOT_A_BASE",
            PolicyError::TooPrecise { .. } => "POLICY_TOO_PRECISE",
            PolicyError::NameMissing { .. } => "POLICY_NAME_MISSING",
            PolicyError::NameInvalid { .. } => "POLICY_NAME_INVALID",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        Family::Caller
    }
}
