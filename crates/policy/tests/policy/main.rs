//! Policies as their authors meet them: what a file means, what is refused and how it is said, and the laws of merging.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod file;
mod laws;
mod text;
