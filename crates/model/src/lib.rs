//! Admission and running of WebAssembly models.
//!
//! A model is a WebAssembly component that imports nothing and exports one function, `row` or `unit`. Its own signature is
//! the manifest: parameter names are column names, the result's fields become columns. `row` is given one row, `unit` all
//! rows of one unit; what is said of rows below holds of units for the latter. The path of a model is
//!
//! ```text
//! bytes ── admit ──► Admitted ── Runtime::compile ──► Model ── bind(schema) ──► Binding ── evaluator ──► Evaluator
//! ```
//!
//! Each arrow is a check, and each type is the proof that it was made: nothing is compiled that was not admitted, and
//! nothing runs over columns it was not bound to.
//!
//! What this crate does not do: it reads no files, knows no datasets, grants or policies, and keeps no registry of models.
//!
//! # How a model runs
//!
//! A fresh instance for every row would keep rows apart by construction, and costs some microseconds each. Instead the
//! core module is taken out of its component, analysed, and *woven* (`weave`): a driver is added that owns the
//! columns in a memory of its own, calls the model row by row inside WebAssembly, and sets everything back that the row
//! changed. What is added depends on what the code can do ([`Tier`]), where code that no row comes to does not count: it is
//! taken out (`core::reach`):
//!
//! | the code | is called | and costs besides itself |
//! |---|---|---|
//! | changes nothing | pure | nothing |
//! | stores, writes globals, grows memory | restored | a look-up per store, a copy per line of 64 bytes touched; stores at fixed addresses only a copy |
//! | grows memory | | a comparison per load and store as well |
//! | changes tables, drops segments | fresh | an instance per row |
//! | has no recursion or indirect call, only loops that count to a constant, and a bounded cost | unmetered | nothing |
//! | anything else | metered | fuel at every instruction |
//!
//! A newcomer reads `weave` for what has to hold and why it does, `driven` for fuel, `core` for the
//! analysis (`core::flow` for what becomes of NaN), `cache` for compiled models on disk, and `fresh` for the simple way that the woven one is compared with.
//!
//! Where this differs from what one might expect: the driver is not a second module linked to the model's but a part of
//! the same one, so that the call of a row is a direct call. The fuel of a row is that of its woven code, including
//! what it costs to set back what the row wrote. Strings other than in UTF-8 run fresh.
//!
//! Invariants
//! - **No other crate links wasmtime.** What runs foreign code is here and can be read in one sitting.
//! - **Nothing is compiled before it is admitted.** Size, shape, features and limits are checked on bytes alone.
//! - **A model sees one row, or one unit.** Every row starts from the same memory, globals and tables; no order, batch size, thread
//!   or earlier failure changes an answer.
//! - **A failed row is null in every output, and nothing says why.** Traps, exhausted fuel, invalid results, and nulls in
//!   a required input look alike. There is no error for a row, so there is none to leak. What the row had written
//!   before it failed is not under the null either.
//! - **An error is never the model's answer.** What [`Evaluator::evaluate`] returns as an error is a fault of the machine
//!   or of Weir, and depends on no value.

mod admit;
mod bind;
mod cache;
mod core;
mod driven;
mod error;
mod evaluate;
mod fresh;
mod limits;
mod nan;
mod pack;
mod runtime;
mod signature;
mod tier;
mod trace;
mod unit;
mod vet;
mod weave;

pub use admit::{Admitted, admit};
pub use bind::{Binding, BoundColumn};
pub use error::{Family, ModelError};
pub use evaluate::Evaluator;
pub use limits::Limits;
pub use pack::{Received, embed, package, receive};
pub use runtime::{Model, Runtime};
pub use signature::{Domain, Grain, Input, Output, Signature, ValueType};
pub use tier::{Isolation, Tier};
pub use unit::{UnitAnswers, UnitEvaluator};
pub use vet::{
    Aspect, CodeReport, ConstantsReport, DatasetReport, DatasetView, Finding, InputReport,
    OutputReport, REPORT_VERSION, Report, Severity, TestReport, TestsReport, TierReport, VetLimits,
    Vetting, wat,
};

/// What weakens a guarantee, for use where there is nothing to guard: a model's author, on the author's own machine, over
/// rows that are nobody's.
pub mod danger {
    pub use crate::trace::{RowFailure, RowTrace, Tracer};
    pub use crate::vet::schema_of;
}
