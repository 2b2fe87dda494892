//! What numbers are beside being rounded: coarse enough that no single unit shows, unpredictable at the edges, and the same
//! as they were answered before.

use weir_ledger::rounding::{CoinKey, leave_one_out_base};
use weir_policy::Policy;

use crate::encode::digest_of;
use crate::error::GateError;
use crate::ground::Ground;
use crate::members::{Basis, Most, Provenance};
use crate::noise::{Loss, Noise};
use crate::numbers::Numbers;
use crate::past::Origin;
use crate::round::Rounding;

/// Where the numbers of a table come from, and what they are rounded with.
pub(crate) struct Protection<'a> {
    pub(crate) by_cell: Vec<(u32, Vec<Origin>)>,
    /// Stands for the snapshots that were read.
    pub(crate) snapshots: [u8; 32],
    pub(crate) provenance: &'a Provenance,
    pub(crate) coins: &'a CoinKey,
    /// Noise in place of rounding, and for each statistic how much it needs.
    pub(crate) noises: Option<(Loss, &'a [Noise])>,
}

impl Protection<'_> {
    /// Makes a cell's own number of a statistic, by its position, in this row of `numbers`.
    pub(crate) fn number(
        &self,
        numbers: &mut Numbers,
        (statistic, cell, row): (usize, u32, usize),
        rounding: Rounding,
        (ground, policy): (&Ground, &Policy),
    ) -> Result<(), GateError> {
        if let Some((loss, noises)) = self.noises {
            let noise = *noises.get(statistic).ok_or(GateError::Noise)?;
            return numbers.add_noise(row, noise.grid, |number| loss.add(number, noise));
        }
        let basis = &self.provenance.bases[statistic];
        if basis.most == Most::NotASum {
            numbers.round_one(row, rounding);
            return Ok(());
        }
        let by_model = self.provenance.is_chosen();
        let base = match policy.leaves_one_out(by_model) {
            true => leave_one_out_base(self.most(basis, ground, cell)),
            false => Some(0.0),
        };
        let coin = match policy.is_keyed(by_model) {
            true => Some(self.coins.coin_of(&self.name(basis, cell)?)),
            false => None,
        };
        match base {
            Some(base) => numbers.coarsen(row, base, rounding, coin.as_ref()),
            // Nothing is coarse enough.
            None => numbers.clear(row),
        }
        Ok(())
    }

    /// The most that a single unit, of whatever kind, adds to a number.
    fn most(&self, basis: &Basis, ground: &Ground, cell: u32) -> f64 {
        let cell = cell as usize;
        let members = self.provenance.members.iter();
        match basis.most {
            Most::One => 1.0,
            Most::NotASum => 0.0,
            Most::Rows(at) => {
                let rows = members.map(|of| of.rows_most[at].value(cell));
                rows.max().unwrap_or_default() as f64
            }
            Most::Contribution(at) => {
                let kinds = ground.evidence.iter();
                let largest = kinds.map(|of| of.contributions[at].top[0].value(cell));
                largest.fold(
                    0.0,
                    |most: f64, of| if of > most || of.is_nan() { of } else { most },
                )
            }
        }
    }

    /// What stands for a number, whatever the query's words: which units of which population and snapshots it is of, and
    /// how much of it each is.
    fn name(&self, basis: &Basis, cell: u32) -> Result<Vec<u8>, GateError> {
        let mut name = digest_of(&basis.kind).to_vec();
        name.extend(self.snapshots);
        for members in &self.provenance.members {
            name.extend(digest_of(&members.population));
            let units = members.print(&[0], cell as usize)?;
            let contributions = members.print(&basis.prints, cell as usize)?;
            let sums = units.iter().chain(contributions.iter());
            name.extend(sums.flat_map(|sum| sum.to_le_bytes()));
        }
        Ok(name)
    }
}
