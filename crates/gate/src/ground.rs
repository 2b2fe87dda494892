//! What a table is judged on, and what comes of it cell by cell: everything but its statistics.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::FieldRef;
use weir_policy::Policy;

use crate::error::GateError;
use crate::evidence::EvidenceColumns;
use crate::keys::Keys;
use crate::rules::{Broken, Neighbours, by_margins};
use crate::shape::{Levels, Shape};

/// What a table is judged on.
pub(crate) struct Ground {
    pub(crate) shape: Shape,
    pub(crate) keys: Keys,
    /// The grouping set of each cell.
    pub(crate) sets: Vec<u32>,
    /// The cells of each grouping set.
    pub(crate) cells: Vec<Vec<u32>>,
    /// Whether a key of the cell has a value that its closed domain lacks.
    pub(crate) off_domain: Vec<bool>,
    pub(crate) evidence: Vec<EvidenceColumns>,
}

/// What comes of each cell.
pub(crate) struct Ruling {
    /// Per cell the rules it breaks. Cells of derived sets are judged only where one of their numbers is their own.
    pub(crate) broken: Vec<Broken>,
    /// Per grouping set the one it is derived from, if it is.
    pub(crate) parents: Vec<Option<usize>>,
}

impl Ground {
    /// Reads keys and grouping sets.
    ///
    /// # Errors
    /// Too much text in a key; a table that does not fit its shape, or that has the same cell twice.
    pub(crate) fn of(
        cells: &RecordBatch,
        shape: Shape,
        evidence: Vec<EvidenceColumns>,
    ) -> Result<Ground, GateError> {
        let sets = shape.sets_of(cells)?;
        let keys = Keys::of(cells, &shape)?;
        let is_off = |(cell, set): (usize, &u32)| {
            let mut of_set = shape.keys_of(*set as usize).into_iter();
            of_set.any(|key| keys.is_off_domain(key, cell))
        };
        let off_domain = if keys.has_domain() {
            sets.iter().enumerate().map(is_off).collect()
        } else {
            vec![false; sets.len()]
        };
        Ground::with(shape, keys, sets, off_domain, evidence)
    }

    /// The ground of a table that was judged before. Its closed keys come without their domains.
    ///
    /// # Errors
    /// Evidence that does not cover it or contradicts itself, as for a new table.
    pub(crate) fn reopened(
        shape: Shape,
        fields: Vec<FieldRef>,
        columns: Vec<ArrayRef>,
        sets: Vec<u32>,
        off_domain: Vec<bool>,
        evidence: Vec<EvidenceColumns>,
    ) -> Result<Ground, GateError> {
        if sets.iter().any(|set| *set as usize >= shape.sets.len()) {
            return Err(GateError::Shape);
        }
        for of_one_kind in &evidence {
            of_one_kind.check(sets.len())?;
        }
        let keys = Keys::without_domains(fields, columns)?;
        Ground::with(shape, keys, sets, off_domain, evidence)
    }

    fn with(
        shape: Shape,
        keys: Keys,
        sets: Vec<u32>,
        off_domain: Vec<bool>,
        evidence: Vec<EvidenceColumns>,
    ) -> Result<Ground, GateError> {
        let mut cells = vec![Vec::new(); shape.sets.len()];
        for (cell, set) in sets.iter().enumerate() {
            cells[*set as usize].push(cell as u32);
        }
        let ground = Ground {
            shape,
            keys,
            sets,
            cells,
            off_domain,
            evidence,
        };
        ground.check_keys()?;
        Ok(ground)
    }

    fn check_keys(&self) -> Result<(), GateError> {
        for (set, cells) in self.cells.iter().enumerate() {
            for (key, column) in self.keys.columns.iter().enumerate() {
                let left_out = !self.shape.sets[set][key];
                if left_out && cells.iter().any(|cell| !column.is_null(*cell as usize)) {
                    return Err(GateError::Shape);
                }
            }
            // Withheld cells count too: a cell in two halves, of which one reaches the threshold, would leave in part.
            let keys = self.shape.keys_of(set);
            if !self.keys.codes.runs(keys.into_iter(), cells).are_single() {
                return Err(GateError::CellTwice);
            }
        }
        Ok(())
    }

