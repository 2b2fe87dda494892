//! The arguments of `weir retention`.

use clap::{Subcommand, ValueEnum};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Show what is kept, until when it has to be, and how much of it may go (bureau and auditor)
    Show {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Destroy what is past its term, at most 1,000 things; each is an entry of the log first (bureau only)
    #[command(
        after_help = "Example:\n  weir retention destroy answers --reason \"past the year that answers are kept\"\n\nWhat has to be kept is refused, with the date from which it may go."
    )]
    Destroy {
        /// What
        #[arg(value_enum)]
        kind: KeptName,
        /// That of one run [default: all that is past its term]
        #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
        run_id: String,
        /// Why, in one line; goes into the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeptName {
    /// Entries of the log, with the receipts made of them: cannot be destroyed
    Log,
    /// Sets of units of what was released: cannot be destroyed
    Ledger,
    /// What releases were computed from: cannot be destroyed
    Bases,
    /// What releases were judged on, sealed
    Evidence,
    /// Answers of runs, for whoever retries
    Answers,
}
