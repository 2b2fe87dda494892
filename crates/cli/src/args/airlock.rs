//! The arguments of `weir airlock` and `weir runs`.

use clap::{Args as ClapArgs, Subcommand};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AirlockCommand {
    /// List the tables that wait for people (bureau and auditor)
    #[command(
        after_help = "Example:\n  weir airlock list\n  weir airlock list --all --format json"
    )]
    List {
        /// Those that have ended too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show a table that waits, as it would be released, and why it waits; that you look is logged (bureau only)
    #[command(
        after_help = "Examples:\n  weir airlock show RUN\n  weir airlock show RUN --without-table   (auditor)"
    )]
    Show {
        /// The run's id
        run: String,
        /// What is known of it, but not the table
        #[arg(long)]
        without_table: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Let a table go: it takes two people of two organisations, neither the operator's (bureau only)
    #[command(
        after_help = "Example:\n  weir airlock show RUN\n  weir airlock approve RUN --digest sha256:… --reason \"delays, and none of few aircraft\""
    )]
    Approve(DecideArgs),
    /// Keep a table back for good: one reviewer is enough (bureau only)
    #[command(
        after_help = "Example:\n  weir airlock reject RUN --digest sha256:… --reason \"two carriers have one operator\""
    )]
    Reject(DecideArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DecideArgs {
    /// The run's id
    pub(crate) run: String,
    /// The digest of the table that you looked at, as `weir airlock show` prints it
    #[arg(long)]
    pub(crate) digest: String,
    /// Why, in one line; bureau and auditor can read it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Show how far a run of your organisation is, how long it took, and what is left of the quota
    #[command(after_help = "Example:\n  weir runs show RUN")]
    Show {
        /// The run's id
        run: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Follow a run until it ends
    #[command(after_help = "Example:\n  weir runs watch RUN")]
    Watch {
        /// The run's id
        run: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Call a run off, or take its table back out of the airlock; what it was charged stays charged
    #[command(after_help = "Example:\n  weir runs cancel RUN")]
    Cancel {
        /// The run's id
        run: String,
    },
}
