//! How much further than k apart two sets have to be, drawn by a keyed coin for each pair.
//!
//! A set within k units of an earlier one gets the earlier answer, and so where exactly "near" ends can be asked for: of
//! people whose condition is known to hold, leave out so many that the set is k − 1 away from an earlier one, and then the
//! one whose condition is the secret. If it holds the set is k away and is answered for itself; if not, it is near. The
//! people who do not matter can be chosen anew each time, and no rounding helps (Gadotti et al., *When the signal is in the
//! noise*, USENIX Security 2019, call such questions clones).
//!
//! So no exact number of units is the end. With a margin of m, a set k + j away from an earlier one, 0 ≤ j < m, is answered
//! for itself with probability 2^(j − m), by a coin over both sets and nothing else: the same pair always falls the same,
//! and a clone is another pair. Right beyond k − 1 nearly everything is still near, so that what one unit changes there is
//! not seen in any number of clones that can be afforded; further out one unit doubles the odds at most, and each clone has
//! to be told apart from chance. It is one-sided: nothing that is near without it is less so.
//!
//! A margin that were the same for all pairs, or for all with one set, would be found out with people who are known and
//! then be as exact as k. One by the units themselves, each with a weight, would be found out likewise.
//!
//! What it costs: sets that somebody chose and that are between k and k + m units apart, of which the later one is mostly
//! withheld or answered as the earlier one. Tables over all rows, which nobody chose, lose nothing; neither do the groups
//! of one query.

use crate::limits::{MARGIN_MAX, MARGIN_SHARE};
use crate::sketch::{BUCKETS, Mixer, Sketch};

/// Which pairs have a margin.
#[derive(Clone, Copy)]
pub(crate) struct Margins<'a> {
    pub(crate) mixer: Mixer,
    /// Whether a set of an index has one with the set that is compared.
    pub(crate) applies: &'a dyn Fn(u32) -> bool,
}

/// The largest margin beside a k: where both together are beyond what the index is made for, there is less of it.
pub(crate) fn most(k: u64) -> u64 {
    MARGIN_MAX.min((BUCKETS as u64).saturating_sub(k))
}

impl Margins<'_> {
    /// The margin of a known set and a new one.
    pub(crate) fn of(&self, known: &Sketch, new: &Sketch, k: u64) -> u64 {
        let size = known.cardinality.max(new.cardinality);
        let most = most(k).min(size / MARGIN_SHARE);
        let coins = self.mixer.pair(known, new).trailing_zeros();
        most.saturating_sub(u64::from(coins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_further_doubles_the_odds() {
        let mixer = Mixer::new([3; 16]);
        let applies = |_: u32| true;
        let margins = Margins {
            mixer,
            applies: &applies,
        };
        let known = mixer.sketch(&(0..1_000).collect());
        let mut of = [0_u32; MARGIN_MAX as usize + 1];
        for left_out in 0..20_000 {
            let new = mixer.sketch(
                &(0..1_000)
                    .filter(|unit| *unit != left_out % 1_000)
                    .chain([left_out + 2_000])
                    .collect(),
            );
            let margin = margins.of(&known, &new, 10);
            assert_eq!(margin, margins.of(&known, &new, 10));
            of[margin as usize] += 1;
        }
        // Half have all of it, a quarter one unit less.
        for (less, count) in of.iter().rev().enumerate().take(5) {
            let expected = 20_000 >> (less + 1);
            assert!(
                count.abs_diff(expected) < expected / 5 + 50,
                "{less}: {count}"
            );
        }
        assert!(of[0] < 30, "{}", of[0]);
    }

    #[test]
    fn small_sets_and_a_large_k_have_little_of_it() {
        let mixer = Mixer::new([3; 16]);
        let applies = |_: u32| true;
        let margins = Margins {
            mixer,
            applies: &applies,
        };
        let sketch = |units: u32| mixer.sketch(&(0..units).collect());
        assert!(margins.of(&sketch(40), &sketch(39), 10) <= 5);
        assert_eq!(margins.of(&sketch(7), &sketch(6), 3), 0);
        assert_eq!((most(10), most(25), most(40)), (12, 7, 0));
    }
}
