//! The complement: who is in a margin of a cell and not in the cell.
//!
//! A margin is what is left of a cell's keys when some are dropped. Whoever knows a number of the margin and of the cell
//! knows their difference, so those outside the cell are none, or enough. Units are counted, not rows: a unit with rows
//! on both sides is outside too, since the difference shows those of its rows that are.
//!
//! Source: Denning, Denning, Schwartz, *The Tracker* (1979).

use std::collections::HashMap;

use arrow::array::UInt64Array;

use crate::first_units::FirstUnits;

/// How many units of one kind a margin has outside a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outside {
    /// None: the cell is all of the margin.
    Nobody,
    /// Some, and fewer than the least.
    Few,
    /// As many as there must be.
    Enough,
}

/// Counts units outside cells, for one kind, or those of it with a value in one argument.
pub(super) struct Complement<'a> {
    units: &'a UInt64Array,
    first_units: &'a FirstUnits,
    units_min: u64,
    /// In how many cells of the margin at hand each unit is, kept for its memory.
    cells_of_unit: HashMap<u32, u32>,
}

impl<'a> Complement<'a> {
    pub(super) fn of(
        units: &'a UInt64Array,
        first_units: &'a FirstUnits,
        units_min: u64,
    ) -> Complement<'a> {
        Complement {
            units,
            first_units,
            units_min,
            cells_of_unit: HashMap::new(),
        }
    }

    pub(super) fn units(&self, cell: u32) -> u64 {
        self.units.value(cell as usize)
    }

    /// Whether the cell alone has as many units as must be outside another. Every unit of a cell that has not is named.
    pub(super) fn is_enough(&self, cell: u32) -> bool {
        self.units(cell) >= self.units_min
    }

    /// Whether the cell has units, and not enough of them.
    pub(super) fn is_small(&self, cell: u32) -> bool {
        self.units(cell) > 0 && !self.is_enough(cell)
    }

    /// Whether so many units are enough.
    pub(super) fn suffices(&self, units: usize) -> bool {
        units as u64 >= self.units_min
    }

    pub(super) fn names(&self, cell: u32) -> &'a [u32] {
        self.first_units.of(cell as usize)
    }

    /// Tells `answer` of every cell of one margin that is `asked` for how many units are outside.
    ///
    /// Exact, and one walk over the margin: a second cell with enough units settles every other. Where there is none, all
    /// units of the other cells are named, and those outside a cell are the named ones less those that are in it alone.
    pub(super) fn judge(
        &mut self,
        margin: &[u32],
        asked: impl Fn(u32) -> bool,
        mut answer: impl FnMut(u32, Outside),
    ) {
        if !margin.iter().any(|cell| asked(*cell)) {
            return;
        }
        let inhabited = margin.iter().filter(|cell| self.units(**cell) > 0).count();
        let enough: Vec<u32> = margin
            .iter()
            .copied()
            .filter(|cell| self.is_enough(*cell))
            .take(2)
            .collect();
        let others_suffice = enough.len() > 1 || !self.count_names(margin);
        for cell in margin.iter().copied().filter(|cell| asked(*cell)) {
            let outside = if inhabited <= 1 {
                Outside::Nobody
            } else if others_suffice
                || enough.iter().any(|other| *other != cell)
                || self.suffices(self.named_outside(cell))
            {
                Outside::Enough
            } else {
                Outside::Few
            };
            answer(cell, outside);
        }
    }

    /// Counts for each unit in how many of the margin's small cells it is. Stops, and says so, where there are so many
    /// units that enough are outside of any cell.
    fn count_names(&mut self, margin: &[u32]) -> bool {
        self.cells_of_unit.clear();
        let plenty = self.units_min.saturating_mul(2);
        for cell in margin {
            if self.is_enough(*cell) {
                continue;
            }
            for name in self.first_units.of(*cell as usize) {
                *self.cells_of_unit.entry(*name).or_default() += 1;
            }
            if self.cells_of_unit.len() as u64 >= plenty {
                return false;
            }
        }
        true
    }

    fn named_outside(&self, cell: u32) -> usize {
        let all = self.cells_of_unit.len();
        if self.is_enough(cell) {
            return all;
        }
        let alone = |name: &&u32| self.cells_of_unit.get(name) == Some(&1);
        all - self.names(cell).iter().filter(alone).count()
    }
}
