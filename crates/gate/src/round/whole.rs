//! Whole numbers, and decimals as the whole number of their last digit.

use weir_ledger::rounding::Coin;

use super::Rounding;

/// The numbers that a column can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Range {
    pub(crate) min: i128,
    pub(crate) max: i128,
    /// How many of the digits stand behind the point.
    pub(crate) scale: i32,
}

/// The nearest multiple of `base`; of two, the even one. The error is at most half the base, but where that multiple is
/// out of range.
pub(crate) fn to_base(number: i128, base: u64, range: Range) -> i128 {
    to_multiple(number, i128::from(base.max(1)), range)
}

/// The nearest number of so many significant digits; of two, the one whose last digit is even.
pub(crate) fn to_digits(number: i128, digits: u64, range: Range) -> i128 {
    match unit_of(number, digits) {
        Some(unit) => to_multiple(number, unit, range),
        None => number,
    }
}

/// To a multiple of `base`, in units of the last digit, or of what the rounding asks, whichever is larger.
pub(crate) fn coarse_whole(
    number: i128,
    base: f64,
    rounding: Rounding,
    coin: Option<&Coin>,
    range: Range,
) -> i128 {
    let asked = match rounding {
        Rounding::Base(base) => i128::from(base.max(1)),
        Rounding::Digits(digits) => unit_of(number, digits).unwrap_or(1),
    };
    // Saturates; a base below one is as good as one.
    let unit = asked.max(base.round() as i128).max(1);
    let Some(coin) = coin else {
        return to_multiple(number, unit, range);
    };
    let rounded = coin.round_whole(number, unit);
    if (range.min..=range.max).contains(&rounded) {
        rounded
    } else {
        to_multiple(number, unit, range)
    }
}

/// The unit of the last kept digit; none where all are kept.
fn unit_of(number: i128, digits: u64) -> Option<i128> {
    let has = number
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| u64::from(log) + 1);
    if digits >= super::DIGITS_ALL || has <= digits {
        return None;
    }
    // At most 38: a 128-bit number has no more than 39 digits, and one of them stays.
    10_i128.checked_pow(u32::try_from(has - digits).unwrap_or(u32::MAX))
}

fn to_multiple(number: i128, unit: i128, range: Range) -> i128 {
    let (below, above) = (number.div_euclid(unit), number.rem_euclid(unit));
    let rest = unit - above;
    let up = above > rest || (above == rest && below % 2 != 0);
    let nearest = (below + i128::from(up)).checked_mul(unit);
    match nearest {
        Some(nearest) if nearest > range.max => nearest - unit,
        Some(nearest) if nearest < range.min => nearest + unit,
        Some(nearest) => nearest,
        // No column holds such a number.
        None => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const I64: Range = Range {
        min: i64::MIN as i128,
        max: i64::MAX as i128,
        scale: 0,
    };

    #[test]
    fn counts_go_to_the_nearest_multiple_and_ties_to_the_even_one() {
        let five = (0..=12).map(|count| to_base(count, 5, I64));
        assert!(five.eq([0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10, 10, 10]));
        let two = (0..=8).map(|count| to_base(count, 2, I64));
        assert!(two.eq([0, 0, 2, 4, 4, 4, 6, 8, 8]));
        let ten = [4, 5, 6, 14, 15, 16, 25].map(|count| to_base(count, 10, I64));
        assert_eq!(ten, [0, 0, 10, 10, 20, 20, 20]);
        assert_eq!(to_base(-15, 10, I64), -20);
        assert_eq!(to_base(7, 1, I64), 7);
        assert_eq!(to_base(7, 0, I64), 7, "no base is no rounding");
    }

    #[test]
    fn numbers_keep_their_first_digits() {
        let four = |number| to_digits(number, 4, I64);
        assert_eq!(four(1_234), 1_234);
        assert_eq!(four(12_345), 12_340, "a tie, and 1234 is even");
        assert_eq!(four(12_355), 12_360);
        assert_eq!(four(123_456), 123_500);
        assert_eq!(four(99_995), 100_000, "a tie, and 10000 is even");
        assert_eq!(four(-123_456), -123_500);
        assert_eq!(four(0), 0);
        assert_eq!(to_digits(95, 1, I64), 100);
        assert_eq!(to_digits(i128::from(i64::MAX), 17, I64), I64.max);
    }

    #[test]
    fn nothing_overflows() {
        let max = i128::from(i64::MAX);
        assert_eq!(to_base(max, 1_000, I64), 9_223_372_036_854_775_000);
        assert_eq!(
            to_base(max - 7, 1_000, I64),
            9_223_372_036_854_776_000 - 1_000
        );
        assert_eq!(
            to_base(i128::from(i64::MIN), 1_000, I64),
            -9_223_372_036_854_775_000
        );
        let small = Range {
            min: -128,
            max: 127,
            scale: 0,
        };
        assert_eq!(to_digits(127, 2, small), 120);
        assert_eq!(to_digits(-128, 2, small), -120);
        let u64s = Range {
            min: 0,
            max: u64::MAX as i128,
            scale: 0,
        };
        assert_eq!(to_digits(u64s.max, 4, u64s), 18_440_000_000_000_000_000);
        let nines = 10_i128.pow(38) - 1;
        let decimals = Range {
            min: -nines,
            max: nines,
            scale: 0,
        };
        assert_eq!(to_digits(nines, 4, decimals), 9_999 * 10_i128.pow(34));
    }
}
