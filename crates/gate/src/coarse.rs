//! Counts an operator may see, rounded so that one unit more or less hardly ever shows.

/// Smallest step: nothing and a handful look alike.
const STEP_MIN: u64 = 10;

/// The next of 10, 20, 50, 100, 200, 500 … that is not below the count.
///
/// The steps 1, 2 and 5 × 10^n bound the answers to three per power of ten. Whoever can pad a count to sit on a step
/// still learns whether it crossed it: the count is coarse, not secret.
pub(crate) fn at_most(count: u64) -> u64 {
    let mut power = STEP_MIN;
    loop {
        for factor in [1, 2, 5] {
            match power.checked_mul(factor) {
                Some(step) if step >= count => return step,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::at_most;

    #[test]
    fn counts_are_rounded_up_to_coarse_steps() {
        let rounded = [0, 1, 10, 11, 20, 21, 50, 51, 4_999, 5_001].map(at_most);
        assert_eq!(rounded, [10, 10, 10, 20, 20, 50, 50, 100, 5_000, 10_000]);
        assert_eq!(at_most(u64::MAX), u64::MAX);
    }

    #[test]
    fn no_count_is_understated() {
        for shift in 0..64 {
            let count = 1_u64 << shift;
            assert!(at_most(count) >= count && at_most(count - 1) >= count - 1);
        }
    }
}
