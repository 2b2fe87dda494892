//! The arguments of `weir product`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ProductCommand {
    /// Register a query as a product (operator only)
    #[command(
        after_help = "Example:\n  weir product register delays --title \"Delays by carrier\" --purpose \"monthly report\" --grant ID --every 7d \"SELECT carrier, AVG(arr_delay) AS delay FROM flights GROUP BY carrier\""
    )]
    Register(RegisterProductArgs),
    /// Approve a product that was read (bureau only, never one's own organisation's)
    #[command(
        after_help = "Example:\n  weir product show delays\n  weir product approve delays --digest sha256:…"
    )]
    Approve(DecideProductArgs),
    /// Reject a product (bureau only)
    Reject(DecideProductArgs),
    /// List products: approved ones for everybody, one's own besides
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show a product: what is run, with which models and policy, and how its slots ended
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Get the answer of a slot, or run a product that has no schedule (operator only)
    #[command(
        after_help = "Example:\n  weir product run delays\n  weir product run delays --slot 2026-11-22T00:00:00Z"
    )]
    Run {
        /// Its name
        name: String,
        /// When the slot begins [default: the newest]
        #[arg(
            long,
            default_value = "",
            value_name = "MOMENT",
            hide_default_value = true
        )]
        slot: String,
        /// Write the receipt to this new file
        #[arg(long, value_name = "FILE")]
        receipt: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// End a product: its operator, or the bureau
    Retire {
        /// Its name
        name: String,
        /// Why, in one line; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RegisterProductArgs {
    /// Its name: lower-case letters, digits, `_`
    pub(crate) name: String,
    /// The query
    pub(crate) sql: String,
    /// What people call it
    #[arg(long)]
    pub(crate) title: String,
    /// What it is for, and who uses it
    #[arg(long)]
    pub(crate) purpose: String,
    /// The grant it reads under [default: the only one that covers it]
    #[arg(long, default_value = "", value_name = "ID", hide_default_value = true)]
    pub(crate) grant: String,
    /// How often it runs, such as 24h or 7d [default: when it is asked for]
    #[arg(
        long,
        default_value = "",
        value_name = "SPAN",
        hide_default_value = true
    )]
    pub(crate) every: String,
    /// When its first slot begins [default: now]
    #[arg(
        long,
        default_value = "",
        value_name = "MOMENT",
        hide_default_value = true
    )]
    pub(crate) from: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DecideProductArgs {
    /// Its name
    pub(crate) name: String,
    /// The digest of the terms that were read [default: what it is now, which is printed]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) digest: String,
    /// Why, in one line; goes on record
    #[arg(long, default_value = "as registered", value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
