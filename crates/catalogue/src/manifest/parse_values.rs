//! Declared domains and bounds, held against the column's type.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use toml::value::Datetime;

use super::parse::Text;
use super::parse_column::RawColumn;
use super::{ColumnType, Content, Listed, Value};
use crate::Result;
use crate::limits::{DOMAIN_VALUES_MAX, TEXT_BYTES_MAX};

/// `bounds = { min = …, max = … }` as written.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { min = 0, max = 120 }"
)]
pub(super) struct RawBounds {
    min: Option<Spanned<toml::Value>>,
    max: Option<Spanned<toml::Value>>,
}

/// An entry of a domain as written: a value, or a value with its label.
pub(super) struct RawListed {
    value: toml::Value,
    label: Option<String>,
}

impl<'de> Deserialize<'de> for RawListed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = match toml::Value::deserialize(deserializer)? {
            toml::Value::Table(table) => table,
            value => return Ok(Self { value, label: None }),
        };
        let value = table.remove("value");
        let label = table.remove("label");
        if let Some(key) = table.keys().next() {
            return Err(de::Error::unknown_field(key, &["value", "label"]));
        }
        let label = match label {
            None => None,
            Some(toml::Value::String(label)) => Some(label),
            Some(_) => return Err(de::Error::custom("the label of a value is text")),
        };
        let value = value.ok_or_else(|| de::Error::missing_field("value"))?;
        Ok(Self { value, label })
    }
}

impl Text<'_> {
    pub(super) fn content(
        &self,
        name: &str,
        kind: ColumnType,
        raw: &RawColumn,
    ) -> Result<Option<Content>> {
        match (&raw.domain, &raw.bounds) {
            (None, None) => Ok(None),
            (Some(_), Some(bounds)) => {
                let problem = format!(
                    "`{name}` has a domain and bounds; the domain is enough, remove bounds"
                );
                Err(self.error(bounds.span(), problem))
            }
            (Some(domain), None) => self.domain(name, kind, domain).map(Some),
            (None, Some(bounds)) => self.bounds(name, kind, bounds).map(Some),
        }
    }

    fn domain(
        &self,
        name: &str,
        kind: ColumnType,
        raw: &Spanned<Vec<Spanned<RawListed>>>,
    ) -> Result<Content> {
        let count = raw.get_ref().len();
        if !kind.may_list() {
            let problem = format!(
                "`{name}` is `{}`, whose values cannot be listed; give bounds instead of a domain",
                kind.name()
            );
            return Err(self.error(raw.span(), problem));
        }
        if count == 0 || count > DOMAIN_VALUES_MAX {
            let problem = format!(
                "domain of `{name}` has {count} values; a domain has 1 to {DOMAIN_VALUES_MAX}"
            );
            return Err(self.error(raw.span(), problem));
        }
        let mut seen = std::collections::HashSet::with_capacity(count);
        let mut listed = Vec::with_capacity(count);
        for entry in raw.get_ref() {
            let wrong = |problem: String| self.error(entry.span(), problem);
            let RawListed { value, label } = entry.get_ref();
            let value =
                value_of(kind, value).map_err(|why| wrong(format!("domain of `{name}`: {why}")))?;
            let label = label.clone();
            if label
                .as_ref()
                .is_some_and(|label| label.trim().is_empty() || label.len() > TEXT_BYTES_MAX)
            {
                let problem =
                    format!("domain of `{name}`: a label has 1 to {TEXT_BYTES_MAX} bytes");
                return Err(wrong(problem));
            }
            if !seen.insert(value.to_string()) {
                return Err(wrong(format!(
                    "domain of `{name}` lists this value twice; remove one"
                )));
            }
            listed.push(Listed { value, label });
        }
        Ok(Content::Domain(listed))
    }

    fn bounds(&self, name: &str, kind: ColumnType, raw: &Spanned<RawBounds>) -> Result<Content> {
        let wrong = |problem: String| self.error(raw.span(), problem);
        if !kind.may_bound() {
            return Err(wrong(format!(
                "`{name}` is `{}`, which has no bounds; give a domain instead",
                kind.name()
            )));
        }
        let bound = |value: &Option<Spanned<toml::Value>>| {
            let Some(value) = value else { return Ok(None) };
            value_of(kind, value.get_ref())
                .map(Some)
                .map_err(|why| self.error(value.span(), format!("bounds of `{name}`: {why}")))
        };
        let (min, max) = (bound(&raw.get_ref().min)?, bound(&raw.get_ref().max)?);
        match (&min, &max) {
            (None, None) => Err(wrong(format!(
                "bounds of `{name}` give neither `min` nor `max`; give one or both"
            ))),
            (Some(least), Some(most)) if reversed(least, most) => Err(wrong(format!(
                "bounds of `{name}` are reversed: min {least} is above max {most}"
            ))),
            _ => Ok(Content::Bounds { min, max }),
        }
    }
}

