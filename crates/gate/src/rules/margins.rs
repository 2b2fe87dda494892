//! The rules on what surrounds a cell, over all margins of a grouping set.
//!
//! A set of n keys has 2ⁿ − 1 margins. Both rules are decided by few of them:
//! - Complement: dropping more keys only adds to those outside. So a margin with enough outside settles every larger one,
//!   one with nobody outside leaves the larger ones open, and the rest is broken. Most cells are settled by dropping
//!   single keys, which costs one pass a key; for the others `deep_margins` looks further.
//! - Keys that say the same, such as a region and its name, are dropped together: dropping one of them alone changes
//!   nothing.
//! - Class disclosure: one margin a key decides (`class`).
//!
//! Every cell of the table is looked at, whether it may leave or not: what exists is what a second query would show.

use arrow::array::UInt64Array;

use super::Broken;
use super::class::telling_margin;
use super::complement::{Complement, Outside};
use super::deep_margins::{Open, judge_deep};
use crate::codes::Codes;
use crate::error::GateError;
use crate::evidence::EvidenceColumns;
use crate::first_units::FirstUnits;
use crate::shape::Shape;
use weir_policy::Policy;

/// Most keys of a grouping set, not counting those that the query fixes.
const KEYS_MAX: usize = 64;

/// One grouping set with all of its cells.
pub(crate) struct Neighbours<'a> {
    pub(crate) shape: &'a Shape,
    /// The positions of the set's keys.
    pub(crate) keys: &'a [usize],
    pub(crate) codes: &'a Codes,
    pub(crate) evidence: &'a [EvidenceColumns],
    /// The set's cells, by their row in the table.
    pub(crate) cells: &'a [u32],
}

impl Neighbours<'_> {
    /// The keys that can be dropped, those together that say the same. Not those that the query fixes, whose one value
    /// everybody knows.
    fn loose_keys(&self) -> Vec<Vec<usize>> {
        let loose = |key: &&usize| !self.shape.keys[**key].fixed;
        let mut together: Vec<(Vec<u32>, Vec<usize>)> = Vec::new();
        for key in self.keys.iter().filter(loose) {
            let values = self.codes.renumbered(*key, self.cells);
            match together
                .iter_mut()
                .find(|(of_others, _)| *of_others == values)
            {
                Some((_, keys)) => keys.push(*key),
                None => together.push((values, vec![*key])),
            }
        }
        together.into_iter().map(|(_, keys)| keys).collect()
    }

    /// All keys but these.
    pub(super) fn without<'b>(&'b self, dropped: &'b [usize]) -> impl Iterator<Item = usize> + 'b {
        let kept = move |key: &usize| !dropped.contains(key);
        self.keys.iter().copied().filter(kept)
    }
}

/// Judges the cells of one grouping set that break no other rule, and marks those that break one of these two.
///
/// # Errors
/// [`GateError::TooManyMargins`] where there are more keys, or more open margins, than can be looked at.
pub(crate) fn by_margins(
    of: &Neighbours<'_>,
    policy: &Policy,
    broken: &mut [Broken],
) -> Result<(), GateError> {
    // Asked of the shape, so that it does not depend on the data.
    if of
        .keys
        .iter()
        .filter(|key| !of.shape.keys[**key].fixed)
        .count()
        > KEYS_MAX
    {
        return Err(GateError::TooManyMargins);
    }
    let mut asked = vec![false; broken.len()];
    for cell in of.cells {
        asked[*cell as usize] = !broken[*cell as usize].any();
    }
    if !of.cells.iter().any(|cell| asked[*cell as usize]) {
        return Ok(());
    }
    // Those with a row, and those with a value in each nullable argument: a margin may have many of the first beside a
    // cell, and few of the second.
    let counted = of.evidence.iter().flat_map(|of| {
        let of_arguments = of.arguments.iter().map(|of| (&of.units, &of.first_units));
        std::iter::once((&of.units, &of.first_units)).chain(of_arguments)
    });
    let kinds = counted.map(|(units, first_units)| Kind::of(units, first_units, policy));
    // Where no cell is small, whoever is outside of another is enough.
    let has_small = |kind: &Kind<'_>| of.cells.iter().any(|cell| kind.complement.is_small(*cell));
    let mut kinds: Vec<Kind<'_>> = kinds.filter(has_small).collect();
    let loose = if kinds.is_empty() {
        Vec::new()
    } else {
        of.loose_keys()
    };
    for (bit, keys) in loose.iter().enumerate() {
        for margin in of.codes.runs(of.without(keys), of.cells).iter() {
            for kind in &mut kinds {
                kind.judge(margin, 1 << bit, &asked, broken);
            }
        }
    }
    for kind in &mut kinds {
        let open = kind.open(broken);
        for cell in judge_deep(of, &loose, &mut kind.complement, open)? {
            broken[cell as usize].complement = true;
        }
    }
    if policy.class_disclosure() {
        by_class(of, &asked, broken);
    }
    Ok(())
}

/// One kind of unit, or those of it with a value in an argument, and which cells have nobody outside when which single key is dropped.
struct Kind<'a> {
    complement: Complement<'a>,
    nobody: Vec<Open>,
}

impl<'a> Kind<'a> {
    fn of(units: &'a UInt64Array, first_units: &'a FirstUnits, policy: &Policy) -> Kind<'a> {
        Kind {
            complement: Complement::of(units, first_units, policy.complement_units_min()),
            nobody: Vec::new(),
        }
    }

    fn judge(&mut self, margin: &[u32], bit: u64, asked: &[bool], broken: &mut [Broken]) {
        let nobody = &mut self.nobody;
        self.complement.judge(
            margin,
            |cell| asked[cell as usize],
            |cell, outside| match outside {
                Outside::Enough => {}
                Outside::Few => broken[cell as usize].complement = true,
                Outside::Nobody => nobody.push(Open { cell, keys: bit }),
            },
        );
    }

    /// The cells that two single keys or more leave open, each once, with these keys.
    fn open(&mut self, broken: &[Broken]) -> Vec<Open> {
        let mut single = std::mem::take(&mut self.nobody);
        single.retain(|open| !broken[open.cell as usize].complement);
        single.sort_unstable_by_key(|open| open.cell);
        let mut opens: Vec<Open> = Vec::new();
        for of_cell in single.chunk_by(|left, right| left.cell == right.cell) {
            if of_cell.len() > 1 {
                opens.push(Open {
                    cell: of_cell[0].cell,
                    keys: of_cell.iter().fold(0, |keys, open| keys | open.keys),
                });
            }
        }
        opens
    }
}

fn by_class(of: &Neighbours<'_>, asked: &[bool], broken: &mut [Broken]) {
    let telling = |key: &usize| telling_margin(of.shape, of.keys, *key);
    let mut margins: Vec<Vec<usize>> = of.keys.iter().filter_map(telling).collect();
    margins.sort();
    margins.dedup();
    for dropped in margins {
        for margin in of.codes.runs(of.without(&dropped), of.cells).iter() {
            if let [cell] = margin
                && asked[*cell as usize]
            {
                broken[*cell as usize].class_disclosure = true;
            }
        }
    }
}
