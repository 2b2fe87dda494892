//! Rounding that keeps one unit from moving a number visibly.
//!
//! **Leave-one-out rounding.** A model can let every unit contribute a known constant and one its secret; the sum minus
//! the constants is then the secret, and no dominance rule sees it. So a sum is rounded to a base, 1, 2 or 5 × 10ⁿ, that
//! is no smaller than the largest contribution of a single unit: no unit moves the number by more than one step.
//!
//! **Keyed stochastic rounding.** A model can pad a number so that the secret decides on which side of a rounding boundary
//! it falls. So the side is drawn, with the odds that make the expectation the number itself, by a coin that depends on
//! the unit set and the statistic under a key: the same cell always rounds the same, a cell that differs in one unit
//! rounds independently, and each answer shifts the odds on a secret only a little. Over many answers about the same
//! secret the coins average out; the budget of bits bounds how many there are.

use ring::hmac;
use zeroize::Zeroizing;

use crate::Result;
use crate::store::LedgerKey;

/// The key of the coins.
pub struct CoinKey(hmac::Key);

/// What a coin is drawn for.
pub struct Coin {
    /// 53 bits, evenly distributed.
    drawn: u64,
}

/// How many values a coin has: as many as a float tells apart below 1.
const SIDES: u64 = 1 << 53;

impl CoinKey {
    /// The coins of a domain: the same for as long as its ledger has the same key.
    ///
    /// # Errors
    /// [`crate::LedgerError::Internal`].
    pub fn new(key: &LedgerKey) -> Result<CoinKey> {
        let key: Zeroizing<[u8; 32]> = key.derive("coins", &[])?;
        Ok(CoinKey(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice())))
    }

    /// The coin of whatever these bytes stand for.
    pub fn coin_of(&self, name: &[u8]) -> Coin {
        let tag = hmac::sign(&self.0, name);
        let first = tag.as_ref().iter().take(8);
        let drawn = first.fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        Coin { drawn: drawn >> 11 }
    }
}

impl Coin {
    /// A whole number rounded down or up to a multiple of `base`, with the number as expectation. A base below 1 is as
    /// good as 1; where the multiple does not fit, the number stays.
    pub fn round_whole(&self, number: i128, base: i128) -> i128 {
        let base = base.max(1);
        let over = number.rem_euclid(base);
        let up = self.falls(over as f64 / base as f64);
        (number - over)
            .checked_add(if up { base } else { 0 })
            .unwrap_or(number)
    }

    /// Whether something of this probability happens. `share` from 0 to 1.
    fn falls(&self, share: f64) -> bool {
        // Exact: both sides are integers below 2⁵³.
        (self.drawn as f64) < share * SIDES as f64
    }

    /// A number rounded down or up to a multiple of `base`, likewise. What is not finite, and a base that is not a
    /// positive number, give NaN: a number that cannot be rounded is not released.
    pub fn round_sum(&self, sum: f64, base: f64) -> f64 {
        if !sum.is_finite() || !base.is_finite() || base <= 0.0 {
            return f64::NAN;
        }
        let steps = sum / base;
        let down = steps.floor();
        let up = self.falls(steps - down);
        let rounded = (down + if up { 1.0 } else { 0.0 }) * base;
        // No sign on zero.
        rounded + 0.0
    }
}

/// The smallest of 1, 2 and 5 × 10ⁿ that is no smaller than the absolute value of the largest contribution of a single
/// unit; none where that is not finite or too large, and 0 where nobody contributes anything.
pub fn leave_one_out_base(largest: f64) -> Option<f64> {
    let largest = largest.abs();
    if largest == 0.0 {
        return Some(0.0);
    }
    if !largest.is_finite() {
        return None;
    }
    let exponent = largest.log10().floor() as i32;
    let of = |exponent: i32| [1.0, 2.0, 5.0].map(|digit| power(digit, exponent));
    // One decade below and above, because the logarithm may be off by one.
    let bases = (exponent - 1..=exponent + 1).flat_map(of);
    let mut large_enough = bases.filter(|base| *base >= largest && base.is_finite());
    large_enough.next()
}

