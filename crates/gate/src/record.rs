//! What was decided, for the log.

/// What was decided, for the audit log: the bureau and the auditor read it. `cells_withheld` is exact here and must not
/// be shown to an operator: from it a cell with one unit can be told from a cell with none.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// Cells of the released table that show something. Rows that complete a closed domain are not counted.
    pub cells_released: u64,
    /// Cells that the policy held back.
    pub cells_withheld: u64,
    /// The same, rounded up to 10, 20, 50, 100, 200, 500 …, and 10 where there was none: what an operator may see, and
    /// with it everything an operator receives, such as a log entry with its receipt.
    pub cells_withheld_at_most: u64,
    /// Withheld cells by the rule they break.
    pub withheld_by: WithheldBy,
    /// Released cells in which the sum of some unit is negative. Dominance was judged on absolute values there. Exact,
    /// and not for an operator.
    pub cells_negative: u64,
    /// Why people have to look at the table before it leaves; empty where nobody has to.
    pub review: Vec<ReviewReason>,
    /// Who approved a table that people had to look at.
    pub approved_by: Vec<Reviewer>,
    /// Whether what the table was judged on is kept, sealed, for a later replay. It is not where it is too large.
    pub evidence_kept: bool,
    /// [`weir_policy::Policy::digest`] of the policy in force.
    pub policy_digest: String,
    /// `sha256:` and 64 hexadecimal digits over the released table's Arrow stream.
    pub table_digest: String,
}

/// Why people have to look at a table before it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReviewReason {
    /// The sum of some unit in a released cell is negative, and `review.negative_contributions` is on. Source: ACRO.
    NegativeContributions,
    /// Whether a cell may be released beside everything released before could not be decided within the bounds of work.
    /// The cell is withheld in any case.
    History,
}

impl ReviewReason {
    /// The reason as the log and reviewers have it.
    pub fn name(self) -> &'static str {
        match self {
            ReviewReason::NegativeContributions => "negative_contributions",
            ReviewReason::History => "history",
        }
    }
}

/// Who looked at a table.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Reviewer {
    /// The person, as the registry names them.
    pub person: String,
    /// The organisation they are of.
    pub organisation: String,
}

impl WithheldBy {
    /// Each rule that withholds a cell, with how many it withholds.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let WithheldBy {
            units,
            rows,
            not_finite,
            dominance,
            p_ratio,
            homogeneity,
            fit,
            quantile,
            off_domain,
            complement,
            class_disclosure,
            history,
        } = *self;
        let all = [
            ("units", units),
            ("rows", rows),
            ("not_finite", not_finite),
            ("dominance", dominance),
            ("p_ratio", p_ratio),
            ("homogeneity", homogeneity),
            ("fit", fit),
            ("quantile", quantile),
            ("off_domain", off_domain),
            ("complement", complement),
            ("class_disclosure", class_disclosure),
            ("history", history),
        ];
        all.into_iter().filter(|(_, cells)| *cells > 0).collect()
    }
}

/// How many cells break each rule. One cell may break several, so that the sum may exceed the number of cells
/// withheld. Exact, and so for the bureau and the auditor alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct WithheldBy {
    /// Fewer units than `cell.units_min`, in the cell or in an argument of an aggregate.
    pub units: u64,
    /// Fewer rows than `cell.rows_min`, likewise.
    pub rows: u64,
    /// A contribution or their total is infinite or not a number.
    pub not_finite: u64,
    /// A `dominance` rule.
    pub dominance: u64,
    /// The `p_ratio` rule.
    pub p_ratio: u64,
    /// Fewer distinct values of a sensitive column than `cell.sensitive_values_min`.
    pub homogeneity: u64,
    /// A `fit` rule.
    pub fit: u64,
    /// The `quantile` rule.
    pub quantile: u64,
    /// A key has a value that its closed domain lacks.
    pub off_domain: u64,
    /// Fewer units outside the cell in one of its margins than `cell.complement_units_min`, and not none. Asked of
    /// cells that break none of the rules above.
    pub complement: u64,
    /// The cell is all of one of its margins (`cell.class_disclosure`). Asked of the same cells.
    pub class_disclosure: u64,
    /// Fewer units than `history.units_min` between the cell and something that was released before, or is released
    /// beside it. Asked of cells that break none of the rules above.
    pub history: u64,
}
