//! The table that leaves: kept cells, the totals derived from them, and the rows that complete closed domains.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use weir_policy::Policy;

use crate::canonical::canonical;
use crate::column::released_type;
use crate::error::GateError;
use crate::ground::{Ground, Ruling};
use crate::numbers::Numbers;
use crate::order::sorted_by_keys;
use crate::past::Origin;
pub(crate) use crate::protection::Protection;
use crate::round::Rounding;
use crate::shape::Statistic;

const STEP: GateError = GateError::Step { step: "build" };

/// One row of the table that leaves.
struct Row {
    set: u32,
    /// Per key the row of the key columns that has its value; none where the set leaves the key out.
    keys: Vec<Option<u32>>,
    /// The cell whose own numbers are shown.
    cell: Option<u32>,
    /// The rows whose additive numbers make up this one's, where it is derived.
    parts: Vec<u32>,
}

/// The rows of the table that leaves, in no order yet.
pub(crate) struct Rows {
    rows: Vec<Row>,
    /// The row of each cell whose own numbers are shown.
    row_of: HashMap<u32, usize>,
    /// Cells that are shown, or from whose parts a row is derived.
    pub(crate) cells_shown: u64,
}

impl Rows {
    /// The rows that the ruling leaves.
    ///
    /// # Errors
    /// [`GateError::TooManyCells`].
    pub(crate) fn of(ground: &Ground, ruling: &Ruling, policy: &Policy) -> Result<Rows, GateError> {
        let mut rows = Rows {
            rows: Vec::new(),
            row_of: HashMap::new(),
            cells_shown: 0,
        };
        let sets = 0..ground.shape.sets.len();
        let kept: usize = sets
            .clone()
            .map(|set| ground.kept(ruling, set).count())
            .sum();
        // Before anything is built, so that a refusal costs no memory.
        rows.within(kept, policy)?;
        let mut row_of_cell = vec![None; ground.sets.len()];
        for set in sets.clone() {
            for cell in ground.kept(ruling, set) {
                row_of_cell[cell as usize] = Some(rows.rows.len() as u32);
                rows.push(ground, set, cell, Some(cell), Vec::new());
            }
        }
        rows.cells_shown = rows.rows.len() as u64;
        for set in sets {
            if let Some(parent) = ruling.parents[set] {
                rows.derive(ground, ruling, set, parent, &row_of_cell);
            }
        }
        rows.complete(ground, policy);
        rows.within(rows.rows.len(), policy)?;
        Ok(rows)
    }

    fn within(&self, rows: usize, policy: &Policy) -> Result<(), GateError> {
        if rows as u64 > policy.cells_max() {
            return Err(GateError::TooManyCells {
                cells_max: policy.cells_max(),
            });
        }
        Ok(())
    }

    fn push(&mut self, ground: &Ground, set: usize, like: u32, cell: Option<u32>, parts: Vec<u32>) {
        let in_set = ground.shape.sets[set].iter();
        if let Some(cell) = cell {
            self.row_of.insert(cell, self.rows.len());
        }
        self.rows.push(Row {
            set: set as u32,
            keys: in_set.map(|in_set| in_set.then_some(like)).collect(),
            cell,
            parts,
        });
    }

    /// Adds the rows of a derived set: one for each of its cells of which a part is released. Numbers that are not the
    /// sum of their parts are shown only where every part is released and the cell keeps every rule itself; otherwise
    /// they would tell of the parts that are withheld.
    fn derive(
        &mut self,
        ground: &Ground,
        ruling: &Ruling,
        set: usize,
        parent: usize,
        row_of_cell: &[Option<u32>],
    ) {
        let both = [
            ground.cells[parent].as_slice(),
            ground.cells[set].as_slice(),
        ]
        .concat();
        let keys = ground.shape.keys_of(set);
        for alike in ground.keys.codes.runs(keys.into_iter(), &both).iter() {
            let is_part = |cell: &&u32| ground.sets[**cell as usize] as usize == parent;
            let all_parts = alike.iter().filter(is_part).count();
            let parts: Vec<u32> = alike
                .iter()
                .filter(is_part)
                .filter_map(|cell| row_of_cell[*cell as usize])
                .collect();
            let Some(like) = alike.iter().find(is_part).filter(|_| !parts.is_empty()) else {
                continue;
            };
            let own = alike.iter().find(|cell| !is_part(cell)).copied();
            self.cells_shown += u64::from(own.is_some());
            let shown =
                own.filter(|cell| parts.len() == all_parts && !ruling.broken[*cell as usize].any());
            self.push(ground, set, *like, shown, parts);
        }
    }

