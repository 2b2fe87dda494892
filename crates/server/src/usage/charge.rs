//! What a run is charged: bounds from what is public.

use std::collections::BTreeMap;

use weir_audit::ReadCharge;
use weir_catalogue::{ColumnType, Manifest};
use weir_inside::Sources;
use weir_registry::Charge;

use crate::domain::Domain;
use crate::estimate;
use crate::fault::{Fault, count, dataset_unknown};
use crate::grants::terms::Columns;
use crate::release::Found;

/// What a text counts, in bytes, whatever its length: the lengths of texts are data.
const TEXT_BYTES: u64 = 16;

/// What a row's unit counts, in bytes.
const UNIT_BYTES: u64 = 4;

/// Instructions in a unit of fuel.
const FUEL_UNIT: u64 = 1_000_000;

/// What is public of the relations of a query.
pub(crate) struct Basis {
    /// In the order of the query.
    relations: Vec<Relation>,
}

struct Relation {
    dataset: String,
    provider: String,
    /// Two digits, rounded up.
    rows: u64,
    /// Two digits of the dataset's units, rounded down.
    units: u64,
    /// Bytes of a value of each column.
    widths: BTreeMap<String, u64>,
}

/// What is public of what a query reads. Nothing is opened.
pub(crate) async fn basis(domain: &Domain, found: &[Found]) -> Result<Basis, Fault> {
    let mut relations = Vec::new();
    for found in found {
        let name = &found.dataset.name;
        let snapshots = domain.registry.snapshots(name).await?;
        let snapshot = snapshots.into_iter().find(|one| one.id == found.snapshot);
        let snapshot = snapshot.ok_or_else(|| dataset_unknown(name))?;
        let manifest = Manifest::from_toml(&found.dataset.manifest_toml, "the stored manifest")?;
        let widths = manifest
            .columns()
            .iter()
            .map(|column| (column.name.clone(), width(column.kind)));
        relations.push(Relation {
            dataset: name.clone(),
            provider: manifest.terms().provider.clone().unwrap_or_default(),
            rows: coarse(snapshot.rows.unsigned_abs()),
            units: estimate::coarse(found.dataset.units),
            widths: widths.collect(),
        });
    }
    Ok(Basis { relations })
}

fn width(kind: ColumnType) -> u64 {
    match kind {
        ColumnType::Bool => 1,
        kind => kind
            .data_type()
            .primitive_width()
            .map_or(TEXT_BYTES, |width| width as u64),
    }
}

impl Basis {
    /// Most rows that are grouped, whatever is joined with what.
    pub(crate) fn rows_most(&self) -> u64 {
        let rows = self.relations.iter().map(|relation| relation.rows.max(1));
        rows.fold(1, u64::saturating_mul)
    }

    /// Each dataset once, with its units.
    pub(crate) fn units(&self) -> BTreeMap<&str, u64> {
        let relations = self.relations.iter();
        relations
            .map(|relation| (relation.dataset.as_str(), relation.units))
            .collect()
    }

    /// What a run over these relations is charged: once for each time that a dataset is read.
    pub(crate) fn cost(&self, sources: &Sources, read: &Columns, product: &str) -> Cost {
        let mut reads: BTreeMap<&str, ReadCharge> = BTreeMap::new();
        for (relation, source) in self.relations.iter().zip(&sources.relations) {
            let instructions = source.model.as_ref().map_or(0, |source| {
                let bound = source.model.tier().row_cost_max;
                bound.unwrap_or_else(|| weir_model::Limits::default().row_fuel)
            });
            let columns = read.get(&relation.dataset).into_iter().flatten();
            let width: u64 = columns
                .filter_map(|column| relation.widths.get(column))
                .sum();
            let charge = reads
                .entry(&relation.dataset)
                .or_insert_with(|| ReadCharge {
                    dataset: relation.dataset.clone(),
                    provider: relation.provider.clone(),
                    rows: 0,
                    bytes: 0,
                    fuel: 0,
                });
            let rows = relation.rows;
            charge.rows = charge.rows.saturating_add(rows);
            let bytes = rows.saturating_mul(width + UNIT_BYTES);
            charge.bytes = charge.bytes.saturating_add(bytes);
            let fuel = rows.saturating_mul(instructions).div_ceil(FUEL_UNIT);
            charge.fuel = charge.fuel.saturating_add(fuel);
        }
        Cost {
            product: product.to_owned(),
            reads: reads.into_values().collect(),
        }
    }
}

/// What a run is charged as it begins to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cost {
    /// The product it is part of; empty for none.
    pub(crate) product: String,
    /// Each dataset once, by name.
    pub(crate) reads: Vec<ReadCharge>,
}

impl Cost {
    /// Millions of instructions.
    pub(crate) fn fuel(&self) -> u64 {
        let fuel = self.reads.iter().map(|read| read.fuel);
        fuel.fold(0, u64::saturating_add)
    }

    /// As grants are charged.
    pub(crate) fn charge(&self) -> Result<Charge, Fault> {
        let bytes = self.reads.iter().map(|read| read.bytes);
        Ok(Charge {
            fuel: count(self.fuel())?,
            bytes: count(bytes.fold(0, u64::saturating_add))?,
            ..Charge::default()
        })
    }
}

/// Two digits of a number of rows, rounded up: whether one more or less is there shows at a hundredth of all numbers, and
/// nobody chooses the others.
pub(super) fn coarse(rows: u64) -> u64 {
    let mut step = 1;
    while rows.div_ceil(step) >= 100 {
        step *= 10;
    }
    rows.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_charged_to_two_digits() {
        assert_eq!(
            [0, 1, 99, 100, 101, 327_346, 7_500_000].map(coarse),
            [0, 1, 99, 100, 110, 330_000, 7_500_000]
        );
    }

    #[test]
    fn a_value_counts_what_its_type_says() {
        assert_eq!(
            [
                ColumnType::Bool,
                ColumnType::Int8,
                ColumnType::Float64,
                ColumnType::String
            ]
            .map(width),
            [1, 1, 8, 16]
        );
    }
}
