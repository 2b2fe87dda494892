//! Fitted models and quantiles: numbers that can repeat their input.

use weir_policy::Policy;

/// A policy's fractions are whole numbers of these parts.
const PARTS: f64 = 10_000.0;

/// The two rules of a fitted model with p parameters over n units: n − p < the residual degrees of freedom asked for, or
/// p > share · n. Equality suffices in both.
///
/// Source: ACRO `safe_dof_threshold`; DataSHIELD `nfilter.glm`.
pub(super) fn overfitted(units: u64, parameters: u64, policy: &Policy) -> bool {
    // In whole numbers: 0.29 · 100 is less than 29 in floats.
    let share_parts = (policy.parameters_share_max() * PARTS).round() as u128;
    units < parameters.saturating_add(policy.residual_dof_min())
        || u128::from(parameters) * PARTS as u128 > share_parts * u128::from(units)
}

/// The quantile guard: units ÷ the number of distinct quantiles ≤ the least. Equality does not suffice.
///
/// Source: DataSHIELD, which asks for more than `nfilter` values a quantile.
pub(super) fn too_fine(units: u64, quantiles: u64, units_min: u64) -> bool {
    u128::from(units) <= u128::from(quantiles) * u128::from(units_min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(limits: &str) -> Policy {
        Policy::from_toml(&format!("name = \"x\"\n{limits}"), "x").unwrap_or_else(|error| {
            assert!(error.to_string().is_empty(), "{error}");
            Policy::built_in_default()
        })
    }

    #[test]
    fn a_model_needs_degrees_of_freedom_and_few_parameters() {
        let default = Policy::built_in_default();
        assert!(!overfitted(15, 4, &default));
        assert!(!overfitted(14, 4, &default));
        assert!(overfitted(13, 4, &default), "nine degrees of freedom");
        assert!(!overfitted(100, 33, &default));
        assert!(overfitted(100, 34, &default), "more than a third");
        assert!(overfitted(0, 1, &default));
        assert!(overfitted(u64::MAX, u64::MAX, &default));
        let edge = policy("fit.parameters_share_max = 0.29");
        assert!(!overfitted(100, 29, &edge));
        assert!(overfitted(100, 30, &edge));
    }

    #[test]
    fn many_quantiles_need_many_units() {
        assert!(too_fine(10, 1, 10));
        assert!(!too_fine(11, 1, 10));
        assert!(too_fine(30, 3, 10));
        assert!(!too_fine(31, 3, 10));
        assert!(too_fine(u64::MAX, u64::MAX, 10));
    }
}
