//! Decimals of up to 76 digits.

use arrow::datatypes::i256;

/// The nearest number of so many significant digits; of two, the one whose last digit is even. Where it is more than
/// `max` in size, the next one towards zero.
pub(crate) fn wide_to_digits(number: i256, digits: u64, max: i256) -> i256 {
    let keep = usize::try_from(digits).unwrap_or(usize::MAX);
    let size = number.wrapping_abs();
    // A sum of digits, because 256-bit numbers have no logarithm; 76 of them at most.
    let has = size.to_string().len();
    if digits >= super::DIGITS_ALL || has <= keep {
        return number;
    }
    let places = u32::try_from(has - keep).unwrap_or(u32::MAX);
    let Some(unit) = i256::from_i128(10).checked_pow(places) else {
        return number;
    };
    let (below, above) = (size.wrapping_div(unit), size.wrapping_rem(unit));
    let rest = unit.wrapping_sub(above);
    let two = i256::from_i128(2);
    let up = above > rest || (above == rest && below.wrapping_rem(two) != i256::ZERO);
    let floor = below.wrapping_mul(unit);
    let nearest = if up {
        floor.checked_add(unit)
    } else {
        Some(floor)
    };
    let nearest = nearest.filter(|nearest| *nearest <= max).unwrap_or(floor);
    if number < i256::ZERO {
        nearest.wrapping_neg()
    } else {
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> i256 {
        i256::from_string(text).unwrap_or(i256::MINUS_ONE)
    }

    #[test]
    fn long_decimals_keep_their_first_digits() {
        let max = of(&"9".repeat(76));
        let four = |text: &str| wide_to_digits(of(text), 4, max).to_string();
        assert_eq!(four("123450000"), "123400000");
        assert_eq!(four("123450001"), "123500000");
        assert_eq!(four("-123550000"), "-123600000");
        assert_eq!(four("1234"), "1234");
        assert_eq!(four("0"), "0");
        let long = format!("12345{}1", "0".repeat(60));
        assert_eq!(four(&long), format!("1235{}", "0".repeat(62)));
        assert_eq!(four(&"9".repeat(76)), format!("9999{}", "0".repeat(72)));
        assert_eq!(wide_to_digits(max, 17, max), max);
    }
}
