//! Whether a value is what the manifest declares.

use std::collections::HashSet;

use crate::{Content, Value};

/// A declared domain or bounds, ready to be asked row by row.
pub(super) enum Check {
    Whole(HashSet<i64>),
    Text(HashSet<Box<str>, ahash::RandomState>),
    Bool([bool; 2]),
    WholeBounds(i128, i128),
    FloatBounds(f64, f64),
}

impl Check {
    pub(super) fn new(content: &Content) -> Self {
        match content {
            Content::Domain(listed) => Self::listed(listed.iter().map(|listed| &listed.value)),
            Content::Bounds { min, max } => match min.as_ref().or(max.as_ref()) {
                Some(Value::Float(_)) => {
                    let bound = |bound: &Option<Value>, open| match bound {
                        Some(Value::Float(bound)) => *bound,
                        _ => open,
                    };
                    Self::FloatBounds(bound(min, f64::NEG_INFINITY), bound(max, f64::INFINITY))
                }
                _ => {
                    let bound = |bound: &Option<Value>, open| {
                        bound.as_ref().and_then(whole).map_or(open, i128::from)
                    };
                    Self::WholeBounds(bound(min, i128::MIN), bound(max, i128::MAX))
                }
            },
        }
    }

    /// A domain holds values of one type: the first says which.
    fn listed<'v>(values: impl Iterator<Item = &'v Value> + Clone) -> Self {
        match values.clone().next() {
            Some(Value::Text(_)) => Self::Text(
                values
                    .filter_map(|value| match value {
                        Value::Text(text) => Some(text.as_str().into()),
                        _ => None,
                    })
                    .collect(),
            ),
            Some(Value::Bool(_)) => {
                let has = |wanted| values.clone().any(|value| *value == Value::Bool(wanted));
                Self::Bool([has(false), has(true)])
            }
            _ => Self::Whole(values.filter_map(whole).collect()),
        }
    }

    #[inline]
    pub(super) fn whole(&self, value: i128) -> bool {
        match self {
            Self::WholeBounds(min, max) => (*min..=*max).contains(&value),
            Self::Whole(values) => i64::try_from(value).is_ok_and(|value| values.contains(&value)),
            _ => true,
        }
    }

    #[inline]
    pub(super) fn float(&self, value: f64) -> bool {
        match self {
            Self::FloatBounds(min, max) => (*min..=*max).contains(&value),
            _ => true,
        }
    }

    #[inline]
    pub(super) fn text(&self, value: &str) -> bool {
        match self {
            Self::Text(values) => values.contains(value),
            _ => true,
        }
    }

    #[inline]
    pub(super) fn bool(&self, value: bool) -> bool {
        match self {
            Self::Bool(values) => values[usize::from(value)],
            _ => true,
        }
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(value) | Value::Timestamp(value) => Some(*value),
        Value::Date(days) => Some((*days).into()),
        _ => None,
    }
}