/// `digit` × 10^`exponent`, as a decimal literal reads, so that the base is the same on every machine.
fn power(digit: f64, exponent: i32) -> f64 {
    format!("{digit}e{exponent}")
        .parse()
        .unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coins() -> impl Iterator<Item = Coin> {
        #[expect(clippy::expect_used, reason = "tests fail by panicking")]
        let key = CoinKey::new(&LedgerKey::new([1; 32])).expect("a key");
        (0..20_000_u32).map(move |name| key.coin_of(&name.to_le_bytes()))
    }

    #[test]
    fn whole_numbers_are_unbiased_and_near() {
        for (count, base) in [
            (0_i128, 5_i128),
            (-7, 5),
            (5, 5),
            (7, 5),
            (1, 10),
            (19, 10),
            (123, 100),
            (3, 1),
            (9, 0),
        ] {
            let mut sum = 0;
            let mut rounds = 0;
            for coin in coins() {
                let rounded = coin.round_whole(count, base);
                assert_eq!(rounded % base.max(1), 0);
                assert!((rounded - count).abs() < base.max(1));
                sum += rounded;
                rounds += 1;
            }
            // Five standard deviations, each at most half a base.
            let mean = sum as f64 / f64::from(rounds);
            let allowed = 5.0 * base as f64 / 2.0 / f64::from(rounds).sqrt() + 1e-9;
            assert!(
                (mean - count as f64).abs() <= allowed,
                "{count} to {base}: {mean}"
            );
        }
    }

    #[test]
    fn sums_are_unbiased_and_near() {
        for (sum, base) in [
            (0.0, 5.0),
            (-7.5, 10.0),
            (1234.5, 500.0),
            (0.3, 0.1),
            (1e12, 2e9),
        ] {
            let mut total = 0.0;
            let mut rounds = 0;
            for coin in coins() {
                let rounded = coin.round_sum(sum, base);
                assert!((rounded - sum).abs() <= base * (1.0 + 1e-9));
                assert!(rounded != 0.0 || rounded.is_sign_positive());
                total += rounded;
                rounds += 1;
            }
            let mean = total / f64::from(rounds);
            let allowed = 5.0 * base / 2.0 / f64::from(rounds).sqrt() + sum.abs() * 1e-9;
            assert!((mean - sum).abs() <= allowed, "{sum} to {base}: {mean}");
        }
    }

    #[test]
    #[expect(clippy::expect_used, reason = "tests fail by panicking")]
    fn a_coin_is_of_what_it_stands_for_and_the_key() {
        let key = |of: u8| CoinKey::new(&LedgerKey::new([of; 32])).expect("a key");
        let coin = |of: u8, name: &[u8]| key(of).coin_of(name).drawn;
        assert_eq!(coin(1, b"cell"), coin(1, b"cell"));
        let all = [coin(1, b"cell"), coin(1, b"cells"), coin(2, b"cell")];
        let different: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(different.len(), 3);
    }

    #[test]
    fn neighbouring_cells_round_independently() {
        // Of 10,000 pairs of cells that differ in one unit, half round alike.
        let ups: Vec<bool> = coins().map(|coin| coin.round_whole(5, 10) == 10).collect();
        let alike = ups.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let share = alike as f64 / ups.len() as f64;
        assert!((share - 0.5).abs() < 0.02, "{share}");
    }

    #[test]
    fn the_base_covers_the_largest_contribution_and_no_more_than_that() {
        for (largest, base) in [
            (1.0, 1.0),
            (1.000_001, 2.0),
            (2.0, 2.0),
            (3.0, 5.0),
            (5.1, 10.0),
            (-730.0, 1000.0),
            (0.03, 0.05),
            (1e-300, 1e-300),
            (1000.0, 1000.0),
            (0.001, 0.001),
        ] {
            assert_eq!(leave_one_out_base(largest), Some(base), "{largest}");
        }
        assert_eq!(leave_one_out_base(0.0), Some(0.0));
        assert_eq!(leave_one_out_base(f64::NAN), None);
        assert_eq!(leave_one_out_base(f64::INFINITY), None);
        assert_eq!(leave_one_out_base(f64::MAX), None);
        let mut largest = 1e-9;
        while largest < 1e12 {
            let base = leave_one_out_base(largest).unwrap_or(f64::NAN);
            assert!(
                base >= largest && base <= largest * 2.5 * (1.0 + 1e-12),
                "{largest}: {base}"
            );
            largest *= 1.013;
        }
    }

    #[test]
    fn one_unit_moves_a_sum_by_one_step_at_most() {
        for coin in coins().take(2000) {
            let (sum, largest) = (coin.drawn as f64 / 1e9, 777.7);
            let base = leave_one_out_base(largest).unwrap_or(f64::NAN);
            let apart = (coin.round_sum(sum + largest, base) - coin.round_sum(sum, base)) / base;
            assert!((-0.001..=1.001).contains(&apart), "{apart}");
        }
    }

    #[test]
    fn what_cannot_be_rounded_is_not_a_number() {
        let Some(coin) = coins().next() else { return };
        for (sum, base) in [
            (f64::NAN, 1.0),
            (1.0, 0.0),
            (1.0, -1.0),
            (1.0, f64::NAN),
            (f64::INFINITY, 1.0),
        ] {
            assert!(coin.round_sum(sum, base).is_nan());
        }
        // Where the multiple does not fit, the number stays.
        let near_the_end = [i128::MAX - 7, i128::MAX];
        assert!(near_the_end.contains(&coin.round_whole(i128::MAX, 10)));
    }
}
