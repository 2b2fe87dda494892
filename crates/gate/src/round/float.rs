//! Floats, by their shortest decimal form.

use std::fmt::{Display, LowerExp};
use std::str::FromStr;

use weir_ledger::rounding::Coin;

use super::Rounding;

/// A float of 32 or 64 bits.
pub(crate) trait Float: Copy + Display + LowerExp + FromStr + PartialEq {
    /// Neither infinite nor NaN.
    fn is_number(self) -> bool;
    /// The next number towards zero, in units of the last kept digit, is taken where this overflows.
    fn zero() -> Self;
    fn add(self, other: Self) -> Self;
}

impl Float for f64 {
    fn is_number(self) -> bool {
        self.is_finite()
    }
    fn zero() -> f64 {
        0.0
    }
    fn add(self, other: f64) -> f64 {
        self + other
    }
}

impl Float for f32 {
    fn is_number(self) -> bool {
        self.is_finite()
    }
    fn zero() -> f32 {
        0.0
    }
    fn add(self, other: f32) -> f32 {
        self + other
    }
}

/// A number as digits · 10^exponent, exactly as its shortest decimal form has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decimal {
    negative: bool,
    digits: u64,
    exponent: i32,
}

impl Decimal {
    /// None where it is no number.
    fn of<F: Float>(number: F) -> Option<Decimal> {
        if !number.is_number() {
            return None;
        }
        // Such as `-1.25e-7`: one digit, the others, an exponent.
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(size) => (true, size),
            None => (false, mantissa),
        };
        let (first, others) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let places = i32::try_from(others.len()).ok()?;
        Some(Decimal {
            negative,
            digits: format!("{first}{others}").parse().ok()?,
            exponent: exponent.parse::<i32>().ok()? - places,
        })
    }

    /// The nearest float, which is infinite where there is none.
    fn float<F: Float>(self) -> Option<F> {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, self.exponent)
            .parse()
            .ok()
    }
}

/// The nearest number of so many significant digits; of two, the one whose last digit is even. What is no number stays.
pub(crate) fn to_digits<F: Float>(number: F, digits: u64) -> F {
    let Some(decimal) = Decimal::of(number) else {
        return number;
    };
    if decimal.digits == 0 {
        // One zero: its sign would be a message.
        return F::zero();
    }
    let has = u64::from(decimal.digits.ilog10()) + 1;
    if digits >= super::DIGITS_ALL || has <= digits {
        return number;
    }
    let places = u32::try_from(has - digits).unwrap_or(u32::MAX);
    let unit = 10_u64.saturating_pow(places);
    let (below, above) = (decimal.digits / unit, decimal.digits % unit);
    let rest = unit - above;
    let up = above > rest || (above == rest && below % 2 == 1);
    let exponent = decimal.exponent.saturating_add_unsigned(places);
    let float = |digits| {
        let rounded = Decimal {
            digits,
            exponent,
            ..decimal
        };
        rounded.float::<F>()
    };
    let nearest = float(below + u64::from(up)).filter(|nearest| nearest.is_number());
    nearest.or_else(|| float(below)).unwrap_or(number)
}

/// The sum of numbers as their shortest decimal forms, exactly, and then the nearest float: 0.1 and 0.2 are 0.3. Where
/// the numbers lie too far apart for that, they are added as floats, in their order. None where the sum is no number.
pub(crate) fn exact_sum<F: Float>(numbers: &[F]) -> Option<F> {
    let sum = decimal_sum(numbers).or_else(|| {
        let sum = numbers
            .iter()
            .fold(F::zero(), |sum, number| sum.add(*number));
        // The sign of a zero would be a message.
        Some(sum.add(F::zero()))
    })?;
    sum.is_number().then_some(sum)
}

