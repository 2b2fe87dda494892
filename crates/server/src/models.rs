//! What becomes of models: who approves them, and who ends them.
//!
//! What may follow what is one table (`states.rs`). A decision is in the log first, then in the registry. Once an approval
//! was withdrawn, runs under way with the model stop, and nothing more is released that was computed with it.

mod end;
pub(crate) mod reviews;
pub(crate) mod states;

pub(crate) use end::{Ending, end, unless_withdrawn, withdrawn};
