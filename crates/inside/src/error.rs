//! What can go wrong inside, in two enums that must not be confused.
//!
//! [`SqlError`] is made before any data is read and may quote the caller's own SQL. [`ComputeError`] is made while data
//! is read and carries no text but its own.

use std::fmt;

use thiserror::Error;

/// Whose fault an error is. The server maps each family to one kind of gRPC status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The request is wrong.
    Caller,
    /// The model is wrong.
    Model,
    /// A limit or rule of the domain refuses it.
    Policy,
    /// Weir is wrong.
    Bug,
}

/// Where in the SQL text something stands; lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1; 0 where the parser does not know.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return Ok(());
        }
        write!(f, " at line {}, column {}", self.line, self.column)
    }
}

/// A query that is refused before any data is read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The text is longer than [`crate::SQL_BYTES_MAX`].
    #[error("the SQL text is {actual} bytes long; at most {limit} are read. Shorten it")]
    TooLong {
        /// Bytes received.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// More words and signs than [`crate::TOKENS_MAX`].
    #[error("the SQL text has {actual} words and signs; at most {limit} are read. Shorten it")]
    TooManyTokens {
        /// Words and signs received.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// Expressions nested deeper than [`crate::DEPTH_MAX`].
    #[error("an expression is nested more than {limit} deep. Shorten it, or use IN for long lists")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// The parser did not understand it.
    #[error("this is not SQL that Weir reads: {message}. Write one SELECT with aggregates")]
    Syntax {
        /// The parser's words, which speak of the text alone.
        message: String,
    },
    /// Not exactly one `SELECT`.
    #[error("`{fragment}` is not a SELECT. A run is exactly one SELECT with aggregates")]
    NotASelect {
        /// The statement, shortened.
        fragment: String,
    },
    /// Nothing but white space.
    #[error("no SQL was sent. Write one SELECT with aggregates")]
    Empty,
    /// Several statements.
    #[error(
        "{count} statements were sent. A run is exactly one SELECT; send them as separate runs"
    )]
    SeveralStatements {
        /// How many.
        count: usize,
    },
    /// Rows, not cells.
    #[error(
        "`{fragment}` asks for rows. Raw rows never leave the domain: ask for aggregates, such as \
         SELECT key, COUNT(*), AVG(value) FROM … GROUP BY key"
    )]
    NotAnAggregate {
        /// The query, shortened.
        fragment: String,
    },
    /// A clause outside the allow-list.
    #[error("{clause}{place} is not allowed. {help}")]
    Clause {
        /// What it is, in SQL's words.
        clause: &'static str,
        /// Where.
        place: Place,
        /// What to do instead.
        help: &'static str,
    },
    /// An expression outside the allow-list.
    #[error("`{fragment}`{place} is not an expression Weir computes inside the domain. {help}")]
    Expression {
        /// The expression, shortened.
        fragment: String,
        /// Where.
        place: Place,
        /// What to do instead.
        help: &'static str,
    },
    /// A function outside the allow-list.
    #[error("the function `{name}`{place} is not allowed. {help}")]
    Function {
        /// Its name, shortened.
        name: String,
        /// Where.
        place: Place,
        /// What to do instead.
        help: String,
    },
    /// A column no query may name.
    #[error(
        "the column `{name}`{place} cannot be named in a query. Columns that start with `weir_` belong to the vault"
    )]
    ReservedColumn {
        /// Its name.
        name: String,
        /// Where.
        place: Place,
    },
    /// A column the dataset does not have.
    #[error("there is no column `{name}`. The columns are: {known}")]
    UnknownColumn {
        /// Its name, shortened.
        name: String,
        /// Those there are, comma-separated.
        known: String,
    },
    /// A column that may not be read.
    #[error(
        "the column `{column}` cannot be read: it is an identifier, which is not stored, or the dataset's manifest does \
         not share it. Join on identifiers; `weir dataset show` tells what each column is"
    )]
    ColumnNotShared {
        /// The column.
        column: String,
    },
    /// A column that may be no key.
    #[error(
        "the column `{column}` may not be grouped by, says the dataset's manifest. Group by another, or aggregate it"
    )]
    ColumnNotGrouped {
        /// The column.
        column: String,
    },
    /// A column that may not meet a literal.
    #[error(
        "the column `{column}` may not be compared with a literal, says the dataset's manifest; in `{expression}` it \
         meets one, a cast, or what is computed of columns. Use it as it is, or compare the aggregate with HAVING"
    )]
    ColumnMeetsLiteral {
        /// The column.
        column: String,
        /// The expression, shortened.
        expression: String,
    },
    /// Types do not fit, or another thing the planner refuses.
    #[error("the query does not fit the dataset: {message}")]
    Planning {
        /// The planner's words; at this stage it knows the SQL and the schema, no data.
        message: String,
    },
    /// Under differential privacy, rows about more than one unit: what one of them adds is not bounded.
    #[error(
        "the policy in force asks for differential privacy, under which a query reads one dataset, whose rows are about one \
         kind of unit. Leave out the join"
    )]
    NoiseSeveral,
    /// Under differential privacy, a statistic that is no sum.
    #[error(
        "the policy in force asks for differential privacy, under which tables hold counts, sums and means; `{statistic}` is \
         none of them. Leave it out"
    )]
    NoiseStatistic {
        /// The statistic's name.
        statistic: String,
    },
    /// Under differential privacy, a sum without bounds: no noise hides a value that can be anything.
    #[error(
        "the policy in force asks for differential privacy, under which sums and means are of columns whose smallest and \
         largest value the manifest declares; of `{expression}` it does not. Count instead, or ask the bureau to declare them"
    )]
    NoiseBounds {
        /// The expression, shortened.
        expression: String,
    },
    /// Two relations of one name.
    #[error("two relations of the FROM are called `{name}`. Give one another name with AS")]
    RelationTwice {
        /// The name, shortened.
        name: String,
    },
    /// A join on something else than the unit.
    #[error(
        "`{condition}` joins neither on the unit nor on a public column. Write ON with one column of the joined dataset and \
         one of a dataset before it: both out of {identifiers}, or one whose role is public in its manifest"
    )]
    JoinNotOnUnit {
        /// The condition, shortened.
        condition: String,
        /// The columns that identify units, each with its population, comma-separated.
        identifiers: String,
    },
    /// A join of units of different populations.
    #[error(
        "`{condition}` joins units of the population `{left}` with units of `{right}`. Datasets join where they share \
         a population"
    )]
    JoinPopulations {
        /// The condition, shortened.
        condition: String,
        /// Population of the left side.
        left: String,
        /// Population of the right side.
        right: String,
    },
    /// The model's columns do not fit the dataset's.
    #[error("model `{model}` does not fit dataset `{dataset}`: {message}")]
    ModelBinding {
        /// The model's name.
        model: String,
        /// The dataset's name.
        dataset: String,
        /// Which column, and why.
        message: String,
    },
}

