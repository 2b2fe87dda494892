//! What can go wrong with a model, sorted by who is at fault.

use thiserror::Error;

/// Who is at fault. The server maps each family to one gRPC status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The request names columns that the dataset does not have in the wanted form.
    Caller,
    /// The model is not one Weir admits.
    Model,
    /// The machine lacks something: memory, address space, instances.
    Environment,
    /// A defect of Weir.
    Bug,
}

/// Why a model was refused, could not be bound, or could not be run. No message holds a value of any dataset.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// More bytes than a model may have.
    #[error(
        "the model is {actual} bytes long, the limit is {limit}: build it optimised and stripped of debug information"
    )]
    TooLarge {
        /// Bytes submitted.
        actual: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes do not begin as WebAssembly does.
    #[error(
        "the model is not WebAssembly (the first bytes are not `\\0asm`): submit the built `.wasm` component, not its source or an archive"
    )]
    NotWasm,
    /// WebAssembly in its text form.
    #[error(
        "the model is WebAssembly text: submit the binary, which `wat2wasm` or `wasm-tools parse` make of it"
    )]
    Text,
    /// A core module that does not say what its signature is.
    #[error(
        "the model is a core WebAssembly module without its signature (no custom section `component-type`): give its WIT \
         with `--wit model.wit`, or write it in with `weir model pack FILE --wit model.wit`"
    )]
    CoreModule,
    /// A core module that does not fit the signature it carries, or whose signature cannot be read.
    #[error(
        "the model could not be packaged as a component: {reason}. Its exports must be those of its WIT: `row`, and \
         `memory` and `cabi_realloc` where strings or records are passed"
    )]
    Package {
        /// What does not fit.
        reason: String,
    },
    /// Not valid, or valid only with features that models may not use.
    #[error(
        "the model does not validate at byte {offset}: {reason}. Models may use WebAssembly 2.0 with vectors; \
         threads, relaxed SIMD, garbage collection, exceptions, tail calls, 64-bit and multiple memories, and async are refused"
    )]
    Invalid {
        /// Where in the component.
        offset: usize,
        /// What the validator found.
        reason: String,
    },
    /// The component, or its core module, imports something.
    #[error(
        "the model imports `{name}` ({kind}): a model imports nothing; build it without a standard library that needs a host (no WASI, no clock, no logging)"
    )]
    Import {
        /// What kind of thing.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The component is built in a way that the runtime does not take apart.
    #[error(
        "the model {what}: package one core module as one component, as `wasm-tools component new` does"
    )]
    Shape {
        /// What it does that it should not.
        what: String,
    },
    /// Not exactly one exported function, `row` or `unit`.
    #[error(
        "the model {what}: a model exports one function, `row` or `unit`, and beside it only the types of its signature"
    )]
    Exports {
        /// What is exported instead, or is missing.
        what: String,
    },
    /// A parameter or result of a type that has no column.
    #[error("{place} has type `{ty}`: {help}")]
    Type {
        /// Which parameter or result.
        place: String,
        /// Its type in WIT notation, nested types abbreviated.
        ty: String,
        /// What is allowed there.
        help: &'static str,
    },
    /// The function has no result.
    #[error(
        "the model's function returns nothing: return a record, or a single value, which becomes the column `value`"
    )]
    NoResult,
    /// Two parameters, or two outputs, with the same column name.
    #[error(
        "{place} `{column}` occurs twice once `-` is written as `_` and letters are small: rename one"
    )]
    DuplicateColumn {
        /// Parameter or result field.
        place: &'static str,
        /// The column name both have.
        column: String,
    },
    /// One of the named limits.
    #[error("the model has {actual} {what}, the limit is {limit}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        actual: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The compiler gave up on a valid component.
    #[error("the model could not be compiled: {reason}")]
    Compile {
        /// The compiler's reason.
        reason: String,
    },
    /// Preparing an instance traps, or does not end within its fuel.
    #[error(
        "the model does not start: preparing an instance (data, elements, start function) must end without a trap \
         within {fuel} units of fuel"
    )]
    Start {
        /// Fuel allowed.
        fuel: u64,
    },
    /// A parameter for which the dataset has no column.
    #[error("the model reads column `{column}`, which the dataset does not have: {nearest}")]
    MissingColumn {
        /// The column wanted.
        column: String,
        /// The columns with the most similar names, as a sentence.
        nearest: String,
    },
    /// A column whose type does not widen to the parameter's without loss.
    #[error("column `{column}` is {found}, but the model takes `{wanted}`: {help}")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type in the dataset.
        found: String,
        /// The type in the model's signature.
        wanted: String,
        /// Which types fit.
        help: String,
    },
    /// An output column that the dataset has already.
    #[error(
        "the model returns column `{column}`, which the dataset has already: rename the model's field, or leave the column out"
    )]
    OutputExists {
        /// The name both have.
        column: String,
    },
    /// An evaluator of the other grain: for rows where the model takes units, or the other way around.
    #[error("internal error: the model exports `{export}` and was called as if it did not")]
    Grain {
        /// What the model exports.
        export: &'static str,
    },
    /// A batch of more rows than a column of strings can address.
    #[error(
        "{rows} rows in one batch exceed what a string column can hold, the limit for this model is {limit}"
    )]
    BatchTooLarge {
        /// Rows given.
        rows: usize,
        /// Rows allowed.
        limit: usize,
    },
    /// Columns given to an evaluator are not those of its binding.
    #[error(
        "internal error: the columns given to the model are not those it was bound to ({what})"
    )]
    Columns {
        /// What differs.
        what: String,
    },
    /// The runtime answered with something its types exclude.
    #[error("internal error: the model runtime gave an answer of the wrong shape ({what})")]
    Runtime {
        /// What it was.
        what: &'static str,
    },
    /// The machine could not provide an instance, or memory for one.
    #[error("the machine could not run the model: {what}")]
    Environment {
        /// What is lacking.
        what: String,
    },
}

