//! The policy itself: its values, the stricter of two, and the form its digest is taken over.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use crate::error::PolicyError;
use crate::form::{PARTS, number};
use crate::key::{KEYS, Key};
use crate::parse::parse;
use crate::spec::{OFF, TOP_UNITS_MAX};

/// The text of `policies/default.toml` as compiled in: what `weir init` writes into a new domain.
pub const DEFAULT_TOML: &str = include_str!("../../../policies/default.toml");

/// First line of the canonical form. A change of that form changes the number, so that old digests stay checkable.
const CANONICAL_HEADER: &str = "# weir policy, canonical form 5";

/// The limits a release is judged by. Every value lies between its compiled-in floor and ceiling, or is not set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The layers this policy was folded from. A set, because the order of folding must not matter.
    names: BTreeSet<String>,
    /// One value per [`Key`], at its discriminant.
    values: [u64; KEYS],
}

impl Policy {
    /// Reads a policy from TOML. `source_name` (usually a path) begins every error.
    ///
    /// A key left out takes its compiled-in default. `name` must be there.
    ///
    /// # Errors
    /// Text that is not TOML, unknown keys, wrong types, and values outside floor and ceiling, each with its place.
    pub fn from_toml(text: &str, source_name: &str) -> Result<Policy, PolicyError> {
        Ok(parse(text, source_name, Policy::default_values())?.policy)
    }

    /// Reads a policy for a layer below the domain's: a dataset's or a grant's. It differs from [`Policy::from_toml`] in
    /// one thing: a key left out asks for nothing beyond the floor, so that what the domain says holds.
    ///
    /// # Errors
    /// Those of [`Policy::from_toml`].
    pub fn layer_from_toml(text: &str, source_name: &str) -> Result<Policy, PolicyError> {
        Ok(parse(text, source_name, Policy::laxest_values())?.policy)
    }

    /// The policy of [`DEFAULT_TOML`], from the compiled-in defaults, which a test holds equal to that file.
    pub fn built_in_default() -> Policy {
        Policy {
            names: BTreeSet::from(["default".to_owned()]),
            values: Policy::default_values(),
        }
    }

    /// A layer that asks for nothing: under it, what the other layers say holds.
    pub fn silent() -> Policy {
        Policy {
            names: BTreeSet::from(["none".to_owned()]),
            values: Policy::laxest_values(),
        }
    }

    pub(crate) fn new(names: BTreeSet<String>, values: [u64; KEYS]) -> Policy {
        Policy { names, values }
    }

    pub(crate) fn laxest_values() -> [u64; KEYS] {
        Key::ALL.map(Key::laxest)
    }

    pub(crate) fn default_values() -> [u64; KEYS] {
        Key::ALL.map(|key| key.spec().default)
    }

    /// The stricter of both, key by key. Its name joins the names of both.
    ///
    /// It withholds exactly the cells that one of the two withholds, and allows the smaller of their tables. For
    /// dominance this needs a key per number of units: the rule "the n largest hold a share ≥ k" withholds more as k
    /// falls, so the smaller k per n is the union of both layers' rules. A single pair (n, k) has no such fold: the only
    /// pair as strict as (1, 0.50) and (2, 0.90) is (2, 0.50), which withholds what neither asked for.
    #[must_use]
    pub fn tighten(&self, other: &Policy) -> Policy {
        Policy {
            names: self.names.union(&other.names).cloned().collect(),
            values: Key::ALL.map(|key| key.stricter(self.get(key), other.get(key))),
        }
    }

    /// Whether each limit is at least as strict as in `other`: whatever this one releases, `other` releases too.
    pub fn is_no_laxer_than(&self, other: &Policy) -> bool {
        self.tighten(other).values == self.values
    }

    /// The names of the layers this policy was folded from, sorted and joined with `+`, such as `default+health`.
    pub fn name(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        names.join("+")
    }

    /// Fewest distinct units behind a released cell.
    pub fn units_min(&self) -> u64 {
        self.get(Key::UnitsMin)
    }

    /// Fewest rows behind a released cell.
    pub fn rows_min(&self) -> u64 {
        self.get(Key::RowsMin)
    }

    /// Fewest distinct units of a margin that are outside a released cell, unless there are none.
    pub fn complement_units_min(&self) -> u64 {
        self.get(Key::ComplementUnitsMin)
    }

    /// Whether a cell is withheld that holds all of a margin: whoever is known to be in the margin is known to be in
    /// the cell.
    pub fn class_disclosure(&self) -> bool {
        self.get(Key::ClassDisclosure) != 0
    }

    /// Fewest distinct values of each sensitive column in a released cell; at most [`crate::SENSITIVE_VALUES_MIN_CEILING`].
    pub fn sensitive_values_min(&self) -> u64 {
        self.get(Key::SensitiveValuesMin)
    }

