//! The core module inside a model: its sections, what its code can change, and what a call of it can cost.
//!
//! Everything here is decided by the instructions that occur, never by what is declared: a mutable global that no
//! instruction writes is a constant, and a function that no call comes to is none (`reach`). Dead code within a function
//! counts as code; a wrong guess can only make a model slower.

mod cost;
mod effects;
mod flow;
mod loops;
mod operators;
mod reach;
mod sections;

pub(crate) use cost::cost_max;
pub(crate) use effects::Effects;
pub(crate) use flow::Flow;
pub(crate) use operators::{scalar, vector};
pub(crate) use sections::CoreModule;
