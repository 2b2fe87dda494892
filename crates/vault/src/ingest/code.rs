//! Coding: identifiers out, unit ids in.
//!
//! It is done in two steps. Identifiers become tags on whichever thread has read them, which is where the time goes
//! ([`Tagging`]); tags become ids in the order of the rows, on one thread ([`Coder`]), so that the same source gives the
//! same ids however many threads there are.
//!
//! While sorting, a row carries one `u64`: its unit in the upper half and its position in the source in the lower. One
//! primitive key sorts fast, and it makes the order of a unit's rows that of the source, so that registering a source
//! twice stores the same rows in the same order.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use weir_catalogue::Manifest;

use super::distinct::Distinct;
use crate::limits::ROWS_MAX;
use crate::population::{Population, Tag, Tagger};
use crate::source::Rows;
use crate::table::unit_column;
use crate::{Result, VaultError};

/// Name of the sort key. No column of a manifest can have it.
const KEY_COLUMN: &str = "weir_key";
/// Bits of a sort key below the unit.
pub(super) const POSITION_BITS: u32 = 32;
/// Stands for the tag of a row that names no unit.
const NO_TAG: u32 = u32::MAX;

/// The sort key, the further units, and then the stored columns.
pub(super) fn keyed_schema(manifest: &Manifest) -> SchemaRef {
    let key = Field::new(KEY_COLUMN, DataType::UInt64, false);
    let further = (1..manifest.units().len())
        .map(|unit| Field::new(unit_column(unit), DataType::UInt32, true));
    let stored = manifest.stored().into_iter().map(|index| {
        let column = &manifest.columns()[index];
        Field::new(&column.name, column.kind.data_type(), true)
    });
    let fields = std::iter::once(key).chain(further).chain(stored);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Populations, each once, and which of them each unit of the manifest belongs to.
pub(crate) struct Populations {
    all: Vec<Population>,
    of_unit: Vec<usize>,
}

impl Populations {
    /// `load` is called once for each population, in the order of their names.
    pub(crate) fn load(
        manifest: &Manifest,
        mut load: impl FnMut(&str) -> Result<Population>,
    ) -> Result<Self> {
        let mut names: Vec<&str> = manifest
            .units()
            .iter()
            .map(|unit| unit.population.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        let of_unit = manifest.units().iter();
        let of_unit = of_unit
            .filter_map(|unit| names.iter().position(|name| *name == unit.population))
            .collect();
        let all = names.into_iter().map(&mut load).collect::<Result<_>>()?;
        Ok(Self { all, of_unit })
    }

    /// The populations, each once.
    pub(crate) fn all(&self) -> &[Population] {
        &self.all
    }

    /// The populations, each once.
    pub(crate) fn into_all(self) -> Vec<Population> {
        self.all
    }

    fn of_unit(&mut self, unit: usize) -> &mut Population {
        &mut self.all[self.of_unit[unit]]
    }
}

/// Rows whose identifiers have become tags.
pub(super) struct Tagged {
    /// For each unit of the manifest, its tags.
    units: Vec<UnitTags>,
    /// The stored columns.
    stored: Vec<ArrayRef>,
    rows: usize,
}

/// The tags of one unit column.
#[derive(Default)]
struct UnitTags {
    /// A tag for each stretch of rows that name the same unit.
    tags: Vec<Tag>,
    /// For each row, the position of its tag, or [`NO_TAG`].
    of_row: Vec<u32>,
}

/// The first step, on any thread.
pub(super) struct Tagging {
    units: Vec<(usize, Tagger)>,
    stored: Vec<usize>,
}

impl Tagging {
    pub(super) fn new(manifest: &Manifest, populations: &mut Populations) -> Self {
        let units = manifest.units().iter().enumerate();
        Self {
            units: units
                .map(|(unit, described)| (described.column, populations.of_unit(unit).tagger()))
                .collect(),
            stored: manifest.stored(),
        }
    }

    pub(super) fn tag(&self, rows: &Rows) -> Result<Tagged> {
        let units = self
            .units
            .iter()
            .map(|(column, tagger)| tags(&rows.columns[*column], tagger))
            .collect::<Result<_>>()?;
        let stored = self.stored.iter();
        Ok(Tagged {
            units,
            stored: stored
                .map(|&index| Arc::clone(&rows.columns[index]))
                .collect(),
            rows: rows.rows,
        })
    }
}

fn tags(identifiers: &ArrayRef, tagger: &Tagger) -> Result<UnitTags> {
    // A whole number is identified by its decimal digits, so that a population does not care whether one file has it
    // as a number and another as text.
    let texts = cast(identifiers, &DataType::Utf8).map_err(failed)?;
    let texts: &StringArray = texts.as_string();
    let mut units = UnitTags::default();
    let mut last = None;
    units.of_row.reserve(texts.len());
    for text in texts {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            units.of_row.push(NO_TAG);
            continue;
        };
        // Files are often grouped by unit already: a tag is needed only where the unit changes.
        if last != Some(text) {
            units.tags.push(tagger.tag(text.as_bytes()));
            last = Some(text);
        }
        units.of_row.push(units.tags.len() as u32 - 1);
    }
    Ok(units)
}

/// The second step, in the order of the source.
pub(super) struct Coder<'a> {
    populations: &'a mut Populations,
    schema: SchemaRef,
    /// Rows coded so far, those that were left out included.
    rows: u64,
    /// The units met in each further unit column.
    further: Vec<Distinct>,
}

