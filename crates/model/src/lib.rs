//! Admission and running of WebAssembly models.
//!
//! A model is a WebAssembly component that imports nothing and exports one function, `row`. Its own signature is the
//! manifest: parameter names are column names, the result's fields become columns. The path of a model is
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
//! Invariants
//! - **No other crate links wasmtime.** What runs foreign code is here and can be read in one sitting.
//! - **Nothing is compiled before it is admitted.** Size, shape, features and limits are checked on bytes alone.
//! - **A model sees one row.** Every row starts from the same memory, globals and tables; no order, batch size, thread
//!   or earlier failure changes an answer.
//! - **A failed row is null in every output, and nothing says why.** Traps, exhausted fuel, invalid results, and nulls in
//!   a required input look alike. There is no error for a row, so there is none to leak.
//! - **An error is never the model's answer.** What [`Evaluator::evaluate`] returns as an error is a fault of the machine
//!   or of Weir, and depends on no value.

mod admit;
mod bind;
mod error;
mod limits;
mod row;
mod runtime;
mod signature;

pub use admit::{Admitted, admit};
pub use bind::{Binding, BoundColumn};
pub use error::{Family, ModelError};
pub use limits::Limits;
pub use row::Evaluator;
pub use runtime::{Model, Runtime};
pub use signature::{Domain, Input, Output, Signature, ValueType};
