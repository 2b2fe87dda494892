//! Rounding, so that a released number hardly ever tells of one unit.
//!
//! Counts go to the nearest multiple of a base, other numbers to so many significant digits. Both are the nearest, with
//! ties to the even one of the two, so that over many numbers the errors cancel. Everything is decided in decimal: whole
//! numbers and decimals by whole-number arithmetic, floats by their shortest decimal form, so that 0.15 is a tie though
//! its bits are not. Where the nearest number does not fit the type, the next one towards zero that does is taken.
//!
//! Source: OpenSAFELY (redact, then round to 5); Hundepool et al., *Statistical Disclosure Control* (2012), chapter 5.

mod float;
#[cfg(test)]
mod tests;
mod whole;
mod wide;

pub(crate) use float::{coarse_float, exact_sum, to_digits as float_to_digits};
pub(crate) use whole::{Range, coarse_whole, to_base, to_digits};
pub(crate) use wide::wide_to_digits;

/// From so many significant digits on, a number stays as it is: what a 64-bit float can hold.
pub(crate) const DIGITS_ALL: u64 = 17;

/// A number derived from released ones, such as a mean, to so many significant digits: as sums are rounded.
pub fn significant(number: f64, digits: u64) -> f64 {
    float_to_digits(number, digits)
}

/// How a statistic is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rounding {
    /// To a multiple; 1 is no rounding.
    Base(u64),
    /// To significant digits; [`DIGITS_ALL`] or more is no rounding.
    Digits(u64),
}