fn reversed(min: &Value, max: &Value) -> bool {
    match (min, max) {
        (Value::Int(min), Value::Int(max)) | (Value::Timestamp(min), Value::Timestamp(max)) => {
            min > max
        }
        (Value::Float(min), Value::Float(max)) => min > max,
        (Value::Date(min), Value::Date(max)) => min > max,
        _ => false,
    }
}

/// The value as the type has it, or why it does not fit.
fn value_of(kind: ColumnType, given: &toml::Value) -> Result<Value, String> {
    let misfit = || format!("{} is not {}", shown(given), kind.expects());
    match (kind, given) {
        (ColumnType::Bool, toml::Value::Boolean(value)) => Ok(Value::Bool(*value)),
        (ColumnType::String, toml::Value::String(value)) => {
            if value.len() > TEXT_BYTES_MAX {
                return Err(format!("a value has at most {TEXT_BYTES_MAX} bytes"));
            }
            Ok(Value::Text(value.clone()))
        }
        (ColumnType::Float32 | ColumnType::Float64, toml::Value::Float(value))
            if value.is_finite() =>
        {
            Ok(Value::Float(*value))
        }
        // Exact up to 2^53, and a bound beyond that has no use.
        (ColumnType::Float32 | ColumnType::Float64, toml::Value::Integer(value)) => {
            Ok(Value::Float(*value as f64))
        }
        (ColumnType::Date, toml::Value::Datetime(value)) if value.time.is_none() => date(value)
            .map(|date| Value::Date(date.to_epoch_days()))
            .ok_or_else(misfit),
        (ColumnType::Timestamp, toml::Value::Datetime(value)) => {
            micros(value).map(Value::Timestamp).ok_or_else(misfit)
        }
        (_, toml::Value::Integer(value)) => match kind.whole_range() {
            Some((min, max)) if (min..=max).contains(value) => Ok(Value::Int(*value)),
            _ => Err(misfit()),
        },
        _ => Err(misfit()),
    }
}

fn date(value: &Datetime) -> Option<NaiveDate> {
    let date = value.date?;
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

/// Microseconds of a moment; without a zone it is UTC, as in CSV. A day alone is its first moment.
fn micros(value: &Datetime) -> Option<i64> {
    let time = match value.time {
        Some(time) => NaiveTime::from_hms_nano_opt(
            time.hour.into(),
            time.minute.into(),
            time.second.unwrap_or_default().into(),
            time.nanosecond.unwrap_or_default(),
        )?,
        None => NaiveTime::MIN,
    };
    let offset_minutes = match value.offset {
        Some(toml::value::Offset::Custom { minutes }) => i64::from(minutes),
        _ => 0,
    };
    let local = NaiveDateTime::new(date(value)?, time).and_utc();
    local
        .timestamp_micros()
        .checked_sub(offset_minutes * 60_000_000)
}

/// What stands in the manifest, short.
fn shown(given: &toml::Value) -> String {
    match given {
        toml::Value::String(text) => format!("the text `{}`", super::parse::shortened(text)),
        toml::Value::Integer(value) => format!("`{value}`"),
        toml::Value::Float(value) => format!("`{value}`"),
        toml::Value::Boolean(value) => format!("`{value}`"),
        toml::Value::Datetime(value) => format!("`{value}`"),
        toml::Value::Array(_) => "a list".to_owned(),
        toml::Value::Table(_) => "a table".to_owned(),
    }
}
