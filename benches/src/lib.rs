//! The benchmark harness: what Weir costs beside what a user would pick instead.
//!
//! **For**: binaries that measure one thing each, beside its alternatives, interleaved in one process, and print ratios;
//! their figures go into `benches/*.md` with the command that made them.
//!
//! **Not for**: tests. A figure that falls short is reported, never asserted on a wall clock.
