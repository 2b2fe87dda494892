//! The arguments of `weir keys`.

use clap::{Subcommand, ValueEnum};

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
    },
    /// Change a key for a new one while the domain is served (bureau only)
    #[command(
        after_help = "Example:\n  weir keys rotate master\n\nThen back up the folder `keys` again: older copies of it open older backups, and no newer one."
    )]
    Rotate {
        /// Which
        #[arg(value_enum)]
        key: KeyName,
    },
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