    /// Adds the rows that closed domains lack. A set is completed where each of its keys is closed and the table has room
    /// for all combinations: so a combination that nobody has and one that is withheld look alike, and which sets are
    /// completed follows from the shape and the policy alone.
    fn complete(&mut self, ground: &Ground, policy: &Policy) {
        let mut room = policy.cells_max();
        for set in 0..ground.shape.sets.len() {
            let keys = ground.shape.keys_of(set);
            let domains: Option<Vec<&[u32]>> =
                keys.iter().map(|key| ground.keys.domain(*key)).collect();
            let Some(domains) = domains.filter(|domains| !domains.is_empty()) else {
                continue;
            };
            let combinations = domains
                .iter()
                .try_fold(1_u64, |all, of| all.checked_mul(of.len() as u64))
                .filter(|combinations| *combinations <= room);
            let Some(combinations) = combinations else {
                continue;
            };
            room -= combinations;
            self.complete_set(ground, set, &keys, &domains);
        }
    }

    fn complete_set(&mut self, ground: &Ground, set: usize, keys: &[usize], domains: &[&[u32]]) {
        let codes = &ground.keys.codes;
        let code = |key: usize, row: Option<u32>| row.map(|row| codes.at(key, row as usize));
        let of_row = |row: &[Option<u32>]| -> Vec<Option<u32>> {
            keys.iter().map(|key| code(*key, row[*key])).collect()
        };
        let there: HashSet<Vec<Option<u32>>> = self
            .rows
            .iter()
            .filter(|row| row.set as usize == set)
            .map(|row| of_row(&row.keys))
            .collect();
        let mut combination = vec![0; domains.len()];
        if domains.iter().any(|domain| domain.is_empty()) {
            return;
        }
        loop {
            let mut row = vec![None; ground.shape.keys.len()];
            for (place, key) in keys.iter().enumerate() {
                row[*key] = Some(domains[place][combination[place]]);
            }
            if !there.contains(&of_row(&row)) {
                self.rows.push(Row {
                    set: set as u32,
                    keys: row,
                    cell: None,
                    parts: Vec::new(),
                });
            }
            if !advance(&mut combination, domains) {
                return;
            }
        }
    }

    /// How many rows show something.
    pub(crate) fn with_numbers(&self) -> u64 {
        let shows = |row: &&Row| row.cell.is_some() || !row.parts.is_empty();
        self.rows.iter().filter(shows).count() as u64
    }

    /// The cells whose own numbers are shown.
    pub(crate) fn cells_with_own_numbers(&self) -> HashSet<u32> {
        self.rows.iter().filter_map(|row| row.cell).collect()
    }

    /// The row of a cell whose own numbers are shown.
    pub(crate) fn of_cell(&self, cell: u32) -> Option<usize> {
        self.row_of.get(&cell).copied()
    }

    /// The rounded numbers of each statistic, without totals, and as the ledger has them.
    pub(crate) fn numbers(
        &self,
        ground: &Ground,
        cells: &RecordBatch,
        policy: &Policy,
        protection: Option<&Protection<'_>>,
    ) -> Result<Vec<Numbers>, GateError> {
        let of_row = |row: &Row| row.cell.map(u64::from);
        let positions: UInt64Array = self.rows.iter().map(of_row).collect();
        let columns = &cells.columns()[ground.shape.statistics_at()..];
        let mut all: Vec<Numbers> = Vec::new();
        for (statistic, column) in ground.shape.statistics.iter().zip(columns) {
            let own = take(column, &positions, None).map_err(|_| STEP)?;
            let mut numbers = Numbers::read(&own)?;
            if protection.is_none() {
                numbers.round(rounding(*statistic, policy));
            }
            all.push(numbers);
        }
        let Some(protection) = protection else {
            return Ok(all);
        };
        // Cell by cell in the order in which they were asked for, because some are answered like others before them.
        for (cell, origins) in &protection.by_cell {
            let Some(row) = self.of_cell(*cell) else {
                continue;
            };
            for (at, (origin, column)) in origins.iter().zip(columns).enumerate() {
                match origin {
                    // Made before: it is of a cell, or a statistic, that comes earlier.
                    Origin::Like { cell, statistic } => {
                        let from = self.of_cell(*cell);
                        let like =
                            from.map(|from| all[*statistic].to_bytes(from, column.data_type()));
                        all[at].set_bytes(row, &like.unwrap_or_default());
                    }
                    Origin::Given(answer) => all[at].set_bytes(row, answer),
                    Origin::Own => {
                        let rounding = rounding(ground.shape.statistics[at], policy);
                        let by = (ground, policy);
                        protection.number(&mut all[at], (at, *cell, row), rounding, by)?;
                    }
                }
            }
        }
        Ok(all)
    }