fn decimal_sum<F: Float>(numbers: &[F]) -> Option<F> {
    let decimals: Option<Vec<Decimal>> =
        numbers.iter().map(|number| Decimal::of(*number)).collect();
    let decimals = decimals?;
    let inhabited = decimals.iter().filter(|decimal| decimal.digits != 0);
    let Some(exponent) = inhabited.clone().map(|decimal| decimal.exponent).min() else {
        return Some(F::zero());
    };
    let mut sum = 0_i128;
    for decimal in inhabited {
        let places = u32::try_from(decimal.exponent.checked_sub(exponent)?).ok()?;
        let size = 10_i128
            .checked_pow(places)?
            .checked_mul(i128::from(decimal.digits))?;
        sum = sum.checked_add(if decimal.negative { -size } else { size })?;
    }
    format!("{sum}e{exponent}").parse().ok()
}

/// To a multiple of `base` or of what the rounding asks, whichever is larger. What is no number, or has no multiple, is NaN.
pub(crate) fn coarse_float(number: f64, base: f64, rounding: Rounding, coin: Option<&Coin>) -> f64 {
    let digits = match rounding {
        Rounding::Digits(digits) => digits,
        Rounding::Base(_) => super::DIGITS_ALL,
    };
    let asked = match number.abs() {
        size if size > 0.0 && digits < super::DIGITS_ALL => {
            // The unit of the last kept digit, as a decimal literal reads.
            let exponent = size.log10().floor() as i64 + 1 - digits as i64;
            format!("1e{exponent}").parse().unwrap_or(f64::INFINITY)
        }
        _ => 0.0,
    };
    let unit = if base > asked { base } else { asked };
    let multiple = match coin {
        _ if unit == 0.0 => return number + 0.0,
        Some(coin) => coin.round_sum(number, unit),
        None if base > asked => (number / unit).round_ties_even() * unit,
        None => return to_digits(number, digits),
    };
    // A multiple of a decimal is a decimal.
    to_digits(multiple, 15) + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_rounded_in_decimal() {
        let two = |number: f64| to_digits(number, 2);
        assert_eq!(two(0.125), 0.12);
        assert_eq!(two(0.135), 0.14, "a tie in decimal, though not in bits");
        assert_eq!(two(0.145), 0.14);
        assert_eq!(two(1_999.0), 2_000.0);
        assert_eq!(two(-1_050.0), -1_000.0);
        assert_eq!(two(-1_150.0), -1_200.0);
        assert_eq!(two(3e-300), 3e-300);
        assert_eq!(to_digits(0.1_f32 + 0.2_f32, 4), 0.3);
        assert_eq!(to_digits(123_456.7_f32, 4), 123_500.0);
    }

    #[test]
    fn zeros_extremes_and_what_is_no_number() {
        assert!(to_digits(-0.0_f64, 4).is_sign_positive());
        assert!(to_digits(-0.0_f64, 17).is_sign_positive());
        assert_eq!(to_digits(f64::MAX, 4), 1.797e308, "1.798e308 is too large");
        assert_eq!(to_digits(f64::MIN, 4), -1.797e308);
        assert_eq!(to_digits(f64::MAX, 17), f64::MAX);
        assert_eq!(to_digits(5e-324, 1), 5e-324);
        assert_eq!(to_digits(f32::MAX, 2), 3.4e38);
        assert!(to_digits(f64::NAN, 4).is_nan());
        assert_eq!(to_digits(f64::NEG_INFINITY, 4), f64::NEG_INFINITY);
    }

    #[test]
    fn decimals_add_up() {
        assert_eq!(exact_sum(&[0.1, 0.2]), Some(0.3));
        assert_eq!(exact_sum(&[0.1; 10]), Some(1.0));
        assert_eq!(exact_sum(&[1e20, 0.1, -1e20]), Some(0.1));
        assert_eq!(exact_sum::<f64>(&[]), Some(0.0));
        assert!(exact_sum(&[-0.0_f64, -0.0]).is_some_and(f64::is_sign_positive));
        assert!(exact_sum(&[0.5, -0.5]).is_some_and(f64::is_sign_positive));
        // Too far apart for decimals, and too large for any.
        assert_eq!(exact_sum(&[1e300, 1e-300]), Some(1e300));
        assert_eq!(exact_sum(&[f64::MAX, f64::MAX]), None);
        assert_eq!(exact_sum(&[f64::NAN, 1.0]), None);
        assert_eq!(exact_sum(&[0.1_f32, 0.2]), Some(0.3));
    }
}
