//! Tests of the `weir` command as a process: what users type, what they read, and what must never be in it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bench;
mod canary;
mod crash;
mod mixed;
mod policies;
mod process;
mod receiver;
mod scaffold;
mod scene;
mod soak;
mod steps;
mod webhook;
