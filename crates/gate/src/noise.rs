//! Noise in place of rounding, where a policy asks for differential privacy.
//!
//! What a single unit can add to all the cells of a column together is bounded before anything is added up (`weir-inside`
//! counts its first rows and clamps what it sums). The numbers are whole multiples of a grid, so that nothing hangs on the
//! bits of floats (Mironov 2012), and the noise is OpenDP's discrete Laplace, which answers for the privacy loss itself: its
//! map is asked, and noise that would lose more than was charged is not added.
//!
//! The same cell has the same noise because the ledger answers it as before, in whatever words it is asked; noise that is drawn
//! once cannot be averaged out.

use opendp::domains::AtomDomain;
use opendp::measurements::make_laplace;
use opendp::measures::MaxDivergence;
use opendp::metrics::AbsoluteDistance;

use crate::error::GateError;

/// What a column needs for noise.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Noise {
    /// What a number is a whole multiple of: a power of two.
    pub grid: f64,
    /// The most that one unit can add to all cells of the column together, in multiples of the grid.
    pub unit_most: u64,
}

/// What is lost by a table of so many columns, each of which loses its share.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Loss {
    /// ε of one column.
    pub(crate) epsilon: f64,
}

impl Loss {
    /// The share of one of so many columns.
    #[expect(clippy::cast_precision_loss, reason = "millionths of at most 10")]
    pub(crate) fn of_column(epsilon_millionths: u64, columns: usize) -> Loss {
        Loss {
            epsilon: epsilon_millionths as f64 / 1e6 / columns.max(1) as f64,
        }
    }

    /// A number with noise, in multiples of the grid.
    ///
    /// # Errors
    /// [`GateError::Noise`] where no noise hides what a unit can add, or it cannot be drawn.
    #[expect(clippy::cast_precision_loss, reason = "checked by the privacy map")]
    pub(crate) fn add(self, number: i64, noise: Noise) -> Result<i64, GateError> {
        let most = i64::try_from(noise.unit_most).map_err(|_| GateError::Noise)?;
        if most == 0 {
            return Ok(number);
        }
        // A hair more, so that what the map rounds up stays within the loss.
        let scale = most as f64 / self.epsilon * (1.0 + 1e-9);
        let laplace = make_laplace::<_, _, MaxDivergence>(
            AtomDomain::<i64>::default(),
            AbsoluteDistance::<i64>::default(),
            scale,
            None,
        )
        .map_err(|_| GateError::Noise)?;
        let lost = laplace.map(&most).map_err(|_| GateError::Noise)?;
        if lost > self.epsilon {
            return Err(GateError::Noise);
        }
        laplace.invoke(&number).map_err(|_| GateError::Noise)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    const TRIES: usize = 20_000;

    fn drawn(epsilon_millionths: u64, columns: usize, unit_most: u64) -> Vec<i64> {
        let loss = Loss::of_column(epsilon_millionths, columns);
        let noise = Noise {
            grid: 1.0,
            unit_most,
        };
        let all = (0..TRIES).map(|_| loss.add(1_000, noise).unwrap() - 1_000);
        all.collect()
    }

    /// The discrete Laplace distribution of scale s has mean 0 and variance 2 e^(1/s) / (e^(1/s) − 1)².
    #[test]
    fn noise_is_discrete_laplace_of_the_scale_that_the_loss_asks_for() {
        for (epsilon_millionths, columns, most) in [
            (1_000_000, 1, 1),
            (1_000_000, 2, 1),
            (500_000, 1, 8),
            (4_000_000, 1, 1),
        ] {
            let scale = most as f64 * columns as f64 / (epsilon_millionths as f64 / 1e6);
            let drawn = drawn(epsilon_millionths, columns, most);
            let power = (1.0 / scale).exp();
            let variance = 2.0 * power / (power - 1.0).powi(2);
            let mean = drawn.iter().sum::<i64>() as f64 / TRIES as f64;
            let spread = drawn.iter().map(|one| (*one as f64).powi(2)).sum::<f64>() / TRIES as f64;
            // Six standard errors: one failure in 10⁹. The fourth moment is below 24 s⁴ + 10 s² + 1.
            let fourth = 24.0 * scale.powi(4) + 10.0 * scale.powi(2) + 1.0;
            assert!(
                mean.abs() < 6.0 * (variance / TRIES as f64).sqrt(),
                "{scale}: {mean}"
            );
            assert!(
                (spread - variance).abs() < 6.0 * (fourth / TRIES as f64).sqrt(),
                "{scale}: {spread}, not {variance}"
            );
        }
    }

    /// Of neighbouring numbers each answer is at most e^ε times as likely: counted, for the answers that are frequent.
    #[test]
    fn neighbours_answer_alike() {
        let loss = Loss::of_column(1_000_000, 1);
        let noise = Noise {
            grid: 1.0,
            unit_most: 1,
        };
        let mut seen = [[0_u32; 2]; 5];
        for _ in 0..4 * TRIES {
            for (secret, number) in [10_i64, 11].into_iter().enumerate() {
                let answer = loss.add(number, noise).unwrap() - 8;
                if let Some(of) = usize::try_from(answer).ok().and_then(|at| seen.get_mut(at)) {
                    of[secret] += 1;
                }
            }
        }
        for [one, other] in seen {
            let ratio = (f64::from(one) / f64::from(other)).ln().abs();
            assert!(one.min(other) > 1_000 && ratio < 1.1, "{one} {other}");
        }
    }

    #[test]
    fn nothing_is_added_where_no_unit_adds_anything_and_no_loss_is_too_small_to_say_so() {
        let noise = |unit_most| Noise {
            grid: 1.0,
            unit_most,
        };
        assert_eq!(Loss::of_column(1_000_000, 1).add(7, noise(0)).unwrap(), 7);
        assert!(
            Loss::of_column(1_000_000, 1)
                .add(7, noise(u64::MAX))
                .is_err()
        );
        assert!(Loss::of_column(0, 1).add(7, noise(1)).is_err());
    }
}
