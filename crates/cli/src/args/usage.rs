//! The arguments of `weir usage`.

use clap::{Args as ClapArgs, ValueEnum};

use super::OutputArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct UsageArgs {
    /// The first month, as in 2026-11 [default: the last]
    #[arg(
        long,
        default_value = "",
        value_name = "MONTH",
        hide_default_value = true
    )]
    pub(crate) from: String,
    /// The last month [default: this one]
    #[arg(
        long,
        default_value = "",
        value_name = "MONTH",
        hide_default_value = true
    )]
    pub(crate) to: String,
    /// What lines are told apart by; may be given several times [default: all]
    #[arg(long, value_enum)]
    pub(crate) by: Vec<UsageKeyArg>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UsageKeyArg {
    /// Who ran
    Operator,
    /// Who provides the data
    Provider,
    /// What was read
    Dataset,
    /// The product it was part of
    Product,
}
