//! Groupings of the same rows of which neither contains the other, such as `GROUPING SETS ((region), (sex))`.
//!
//! Both add up to the same total in every group of the keys that they share, and nobody has to be told it. So what one of
//! them withholds in such a group is what the other one shows there, less what the first one shows: a cell that one unit
//! dominates comes out of two sums. Therefore, where one of them withholds cells for their own sake, the other one withholds
//! its smallest cells there, until these could hide them:
//!
//! - they have as many units as a cell must have, where only cells count that have so many themselves;
//! - of each argument they have as much as the largest contributors to what the first one withholds.
//!
//! Then what comes out is the difference of two numbers of which neither is known: what is withheld may be anything from
//! there on. No program is solved for it, and whether a smaller number of cells would do is not asked: so what is withheld
//! only grows with the policy's demands.

use weir_policy::Policy;

use crate::error::GateError;
use crate::ground::{Ground, Ruling};
use crate::order::sorted_by_keys;

impl Ground {
    /// Withholds in each finest grouping what hides the cells that another one withholds. It depends on the cells that are
    /// withheld for their own sake alone, and so withholds nothing more when it is asked again.
    ///
    /// # Errors
    /// Keys that cannot be sorted.
    pub(crate) fn hide_from_crossing(
        &self,
        ruling: &mut Ruling,
        policy: &Policy,
    ) -> Result<(), GateError> {
        let is_finest = |set: &usize| ruling.parents[*set].is_none();
        let finest: Vec<usize> = (0..self.cells.len()).filter(is_finest).collect();
        if finest.len() < 2 {
            return Ok(());
        }
        for of in &finest {
            for other in finest.iter().filter(|other| *other != of) {
                self.hide((*of, *other), ruling, policy)?;
            }
        }
        Ok(())
    }

    /// Withholds cells of the second grouping that hide what the first one withholds.
    fn hide(
        &self,
        (of, other): (usize, usize),
        ruling: &mut Ruling,
        policy: &Policy,
    ) -> Result<(), GateError> {
        let broken = &mut ruling.broken;
        if !self.cells[of]
            .iter()
            .any(|cell| broken[*cell as usize].by_itself())
        {
            return Ok(());
        }
        let sets = &self.shape.sets;
        let shared = (0..self.shape.keys.len()).filter(|key| sets[of][*key] && sets[other][*key]);
        let in_order = self.in_order(other)?;
        let both = [self.cells[of].as_slice(), &in_order].concat();
        for group in self.keys.codes.runs(shared, &both).iter() {
            let (first, mut second): (Vec<u32>, Vec<u32>) = group
                .iter()
                .partition(|cell| self.sets[**cell as usize] as usize == of);
            let hidden = first
                .iter()
                .filter(|cell| broken[**cell as usize].by_itself());
            let hidden: Vec<u32> = hidden.copied().collect();
            if hidden.is_empty() {
                continue;
            }
            let needed = self.needed(&hidden, policy);
            let mut had = vec![0.0; needed.len()];
            // Of equal ones the first by its keys.
            let units = |cell: &u32| {
                self.evidence
                    .first()
                    .map(|of| of.units.value(*cell as usize))
            };
            second.sort_by_key(units);
            for cell in second {
                if is_enough(&had, &needed) {
                    break;
                }
                self.add_hiding(cell, policy, &mut had);
                broken[cell as usize].crossing = true;
            }
        }
        Ok(())
    }

    /// The cells of a grouping in the order of their keys.
    fn in_order(&self, set: usize) -> Result<Vec<u32>, GateError> {
        let cells = &self.cells[set];
        let keys = self.shape.keys_of(set).into_iter();
        let keys = keys.map(|key| self.keys.taken(key, cells));
        let order = sorted_by_keys(&keys.collect::<Result<Vec<_>, _>>()?, cells.len())?;
        Ok(order.into_iter().map(|at| cells[at]).collect())
    }

    /// What hides cells: for each kind of unit how many, and of each argument how much.
    fn needed(&self, hidden: &[u32], policy: &Policy) -> Vec<f64> {
        let mut needed = Vec::new();
        for evidence in &self.evidence {
            needed.push(policy.units_min() as f64);
            let largest = |cell: &u32| evidence.contributions(*cell as usize).map(|of| of.top[0]);
            let of_kind = needed.len();
            needed.resize(of_kind + evidence.contributions.len(), 0.0);
            for cell in hidden {
                let of_cell = needed[of_kind..].iter_mut().zip(largest(cell));
                of_cell.for_each(|(needed, largest)| *needed += largest);
            }
        }
        needed
    }

    /// Adds what a cell hides. A few units hide nothing: somebody may know them all.
    fn add_hiding(&self, cell: u32, policy: &Policy, had: &mut [f64]) {
        let cell = cell as usize;
        let units = |at: usize| self.evidence[at].units.value(cell);
        if (0..self.evidence.len()).any(|at| units(at) < policy.units_min()) {
            return;
        }
        let mut had = had.iter_mut();
        for (at, evidence) in self.evidence.iter().enumerate() {
            let totals = evidence.contributions(cell).map(|of| of.total);
            let of_kind = std::iter::once(units(at) as f64).chain(totals);
            of_kind.zip(&mut had).for_each(|(hides, had)| *had += hides);
        }
    }
}

/// Whether there is as much of everything as is needed. What is no number never is.
fn is_enough(had: &[f64], needed: &[f64]) -> bool {
    had.iter().zip(needed).all(|(had, needed)| had >= needed)
}
