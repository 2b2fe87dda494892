//! The gate from outside, as other crates meet it.
//!
//! | module | shows |
//! |---|---|
//! | `border` | what must not leave does not: hidden bytes, withheld keys, exact counts |
//! | `cases` | each refusal, each edge of a threshold, the pinned digest, the recorder's part |
//! | `properties` | random tables: thresholds, order, independence, agreement with a naive second gate |
//! | `compile_fail` | what the types forbid |
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

mod border;
mod cases;
mod compile_fail;
mod properties;
mod table;
