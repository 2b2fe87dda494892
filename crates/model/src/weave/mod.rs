//! Weaving: from a model's core module to one that answers whole batches and is as new after each row.
//!
//! The woven module is the model's own module, every index unchanged, functions that no row comes to replaced by a trap,
//! with four kinds of addition *behind* what is there:
//!
//! ```text
//! memory 0   the model's            memory 1   the driver's: columns in and out; the dirty lines, and what they held
//! globals    the model's            globals    a shadow of each that is written, and the memory's virtual size
//! functions  the model's, tracked   functions  mark, touch, grow · reserve, commit, restore, run
//! ```
//!
//! A model cannot name an addition: its code was validated against an index space that ends before them, it has no
//! other reference to them (they are in no table and no `ref.func`), and its memory instructions carry memory 0.
//!
//! # What has to hold (row independence)
//!
//! State of a WebAssembly 2.0 instance is: memory contents, memory size, globals, tables, and which segments are
//! dropped. After each row all of it must be what it was when the first row began.
//!
//! 1. *Tables and segments*: a module with any instruction that changes one is not woven. It runs in a fresh instance
//!    per row ([`Isolation::Fresh`](crate::Isolation::Fresh)).
//! 2. *Globals*: `commit` copies each global that any `global.set` names into its shadow, `restore` copies back.
//! 3. *Memory size*: where `memory.grow` can succeed, it and `memory.size` work on a virtual size, a global that is
//!    committed and restored like the others. The real memory is grown to its maximum once, before the first row, and
//!    every access is checked against the virtual size, so that it traps exactly where it would have trapped.
//! 4. *Memory contents*: before a byte changes, its line (64 bytes) is marked: what it holds goes into a log, and the
//!    line into a list and a map. Stores may spill up to 15 bytes into the next line without marking it; so a log entry
//!    has 64 + 16 bytes. `restore` copies the entries back, the last first, so that what two entries both hold ends as
//!    the earlier one has it: as it was when neither line was marked, which is at the beginning of the row.
//!    Stores whose address the code itself fixes ([`Flows`](flows::Flows)) mark nothing: the sixteen bytes they lie in are
//!    among some few that `commit` keeps and `restore` copies back after every row, after the lines.
//! 5. *Traps*: a row may end anywhere. `mark` does everything that can trap before it enters the line, and the line is
//!    entered before it changes; `restore` works from the end of the list and shortens it after each line, so that
//!    it may itself be interrupted and begun again.
//! 6. *The driver's own writes* into the model's memory (strings, arguments in memory) are marked like the model's.
//! 7. *Fuel and stack* are state too while a row runs, and both run out at some instruction. So nothing that is woven
//!    in may take more or less of them because of an earlier row: no line is remembered as saved, no size as grown.
//!
//! 8. *NaN*: the engine leaves the bits of a NaN to the machine. They are made canonical where the model could tell
//!    (`core::flow` says where that is).
//!
//! Completeness of 4 rests on [`Access`] knowing every instruction with a memory operand, which a test compares with
//! the validator's own list. [`Binding::checking_evaluator`](crate::Binding::checking_evaluator) compares the whole memory and all
//! globals with their first state after every row, and a second implementation that makes a fresh instance per row
//! ([`Binding::reference_evaluator`](crate::Binding::reference_evaluator)) must agree on every answer.

mod abi;
mod access;
mod body;
mod emit;
mod flows;
mod layout;
mod lift;
mod lower;
mod module;
mod plan;
mod run;
mod state;

pub(crate) use access::Access;
pub(crate) use layout::{Column, Layout, PROGRESS, ROWS_PER_RUN, input_width, output_width};
pub(crate) use module::{Woven, weave};
pub(crate) use plan::called;

/// Names under which the woven module exports what the host uses.
pub(crate) mod names {
    /// The model's memory; for checking only.
    pub(crate) const MODEL_MEMORY: &str = "model";
    /// The driver's memory.
    pub(crate) const DRIVER_MEMORY: &str = "driver";
    /// `() -> i32`: grows the real memory to its maximum; 0 when the machine has no room.
    pub(crate) const RESERVE: &str = "reserve";
    /// `()`: the model's start function, if it has one.
    pub(crate) const START: &str = "start";
    /// `()`: makes the present state the one that rows begin with.
    pub(crate) const COMMIT: &str = "commit";
    /// `()`: sets everything back to it.
    pub(crate) const RESTORE: &str = "restore";
    /// `(first, end)`: answers rows, and restores after each.
    pub(crate) const RUN: &str = "run";
    /// Prefix of the exported globals that rows may write; for checking only.
    pub(crate) const GLOBAL: &str = "global";
}
