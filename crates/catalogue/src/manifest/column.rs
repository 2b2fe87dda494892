//! What a column is.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use super::value::{Content, Value};
use crate::sample::from_domain;

/// One column of a dataset.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Column {
    /// The column's name in SQL: lower snake_case.
    pub name: String,
    /// The column's name in the source file.
    pub header: String,
    /// What the values are.
    pub kind: ColumnType,
    /// What the column says about a unit.
    pub role: Role,
    /// What the column means.
    pub description: String,
    /// What a number counts, such as `minute`.
    pub unit_of_measure: Option<String>,
    /// The values it may have, where declared.
    pub content: Option<Content>,
    /// Share of rows without a value, from 0 to 1, where declared.
    pub null_share: Option<f64>,
    /// The law or rule by which the column is on the negative list.
    pub not_shared: Option<String>,
    pub(super) rights: Rights,
}

/// What a query may do with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) read: bool,
    pub(super) group: bool,
    pub(super) compare: bool,
}

impl Column {
    /// Whether anything but registration may read the column. Not where it is an identifier (those are not stored), nor
    /// where the column or the whole dataset is on the negative list.
    pub fn is_readable(&self) -> bool {
        self.rights.read
    }

    /// Whether the column may be, or be part of, a key of a group. Implies [`Column::is_readable`].
    pub fn may_group(&self) -> bool {
        self.rights.read && self.rights.group
    }

    /// The values that the manifest lists, as a column of its type in their order; none where it lists none.
    pub fn domain_values(&self) -> Option<ArrayRef> {
        let Some(Content::Domain(listed)) = &self.content else {
            return None;
        };
        let values: Vec<&Value> = listed.iter().map(|listed| &listed.value).collect();
        Some(from_domain(self, &values, &vec![true; values.len()]))
    }

    /// How many values lie between the declared bounds, both included; none where that cannot be counted.
    pub fn values_between(&self) -> Option<u64> {
        let Some(Content::Bounds {
            min: Some(min),
            max: Some(max),
        }) = &self.content
        else {
            return None;
        };
        let (min, max) = match (min, max) {
            (Value::Int(min), Value::Int(max)) => (*min, *max),
            (Value::Date(min), Value::Date(max)) => (i64::from(*min), i64::from(*max)),
            _ => return None,
        };
        u64::try_from(max.checked_sub(min)?.checked_add(1)?).ok()
    }

    /// The declared bounds as numbers, where both are declared and are numbers. A column of two values, `true` and `false`, has
    /// none.
    #[expect(
        clippy::cast_precision_loss,
        reason = "bounds beyond 2^53 are off by less than what sums are rounded to"
    )]
    pub fn number_bounds(&self) -> Option<(f64, f64)> {
        let number = |value: &Value| match value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        };
        match &self.content {
            Some(Content::Bounds {
                min: Some(min),
                max: Some(max),
            }) => Some((number(min)?, number(max)?)),
            Some(Content::Domain(listed)) => {
                let numbers = listed.iter().map(|listed| number(&listed.value));
                let numbers: Vec<f64> = numbers.collect::<Option<_>>()?;
                let least = numbers.iter().copied().reduce(f64::min)?;
                Some((least, numbers.into_iter().reduce(f64::max)?))
            }
            _ => None,
        }
    }

    /// Whether the column may be compared with a literal. Implies [`Column::is_readable`].
    pub fn may_compare(&self) -> bool {
        self.rights.read && self.rights.compare
    }
}

/// The types a column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// `true` or `false`; in CSV also `1` and `0`, in any letter case.
    Bool,
    /// A whole number of 8 bits.
    Int8,
    /// A whole number of 16 bits.
    Int16,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A whole number from 0, of 8 bits.
    UInt8,
    /// A whole number from 0, of 16 bits.
    UInt16,
    /// A whole number from 0, of 32 bits.
    UInt32,
    /// A whole number from 0, of 64 bits.
    UInt64,
    /// A finite IEEE 754 number of 32 bits.
    Float32,
    /// A finite IEEE 754 number of 64 bits.
    Float64,
    /// UTF-8 text.
    String,
    /// A day: `YYYY-MM-DD`.
    Date,
    /// A point in time in UTC, to the microsecond; in CSV RFC 3339, without a zone taken as UTC.
    Timestamp,
}

impl ColumnType {
    /// All types, in the order a message lists them.
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Float32,
        Self::Float64,
        Self::String,
        Self::Date,
        Self::Timestamp,
    ];

    /// The type's name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    /// The type as stored.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::String => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// What a value must be, in words that fit after "not".
    pub fn expects(self) -> &'static str {
        match self {
            Self::Bool => "`true` or `false`",
            Self::Int8 => "a whole number from -128 to 127 (int8)",
            Self::Int16 => "a whole number from -32768 to 32767 (int16)",
            Self::Int32 => "a whole number of 32 bits (int32)",
            Self::Int64 => "a whole number of 64 bits (int64)",
            Self::UInt8 => "a whole number from 0 to 255 (uint8)",
            Self::UInt16 => "a whole number from 0 to 65535 (uint16)",
            Self::UInt32 => "a whole number of 32 bits, not negative (uint32)",
            Self::UInt64 => "a whole number of 64 bits, not negative (uint64)",
            Self::Float32 => "a finite number (float32)",
            Self::Float64 => "a finite number (float64)",
            Self::String => "text",
            Self::Date => "a day as YYYY-MM-DD (date)",
            Self::Timestamp => {
                "a time as YYYY-MM-DDThh:mm:ss, to the microsecond at most (timestamp)"
            }
        }
    }

    /// Whether a unit can be identified by such a column: exact, and with one spelling per value.
    pub fn can_identify(self) -> bool {
        !matches!(
            self,
            Self::Bool | Self::Float32 | Self::Float64 | Self::Date | Self::Timestamp
        )
    }
}

/// What a column says about a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Identifies a unit directly. Never stored.
    Identifier,
    /// Helps to recognise a unit when combined with other columns.
    QuasiIdentifier,
    /// What must not become known about a unit.
    Sensitive,
    /// A quantity to be aggregated.
    Measure,
    /// Known to anybody.
    Public,
}

impl Role {
    /// All roles, in the order a message lists them.
    pub const ALL: [Self; 5] = [
        Self::Identifier,
        Self::QuasiIdentifier,
        Self::Sensitive,
        Self::Measure,
        Self::Public,
    ];

    /// The role's name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::QuasiIdentifier => "quasi-identifier",
            Self::Sensitive => "sensitive",
            Self::Measure => "measure",
            Self::Public => "public",
        }
    }
}