    /// The (n,k) rules of dominance: at index n − 1 the share of the cell's total from which on the n largest units
    /// dominate it, if there is a rule for n. A share equal to it dominates.
    pub fn top_share_max(&self) -> [Option<f64>; TOP_UNITS_MAX] {
        [Key::Top1ShareMax, Key::Top2ShareMax, Key::Top3ShareMax].map(|key| {
            let parts = self.get(key);
            (parts != OFF).then(|| number(parts))
        })
    }

    /// The p-ratio rule: the least that (total − largest − second largest) / largest must be. A ratio equal to it
    /// suffices.
    pub fn p_ratio_min(&self) -> f64 {
        number(self.get(Key::RatioMin))
    }

    /// Whether the p-ratio rule withholds a cell for which it has no ratio: the total is zero, or there is one row.
    pub fn zeros_are_disclosive(&self) -> bool {
        self.get(Key::ZerosAreDisclosive) != 0
    }

    /// Fewest residual degrees of freedom of a fitted model: the units that entered it less its parameters.
    pub fn residual_dof_min(&self) -> u64 {
        self.get(Key::ResidualDofMin)
    }

    /// Most parameters of a fitted model as a share of the units that entered it. A share equal to it suffices.
    pub fn parameters_share_max(&self) -> f64 {
        number(self.get(Key::ParametersShareMax))
    }

    /// What the units of an argument, divided by the number of distinct quantiles asked of it, must be more than.
    pub fn quantile_units_min(&self) -> u64 {
        self.get(Key::QuantileUnitsMin)
    }

    /// Whether people look at a table, before it leaves, in which a unit contributes less than zero.
    pub fn negatives_are_reviewed(&self) -> bool {
        self.get(Key::NegativeContributions) != 0
    }

    /// The multiple that counts are rounded to: one of [`crate::COUNT_BASES`]; 1 is no rounding.
    pub fn count_base(&self) -> u64 {
        self.get(Key::CountBase)
    }

    /// How many significant digits sums and other real numbers keep: 1 to 17; 17 is no rounding.
    pub fn significant_digits(&self) -> u64 {
        self.get(Key::SignificantDigits)
    }

    /// Whether sums and counts are rounded to a base no smaller than what a single unit contributes, in a table that a
    /// model computed something of, or in any.
    pub fn leaves_one_out(&self, by_model: bool) -> bool {
        self.get(Key::LeaveOneOut) != 0 || (by_model && self.get(Key::ModelLeaveOneOut) != 0)
    }

    /// Whether sums and counts are rounded by a coin under a key, likewise.
    pub fn is_keyed(&self, by_model: bool) -> bool {
        self.get(Key::Keyed) != 0 || (by_model && self.get(Key::ModelKeyed) != 0)
    }

    /// Fewest units by which a cell differs from everything released before, unless it is the same. Where a cell of fewer
    /// units than that may be released, a difference of as many may be too.
    pub fn history_units_min(&self) -> u64 {
        self.get(Key::HistoryUnitsMin).min(self.units_min())
    }

    /// Most cells of one released table.
    pub fn cells_max(&self) -> u64 {
        self.get(Key::CellsMax)
    }

    /// Most bytes of one released table, encoded as an Arrow stream.
    pub fn bytes_max(&self) -> u64 {
        self.get(Key::BytesMax)
    }

    /// Most distinct values of a group column whose domain is not declared.
    pub fn levels_max(&self) -> u64 {
        self.get(Key::LevelsMax)
    }

    /// Most bits that one release can carry.
    pub fn bits_run_max(&self) -> u64 {
        self.get(Key::BitsRunMax)
    }

    /// Most bits that all releases of a dataset of so many units carry together; and, of those, the releases whose cells a
    /// literal in the query chooses.
    pub fn bits_of_dataset(&self, units: u64) -> (u64, u64) {
        let of = |key: Key| {
            let bits = u128::from(self.get(key)) * u128::from(units) / u128::from(PARTS);
            u64::try_from(bits).unwrap_or(u64::MAX)
        };
        (of(Key::BitsPerUnit), of(Key::BitsChosenPerUnit))
    }

    pub(crate) fn get(&self, key: Key) -> u64 {
        self.values[key as usize]
    }

    /// The policy as TOML with every key that is set written out, in one fixed form. Reading it back gives an equal policy, so an
    /// auditor can judge a release again under the very limits that were in force.
    pub fn canonical(&self) -> String {
        let mut text = format!("{CANONICAL_HEADER}\nname = \"{}\"\n", self.name());
        let mut table = "";
        for key in Key::ALL {
            let (spec, value) = (key.spec(), self.get(key));
            if value == OFF {
                continue;
            }
            if spec.table != table {
                table = spec.table;
                // Writing into a string cannot fail.
                let _ = writeln!(text, "\n[{table}]");
            }
            let _ = writeln!(text, "{} = {}", spec.name, spec.form.write(value));
        }
        text
    }

    /// `sha256:` and 64 hexadecimal digits over the canonical form.
    pub fn digest(&self) -> String {
        format!(
            "sha256:{}",
            hex::encode(digest(&SHA256, self.canonical().as_bytes()))
        )
    }
}