impl ModelError {
    /// The stable code of this error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "MODEL_TOO_LARGE",
            Self::NotWasm => "MODEL_NOT_WASM",
            Self::Text => "MODEL_TEXT",
            Self::CoreModule => "MODEL_CORE_MODULE",
            Self::Package { .. } => "MODEL_PACKAGE",
            Self::Invalid { .. } => "MODEL_INVALID",
            Self::Import { .. } => "MODEL_IMPORT",
            Self::Shape { .. } => "MODEL_SHAPE",
            Self::Exports { .. } => "MODEL_EXPORTS",
            Self::Type { .. } => "MODEL_TYPE",
            Self::NoResult => "MODEL_NO_RESULT",
            Self::DuplicateColumn { .. } => "MODEL_DUPLICATE_COLUMN",
            Self::Limit { .. } => "MODEL_LIMIT",
            Self::Compile { .. } => "MODEL_COMPILE",
            Self::Start { .. } => "MODEL_START",
            Self::MissingColumn { .. } => "MODEL_MISSING_COLUMN",
            Self::ColumnType { .. } => "MODEL_COLUMN_TYPE",
            Self::OutputExists { .. } => "MODEL_OUTPUT_EXISTS",
            Self::BatchTooLarge { .. } => "MODEL_BATCH_TOO_LARGE",
            Self::Grain { .. } => "MODEL_GRAIN",
            Self::Columns { .. } => "MODEL_COLUMNS",
            Self::Runtime { .. } => "MODEL_RUNTIME",
            Self::Environment { .. } => "MODEL_ENVIRONMENT",
        }
    }

    /// Who is at fault.
    pub fn family(&self) -> Family {
        match self {
            Self::TooLarge { .. }
            | Self::NotWasm
            | Self::Text
            | Self::CoreModule
            | Self::Package { .. }
            | Self::Invalid { .. }
            | Self::Import { .. }
            | Self::Shape { .. }
            | Self::Exports { .. }
            | Self::Type { .. }
            | Self::NoResult
            | Self::DuplicateColumn { .. }
            | Self::Limit { .. }
            | Self::Compile { .. }
            | Self::Start { .. } => Family::Model,
            Self::MissingColumn { .. } | Self::ColumnType { .. } | Self::OutputExists { .. } => {
                Family::Caller
            }
            Self::Environment { .. } => Family::Environment,
            Self::BatchTooLarge { .. }
            | Self::Grain { .. }
            | Self::Columns { .. }
            | Self::Runtime { .. } => Family::Bug,
        }
    }
}

/// Longest piece of foreign text (a name, a validator's reason) that a message repeats, in characters.
const QUOTED_CHARS_MAX: usize = 200;

/// Foreign text made fit for a message: one line, bounded, no control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut clean: String = text
        .chars()
        .take(QUOTED_CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        clean.push('…');
    }
    clean
}