impl<'a> Coder<'a> {
    pub(super) fn new(manifest: &Manifest, populations: &'a mut Populations) -> Self {
        Self {
            populations,
            schema: keyed_schema(manifest),
            rows: 0,
            further: manifest
                .units()
                .iter()
                .skip(1)
                .map(|_| Distinct::default())
                .collect(),
        }
    }

    /// The rows without identifiers and without those that name no primary unit; `None` where none is left.
    pub(super) fn code(&mut self, tagged: Tagged) -> Result<Option<RecordBatch>> {
        let mut known: Vec<Vec<Option<u32>>> = tagged
            .units
            .iter()
            .map(|unit| vec![None; unit.tags.len()])
            .collect();
        let mut keys = Vec::with_capacity(tagged.rows);
        let mut further: Vec<Vec<Option<u32>>> = self
            .further
            .iter()
            .map(|_| Vec::with_capacity(tagged.rows))
            .collect();
        let mut kept = Vec::with_capacity(tagged.rows);
        // Row by row and not column by column: where two units are of one population, the ids must not depend on how
        // many rows came at once.
        for row in 0..tagged.rows {
            let position = self.rows + row as u64;
            // Reading stops at ROWS_MAX rows, so a position has at most 32 bits.
            debug_assert!(position < ROWS_MAX);
            let primary = self.id(0, &tagged.units[0], row, &mut known[0])?;
            kept.push(primary.is_some());
            keys.push(u64::from(primary.unwrap_or_default()) << POSITION_BITS | position);
            for (index, ids) in further.iter_mut().enumerate() {
                let unit = index + 1;
                let id = match primary {
                    Some(_) => self.id(unit, &tagged.units[unit], row, &mut known[unit])?,
                    // A row that is left out gives nobody an id.
                    None => None,
                };
                if let Some(id) = id {
                    self.further[index].insert(id);
                }
                ids.push(id);
            }
        }
        self.rows += tagged.rows as u64;
        let further = further
            .into_iter()
            .map(|ids| Arc::new(UInt32Array::from(ids)) as ArrayRef);
        let columns = std::iter::once(Arc::new(UInt64Array::from(keys)) as ArrayRef)
            .chain(further)
            .chain(tagged.stored)
            .collect();
        let coded = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed)?;
        match kept.iter().filter(|kept| **kept).count() {
            0 => Ok(None),
            all if all == kept.len() => Ok(Some(coded)),
            _ => filter_record_batch(&coded, &BooleanArray::from(kept))
                .map(Some)
                .map_err(failed),
        }
    }

    fn id(
        &mut self,
        unit: usize,
        tags: &UnitTags,
        row: usize,
        known: &mut [Option<u32>],
    ) -> Result<Option<u32>> {
        let tag = tags.of_row[row];
        if tag == NO_TAG {
            return Ok(None);
        }
        let known = &mut known[tag as usize];
        if known.is_none() {
            let population = self.populations.of_unit(unit);
            *known = Some(population.id(&tags.tags[tag as usize])?);
        }
        Ok(*known)
    }

    /// How many distinct units each further unit column names.
    pub(super) fn further_units(&self) -> Vec<u64> {
        self.further.iter().map(Distinct::count).collect()
    }
}

fn failed<E>(_: E) -> VaultError {
    VaultError::Internal {
        action: "coding units",
    }
}
