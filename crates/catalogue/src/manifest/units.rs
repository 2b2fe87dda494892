//! Which columns name a unit of which population.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::parse::{RawManifest, Text, shortened};
use super::{Column, Role, Unit};
use crate::Result;
use crate::limits::UNITS_MAX;

/// The key `unit` as written: one column's name, or `[[unit]]` tables.
pub(super) enum RawUnits {
    One(String),
    Many(Vec<RawUnit>),
}

/// A `[[unit]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a [[unit]] table")]
pub(super) struct RawUnit {
    column: Spanned<String>,
    population: Spanned<String>,
}

impl<'de> Deserialize<'de> for RawUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

/// Reads either form with the parser's own places and words, which an untagged enum would lose.
struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = RawUnits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name or [[unit]] tables")
    }

    fn visit_str<E>(self, name: &str) -> Result<RawUnits, E> {
        Ok(RawUnits::One(name.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tables: A) -> Result<RawUnits, A::Error> {
        let mut units = Vec::new();
        while let Some(unit) = tables.next_element()? {
            units.push(unit);
        }
        Ok(RawUnits::Many(units))
    }
}

impl Text<'_> {
    /// The checked units: at least one, no column twice.
    pub(super) fn units(&self, raw: &RawManifest, columns: &[Column]) -> Result<Vec<Unit>> {
        let tables = match (raw.unit.get_ref(), &raw.population) {
            (RawUnits::One(column), Some(population)) => {
                let column = Spanned::new(raw.unit.span(), column.clone());
                let unit = self.unit("unit", &column, population, raw, columns)?;
                return Ok(vec![unit]);
            }
            (RawUnits::One(_), None) => {
                let problem =
                    "missing key `population`: whom does the unit column name? Give the population";
                return Err(self.error(raw.unit.span(), problem));
            }
            (RawUnits::Many(_), Some(population)) => {
                let problem =
                    "population stands beside [[unit]] tables; give each [[unit]] its own instead";
                return Err(self.error(population.span(), problem));
            }
            (RawUnits::Many(tables), None) => tables,
        };
        if tables.is_empty() || tables.len() > UNITS_MAX {
            let problem = format!("{} units; a dataset has 1 to {UNITS_MAX}", tables.len());
            return Err(self.error(raw.unit.span(), problem));
        }
        let mut units: Vec<Unit> = Vec::with_capacity(tables.len());
        for table in tables {
            let unit = self.unit("column", &table.column, &table.population, raw, columns)?;
            if units.iter().any(|other| other.column == unit.column) {
                let name = table.column.get_ref();
                let problem = format!("`{name}` is a unit twice; remove one [[unit]]");
                return Err(self.error(table.column.span(), problem));
            }
            units.push(unit);
        }
        Ok(units)
    }

    fn unit(
        &self,
        key: &str,
        column: &Spanned<String>,
        population: &Spanned<String>,
        raw: &RawManifest,
        columns: &[Column],
    ) -> Result<Unit> {
        let index = self.unit_column(key, column, raw, columns)?;
        Ok(Unit {
            column: index,
            population: self.name("population", population)?.clone(),
        })
    }

    fn unit_column(
        &self,
        key: &str,
        named: &Spanned<String>,
        raw: &RawManifest,
        columns: &[Column],
    ) -> Result<usize> {
        let name = named.get_ref();
        let Some(index) = columns.iter().position(|column| column.name == *name) else {
            let problem = format!(
                "{key} = `{}`: no [[column]] has this name; describe it, or name another",
                shortened(name)
            );
            return Err(self.error(named.span(), problem));
        };
        let described = &raw.column.get_ref()[index];
        let column = &columns[index];
        if column.role != Role::Identifier {
            let problem = format!(
                "`{name}` is a unit, so its role must be `identifier`, not `{}`",
                column.role.name()
            );
            return Err(self.error(described.role.span(), problem));
        }
        if !column.kind.can_identify() {
            let problem = format!(
                "`{name}` is a unit, so its type must be `string` or a whole number, not `{}`",
                column.kind.name()
            );
            return Err(self.error(described.r#type.span(), problem));
        }
        Ok(index)
    }
}