    /// That enough units are named for the policy's complement to be counted, where there is a margin at all. It is asked
    /// before any cell is looked at, so that it does not depend on the data.
    pub(crate) fn check_first_units(&self, policy: &Policy) -> Result<(), GateError> {
        let mut keys = (0..self.shape.sets.len()).flat_map(|set| self.shape.keys_of(set));
        let has_margin = keys.any(|key| !self.shape.keys[key].fixed);
        let enough = |of: &EvidenceColumns| {
            let of_arguments = of.arguments.iter().map(|of| &of.first_units);
            std::iter::once(&of.first_units)
                .chain(of_arguments)
                .all(|named| named.kept as u64 >= policy.complement_units_min())
        };
        if has_margin && !self.evidence.iter().all(enough) {
            return Err(GateError::EvidenceMissing);
        }
        Ok(())
    }

    /// Judges every cell of the finest sets, and those of derived sets that show a number of their own.
    ///
    /// # Errors
    /// [`GateError::TooManyMargins`], and keys that cannot be sorted.
    pub(crate) fn judge(&self, policy: &Policy) -> Result<Ruling, GateError> {
        let parents = self.shape.parents();
        let own_numbers = self.shape.has_own_numbers();
        let mut broken = vec![Broken::default(); self.sets.len()];
        for (set, cells) in self.cells.iter().enumerate() {
            if parents[set].is_some() && !own_numbers {
                continue;
            }
            let keys = self.shape.keys_of(set);
            for cell in cells {
                let of_cell = &mut broken[*cell as usize];
                *of_cell = Broken::by(&self.evidence, &self.shape, *cell as usize, policy);
                of_cell.off_domain = self.off_domain[*cell as usize];
            }
            let neighbours = Neighbours {
                shape: &self.shape,
                keys: &keys,
                codes: &self.keys.codes,
                evidence: &self.evidence,
                cells,
            };
            by_margins(&neighbours, policy, &mut broken)?;
        }
        let mut ruling = Ruling { broken, parents };
        self.hide_from_crossing(&mut ruling, policy)?;
        Ok(ruling)
    }

    /// The density of levels: the distinct values that an open key would show. Null is a value too.
    ///
    /// Source: DataSHIELD `nfilter.levels.max`.
    ///
    /// # Errors
    /// [`GateError::TooManyLevels`].
    pub(crate) fn check_levels(&self, ruling: &Ruling, policy: &Policy) -> Result<(), GateError> {
        for (key, of) in self.shape.keys.iter().enumerate() {
            if !matches!(of.levels, Levels::Open) {
                continue;
            }
            let mut shown = vec![false; self.keys.codes.count(key) as usize];
            for set in (0..self.cells.len()).filter(|set| self.shape.sets[*set][key]) {
                for cell in self.kept(ruling, set) {
                    shown[self.keys.codes.at(key, cell as usize) as usize] = true;
                }
            }
            let levels = shown.iter().filter(|shown| **shown).count() as u64;
            if levels > policy.levels_max() {
                return Err(GateError::TooManyLevels {
                    column: self.open_keys(),
                    levels_max: policy.levels_max(),
                });
            }
        }
        Ok(())
    }

    /// The keys without a declared domain, all of them: which one has too many values would tell of the data.
    fn open_keys(&self) -> String {
        let keys = self.shape.keys.iter().zip(&self.keys.fields);
        let open = keys.filter(|(key, _)| matches!(key.levels, Levels::Open));
        let names: Vec<&str> = open.map(|(_, field)| field.name().as_str()).collect();
        names.join("` or `")
    }

    /// The cells of a finest set that may leave; none of a derived one.
    pub(crate) fn kept<'a>(
        &'a self,
        ruling: &'a Ruling,
        set: usize,
    ) -> impl Iterator<Item = u32> + 'a {
        let finest = ruling.parents[set].is_none();
        let cells = self.cells[set].iter().copied();
        cells.filter(move |cell| finest && !ruling.broken[*cell as usize].any())
    }

    /// How many of the cells that may leave have a unit whose sum is negative.
    pub(crate) fn cells_negative(&self, ruling: &Ruling) -> u64 {
        let is_negative = |cell: &u32| {
            let kinds = self.evidence.iter();
            let mut sums = kinds.flat_map(|of_one_kind| of_one_kind.contributions(*cell as usize));
            sums.any(|of| of.negative)
        };
        let kept = (0..self.cells.len()).flat_map(|set| self.kept(ruling, set));
        kept.filter(is_negative).count() as u64
    }
}
