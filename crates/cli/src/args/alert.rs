//! The arguments of `weir alert`.

use clap::Subcommand;

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List the newest alerts nobody has acknowledged
    List {
        /// Those that were acknowledged too
        #[arg(long)]
        all: bool,
        /// How many, at most 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show one alert
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Note that you have looked at it (bureau only)
    #[command(
        after_help = "Example:\n  weir alert acknowledge ID --note \"a new dashboard, agreed with them\""
    )]
    Acknowledge {
        /// Its id
        id: String,
        /// What there is to say, in one line; its digest goes into the log
        #[arg(long, default_value = "", value_name = "TEXT")]
        note: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}