impl SqlError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } | Self::TooManyTokens { .. } => "SQL_TOO_LONG",
            Self::TooDeep { .. } => "SQL_TOO_DEEP",
            Self::Syntax { .. } => "SQL_SYNTAX",
            Self::NotASelect { .. } => "SQL_NOT_A_SELECT",
            Self::Empty => "SQL_EMPTY",
            Self::SeveralStatements { .. } => "SQL_SEVERAL_STATEMENTS",
            Self::NotAnAggregate { .. } => "SQL_NOT_AN_AGGREGATE",
            Self::Clause { .. } => "SQL_CLAUSE_NOT_ALLOWED",
            Self::Expression { .. } => "SQL_EXPRESSION_NOT_ALLOWED",
            Self::Function { .. } => "SQL_FUNCTION_NOT_ALLOWED",
            Self::ReservedColumn { .. } => "SQL_RESERVED_COLUMN",
            Self::UnknownColumn { .. } => "COLUMN_UNKNOWN",
            Self::ColumnNotShared { .. } => "COLUMN_NOT_SHARED",
            Self::ColumnNotGrouped { .. } => "COLUMN_NOT_GROUPED",
            Self::ColumnMeetsLiteral { .. } => "COLUMN_NOT_COMPARED",
            Self::Planning { .. } => "SQL_DOES_NOT_FIT",
            Self::NoiseSeveral => "DP_ONE_UNIT",
            Self::NoiseStatistic { .. } => "DP_STATISTIC",
            Self::NoiseBounds { .. } => "DP_BOUNDS",
            Self::RelationTwice { .. } => "SQL_RELATION_TWICE",
            Self::JoinNotOnUnit { .. } => "SQL_JOIN_NOT_ON_UNIT",
            Self::JoinPopulations { .. } => "SQL_JOIN_POPULATIONS",
            Self::ModelBinding { .. } => "MODEL_DOES_NOT_FIT",
        }
    }

    /// Whose fault it is: what a caller may not ask is the policy's refusal, the rest is a mistake of theirs.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::NotAnAggregate { .. }
            | Self::Clause { .. }
            | Self::Expression { .. }
            | Self::Function { .. }
            | Self::ReservedColumn { .. }
            | Self::JoinNotOnUnit { .. }
            | Self::ColumnNotShared { .. }
            | Self::ColumnNotGrouped { .. }
            | Self::ColumnMeetsLiteral { .. } => Family::Policy,
            Self::ModelBinding { .. } => Family::Model,
            _ => Family::Caller,
        }
    }
}

