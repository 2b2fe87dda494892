//! Ordinary least squares in one pass.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::fit::{Fitted, Fitting};

/// The least that a pivot of the scaled matrix must be. Below it a regressor is, to the precision of the numbers, a
/// combination of the others, and no coefficient of it is determined.
const PIVOT_MIN: f64 = 1e-7;

/// Means and co-moments of the fitted number (position 0) and the regressors, updated row by row as Welford does: sums of
/// products would cancel where values are far from zero.
#[derive(Debug)]
pub(super) struct Linear {
    rows: u64,
    means: Vec<f64>,
    /// Sums of products of deviations, row-major, of which the lower half is kept.
    moments: Vec<f64>,
    before: Vec<f64>,
}

impl Linear {
    pub(super) fn new(regressors: usize) -> Self {
        let terms = regressors + 1;
        Self {
            rows: 0,
            means: vec![0.0; terms],
            moments: vec![0.0; terms * terms],
            before: vec![0.0; terms],
        }
    }

    fn moment(&self, one: usize, other: usize) -> f64 {
        self.moments[one.max(other) * self.means.len() + one.min(other)]
    }
}

impl Fitting for Linear {
    #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^52")]
    fn row(&mut self, values: &[f64]) {
        self.rows += 1;
        let rows = self.rows as f64;
        let terms = self.means.len();
        for (term, value) in values.iter().enumerate() {
            self.before[term] = value - self.means[term];
            self.means[term] += self.before[term] / rows;
        }
        for (one, value) in values.iter().enumerate() {
            let after = value - self.means[one];
            for other in 0..=one {
                self.moments[one * terms + other] += after * self.before[other];
            }
        }
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^52")]
    fn fit(&self) -> Option<Fitted> {
        let regressors = self.means.len() - 1;
        let rows = self.rows as f64;
        let freedom = rows - regressors as f64 - 1.0;
        if freedom < 1.0 {
            return None;
        }
        let among = DMatrix::from_fn(regressors, regressors, |one, other| {
            self.moment(one + 1, other + 1)
        });
        let with = DVector::from_fn(regressors, |one, _| self.moment(one + 1, 0));
        let inverse = inverse(&among)?;
        let slopes = &inverse * &with;
        let means = DVector::from_row_slice(&self.means[1..]);
        let intercept = self.means[0] - slopes.dot(&means);

        let total = self.moment(0, 0);
        let rest = (total - slopes.dot(&with)).max(0.0);
        let variance = rest / freedom;
        let mut standard_errors =
            vec![(variance * (1.0 / rows + means.dot(&(&inverse * &means)))).sqrt()];
        standard_errors.extend(inverse.diagonal().iter().map(|of| (variance * of).sqrt()));
        let mut coefficients = vec![intercept];
        coefficients.extend(slopes.iter());
        let r_squared = if total > 0.0 {
            1.0 - rest / total
        } else {
            f64::NAN
        };
        Some(Fitted {
            measures: [r_squared, variance.sqrt()],
            coefficients,
            standard_errors,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^52")]
    fn state(&self) -> Vec<f64> {
        let mut state = vec![self.rows as f64];
        state.extend(&self.means);
        state.extend(&self.moments);
        state
    }

    /// Adds the moments of two parts (Chan, Golub, LeVeque 1979).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows are whole and far fewer than 2^52"
    )]
    fn merge(&mut self, state: &[f64]) {
        let terms = self.means.len();
        let Some((rows, rest)) = state.split_first() else {
            return;
        };
        if rest.len() != terms + terms * terms || *rows < 1.0 {
            return;
        }
        let (means, moments) = rest.split_at(terms);
        let (here, there) = (self.rows as f64, *rows);
        let both = here + there;
        for ((apart, there), here) in self.before.iter_mut().zip(means).zip(&self.means) {
            *apart = there - here;
        }
        for one in 0..terms {
            for other in 0..=one {
                let apart = self.before[one] * self.before[other] * here * there / both;
                self.moments[one * terms + other] += moments[one * terms + other] + apart;
            }
        }
        for (mean, apart) in self.means.iter_mut().zip(&self.before) {
            *mean += apart * there / both;
        }
        self.rows += *rows as u64;
    }

    fn size(&self) -> usize {
        (self.means.len() * 2 + self.moments.len()) * size_of::<f64>()
    }
}

/// The inverse of a matrix of moments; none where it has none to the precision of the numbers.
pub(super) fn inverse(moments: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    // Scaled to ones on the diagonal, so that the test does not depend on the units of measure.
    let scale = moments.diagonal().map(|of| 1.0 / of.sqrt());
    if !scale.iter().all(|of| of.is_finite()) {
        return None;
    }
    let scaled = DMatrix::from_fn(moments.nrows(), moments.ncols(), |row, column| {
        moments[(row, column)] * scale[row] * scale[column]
    });
    let factor = Cholesky::new(scaled)?;
    if factor
        .l_dirty()
        .diagonal()
        .iter()
        .any(|pivot| *pivot < PIVOT_MIN)
    {
        return None;
    }
    let inverse = factor.inverse();
    Some(DMatrix::from_fn(
        inverse.nrows(),
        inverse.ncols(),
        |row, column| inverse[(row, column)] * scale[row] * scale[column],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(rows: &[[f64; 3]]) -> Option<Fitted> {
        let mut linear = Linear::new(2);
        rows.iter().for_each(|row| linear.row(row));
        linear.fit()
    }

    #[test]
    fn a_plane_is_found_again_far_from_zero() {
        let rows: Vec<[f64; 3]> = (0..50)
            .map(|at| {
                let (a, b) = (1e6 + f64::from(at), f64::from(at * at % 17));
                [3.0 + 2.0 * a - 5.0 * b, a, b]
            })
            .collect();
        let fitted = fitted(&rows);
        let found = fitted.as_ref().map(|fitted| fitted.coefficients.as_slice());
        let Some([intercept, a, b]) = found else {
            panic!("no fit")
        };
        assert!((intercept - 3.0).abs() < 1e-2, "{intercept}");
        assert!((a - 2.0).abs() < 1e-8 && (b + 5.0).abs() < 1e-8, "{a} {b}");
    }

    /// The formulas for one regressor, over the first ten rows of R's `cars`.
    #[test]
    fn errors_agree_with_the_formulas_for_one_regressor() {
        let speed = [4.0, 4.0, 7.0, 7.0, 8.0, 9.0, 10.0, 10.0, 10.0, 11.0];
        let dist = [2.0, 10.0, 4.0, 22.0, 16.0, 10.0, 18.0, 26.0, 34.0, 17.0];
        let mut linear = Linear::new(1);
        for (x, y) in speed.iter().zip(dist) {
            linear.row(&[y, *x]);
        }
        let (n, mean_x, mean_y) = (10.0, 8.0, 15.9);
        let sxx: f64 = speed.iter().map(|x| (x - mean_x) * (x - mean_x)).sum();
        let sxy: f64 = speed
            .iter()
            .zip(dist)
            .map(|(x, y)| (x - mean_x) * (y - mean_y))
            .sum();
        let slope = sxy / sxx;
        let intercept = mean_y - slope * mean_x;
        let rest: f64 = speed
            .iter()
            .zip(dist)
            .map(|(x, y)| (y - intercept - slope * x).powi(2))
            .sum();
        let error = (rest / (n - 2.0) / sxx).sqrt();
        let fitted = linear.fit().unwrap();
        assert!((fitted.coefficients[1] - slope).abs() < 1e-12);
        assert!((fitted.standard_errors[1] - error).abs() < 1e-12);
        assert!((fitted.measures[1] - (rest / (n - 2.0)).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let row = |at: i32| {
            [
                f64::from(at * at % 13),
                1e5 + f64::from(at),
                f64::from(at % 5),
            ]
        };
        let mut whole = Linear::new(2);
        let mut parts = [Linear::new(2), Linear::new(2), Linear::new(2)];
        for at in 0..60 {
            whole.row(&row(at));
            parts[usize::from(at > 7) + usize::from(at > 40)].row(&row(at));
        }
        let mut merged = Linear::new(2);
        for part in &parts {
            merged.merge(&part.state());
        }
        let (whole, merged) = (whole.fit().unwrap(), merged.fit().unwrap());
        for (one, other) in whole.coefficients.iter().zip(&merged.coefficients) {
            assert!(
                (one - other).abs() < 1e-6 * one.abs().max(1.0),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn what_is_not_determined_is_not_fitted() {
        let twice: Vec<[f64; 3]> = (0..20)
            .map(|at| [f64::from(at % 7), f64::from(at), 2.0 * f64::from(at)])
            .collect();
        assert_eq!(fitted(&twice), None);
        let constant: Vec<[f64; 3]> = (0..20)
            .map(|at| [f64::from(at % 7), f64::from(at), 1.0])
            .collect();
        assert_eq!(fitted(&constant), None);
        assert_eq!(fitted(&[[1.0, 2.0, 3.0]]), None);
    }
}
