//! Declared values: the list a column's values are taken from, or the bounds they lie between.

use std::fmt;

use chrono::{DateTime, NaiveDate};

use super::ColumnType;

/// One value, as a manifest writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// Text.
    Text(String),
    /// A day, counted from 1970-01-01.
    Date(i32),
    /// A moment, in microseconds from 1970-01-01 UTC.
    Timestamp(i64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::Date(days) => match NaiveDate::from_epoch_days(*days) {
                Some(date) => date.fmt(f),
                None => days.fmt(f),
            },
            Self::Timestamp(micros) => match DateTime::from_timestamp_micros(*micros) {
                Some(moment) => moment.format("%Y-%m-%dT%H:%M:%S%.f").fmt(f),
                None => micros.fmt(f),
            },
        }
    }
}

/// A value of a declared list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The value.
    pub value: Value,
    /// What it means, for people.
    pub label: Option<String>,
}

/// What a column declares of its values.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Each value is one of these: no two are equal, and there is at least one.
    Domain(Vec<Listed>),
    /// Each value lies between these, both included; at least one is given, and they are not reversed.
    Bounds {
        /// The smallest value.
        min: Option<Value>,
        /// The largest value.
        max: Option<Value>,
    },
}

impl ColumnType {
    /// Smallest and largest whole number of the type; `None` where it is no whole number. Cut to what a manifest can
    /// write (64 bits with a sign).
    pub(crate) fn whole_range(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 => (i64::MIN, i64::MAX),
            Self::UInt8 => (0, u8::MAX.into()),
            Self::UInt16 => (0, u16::MAX.into()),
            Self::UInt32 => (0, u32::MAX.into()),
            Self::UInt64 => (0, i64::MAX),
            _ => return None,
        })
    }

    /// Whether a list of values makes sense: values have one spelling each.
    pub(crate) fn may_list(self) -> bool {
        !matches!(self, Self::Float32 | Self::Float64 | Self::Timestamp)
    }

    /// Whether values have an order that bounds can speak of.
    pub(crate) fn may_bound(self) -> bool {
        !matches!(self, Self::Bool | Self::String)
    }
}
