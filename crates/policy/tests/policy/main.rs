//! Policies as their authors meet them: what a file means, what is refused and how it is said, and the laws of merging.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod compare;
mod file;
mod findings;
mod laws;
mod layers;
mod shipped;
mod text;