/// A run that failed while data was read. Each message is a constant: nothing in it depends on the data.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ComputeError {
    /// An expression failed, or storage did.
    #[error(
        "the run failed inside the domain and released nothing. Simplify the expressions and run again; if it fails \
         again, report the run's id to the domain's staff"
    )]
    Failed,
    /// Memory.
    #[error(
        "the run needed more memory than a run may use. Group by fewer keys or by coarser ones"
    )]
    Memory,
    /// Too many groups.
    #[error("the run made more than {limit} groups. Group by fewer keys or by coarser ones")]
    Groups {
        /// [`crate::GROUPS_MAX`].
        limit: usize,
    },
    /// The cells are of a shape or kind that the gate does not take, whatever is in them.
    #[error(transparent)]
    Cells(#[from] weir_gate::GateError),
    /// Too long.
    #[error(
        "the run took longer than {limit_s} seconds, the most a run may take. Join fewer rows, or simplify the model"
    )]
    Time {
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// Rows did not come in the order of units. Never a caller's: the run is computed again, in a way that needs no order.
    #[error("rows did not come in the order of units")]
    Order,
    /// An invariant did not hold.
    #[error(
        "Weir made a mistake in this run and released nothing. Please report the run's id to the domain's staff"
    )]
    Bug,
}

impl ComputeError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cells(error) => error.code(),
            Self::Failed => "RUN_FAILED",
            Self::Memory => "RUN_MEMORY_LIMIT",
            Self::Groups { .. } => "RUN_GROUPS_LIMIT",
            Self::Time { .. } => "RUN_TIME_LIMIT",
            Self::Bug | Self::Order => "BUG_INSIDE",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Cells(error) => match error.family() {
                weir_gate::Family::Caller => Family::Caller,
                weir_gate::Family::Policy => Family::Policy,
                // Handing cells over touches nothing that could fail.
                weir_gate::Family::Environment | weir_gate::Family::Bug => Family::Bug,
            },
            Self::Failed => Family::Caller,
            Self::Memory | Self::Groups { .. } | Self::Time { .. } => Family::Policy,
            Self::Bug | Self::Order => Family::Bug,
        }
    }
}
