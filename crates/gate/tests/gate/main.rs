//! The gate from outside, as other crates meet it.
//!
//! | module | shows |
//! |---|---|
//! | `second` | a second implementation of all checks, rounding and totals, over plain rows, agrees on thousands of random tables |
//! | `border` | what must not leave does not: hidden bytes, withheld keys, exact counts |
//! | `cases` | each refusal, each edge of a threshold, the pinned digest, the recorder's part |
//! | `contributions` | each rule on sums and means, at its edge; evidence that contradicts itself |
//! | `properties` | random tables: every rule, order, independence, agreement with a naive second gate |
//! | `published` | what ACRO, GaussSuppression, pg_diffix and pycanon answer on public data, cell by cell |
//! | `sealed` | evidence that is kept opens under its key alone, and is judged as the table was |
//! | `shapes` | tables that are not what their shape says; what the shape decides alone |
//! | `compile_fail` | what the types forbid |
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod border;
mod cases;
mod compile_fail;
mod contributions;
mod extract;
mod plain;
mod preview;
mod properties;
mod published;
mod published_gauss;
mod published_tools;
mod sealed;
mod second;
mod shapes;
mod table;