    /// The table, sorted, each column built anew.
    pub(crate) fn build(
        &self,
        ground: &Ground,
        cells: &RecordBatch,
        numbers: Vec<Numbers>,
    ) -> Result<RecordBatch, GateError> {
        let keys: Result<Vec<ArrayRef>, GateError> = (0..ground.shape.keys.len())
            .map(|key| self.key_column(ground, key))
            .collect();
        let keys = keys?;
        let sets: UInt32Array = self.rows.iter().map(|row| Some(row.set)).collect();
        let sets: ArrayRef = Arc::new(sets);
        let mut sorted_on = vec![Arc::clone(&sets)];
        sorted_on.extend(keys.iter().cloned());
        let order = sorted_by_keys(&sorted_on, self.rows.len())?;
        let order: UInt64Array = order.into_iter().map(|row| Some(row as u64)).collect();

        let mut columns = keys;
        if ground.shape.has_set_column() {
            columns.push(sets);
        }
        let at = ground.shape.statistics_at();
        let statistics = ground.shape.statistics.iter().zip(&cells.columns()[at..]);
        for ((statistic, column), numbers) in statistics.zip(numbers) {
            columns.push(self.statistic(*statistic, column, numbers)?);
        }
        let columns: Result<Vec<ArrayRef>, GateError> = columns
            .iter()
            .map(|column| canonical(&take(column, &order, None).map_err(|_| STEP)?))
            .collect();
        let schema = released_schema(ground, cells)?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(schema, columns?, &options).map_err(|_| STEP)
    }

    fn key_column(&self, ground: &Ground, key: usize) -> Result<ArrayRef, GateError> {
        let of_row = |row: &Row| row.keys[key].map(u64::from);
        let positions: UInt64Array = self.rows.iter().map(of_row).collect();
        take(&ground.keys.columns[key], &positions, None).map_err(|_| STEP)
    }

    /// The rounded numbers of the rows, with totals that are the sums of the rounded numbers of their parts.
    fn statistic(
        &self,
        statistic: Statistic,
        column: &ArrayRef,
        mut numbers: Numbers,
    ) -> Result<ArrayRef, GateError> {
        if statistic.is_additive() {
            for (at, row) in self.rows.iter().enumerate() {
                if !row.parts.is_empty() {
                    numbers.set_sum(at, &row.parts);
                }
            }
        }
        numbers.write(column.data_type())
    }
}

fn rounding(statistic: Statistic, policy: &Policy) -> Rounding {
    match statistic {
        Statistic::Rows { .. } | Statistic::Units { .. } => Rounding::Base(policy.count_base()),
        Statistic::Sum | Statistic::Real => Rounding::Digits(policy.significant_digits()),
    }
}

/// The next combination, counting from the last place; false after the last one.
fn advance(combination: &mut [usize], domains: &[&[u32]]) -> bool {
    for place in (0..combination.len()).rev() {
        combination[place] += 1;
        if combination[place] < domains[place].len() {
            return true;
        }
        combination[place] = 0;
    }
    false
}

/// Names, released types and nullability, as they follow from the shape; no metadata, neither of the table nor of a
/// column. A statistic can always be null: whether one is says nothing that the row does not.
fn released_schema(ground: &Ground, cells: &RecordBatch) -> Result<SchemaRef, GateError> {
    let shape = &ground.shape;
    let field = |(at, field): (usize, &Arc<Field>)| {
        let released = released_type(field.data_type()).map_err(|_| STEP)?;
        let nullable = match at.checked_sub(shape.keys.len()) {
            None => {
                let with_domain = ground.keys.domain(at).is_some();
                field.is_nullable() || shape.has_set_column() || with_domain
            }
            Some(0) if shape.has_set_column() => false,
            Some(_) => true,
        };
        Ok(Field::new(field.name(), released, nullable))
    };
    let fields: Result<Vec<Field>, GateError> = cells
        .schema_ref()
        .fields()
        .iter()
        .enumerate()
        .map(field)
        .collect();
    Ok(Arc::new(Schema::new(fields?)))
}
