//! The arguments of `weir keys`.

use clap::{Args, Subcommand, ValueEnum};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the domain's own keys: public halves and digests (bureau and auditor only)
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Have an earlier key not be used any more (bureau only): of the log, it signs no more; an authority's clients are refused
    Retire {
        /// Which
        #[arg(value_enum)]
        key: KeyName,
        #[command(flatten)]
        once: OnceArgs,
    },
    /// Change a key for a new one while the domain is served (bureau only)
    #[command(
        after_help = "Example:\n  weir keys rotate master\n\nThen back up the folder `keys` again: older copies of it open older backups, and no newer one."
    )]
    Rotate {
        /// Which
        #[arg(value_enum)]
        key: KeyName,
        #[command(flatten)]
        once: OnceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OnceArgs {
    /// A UUID: however often the command is given with it, as after a lost connection, the key is changed once
    #[arg(long, value_name = "UUID")]
    pub(crate) request_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyName {
    /// Signs the log
    Signing,
    /// Wraps the keys of the vault
    Master,
    /// Certifies identities
    Authority,
}
