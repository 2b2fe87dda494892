//! The arguments of `weir backup`.

use std::path::PathBuf;

use clap::Subcommand;

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Copy a domain on this machine, which may be served meanwhile, and verify the copy
    #[command(
        after_help = "Example:\n  weir backup create domain /backup/monday --keys /safe/keys-monday\n\nWithout --keys the secret keys are left out: without them a backup is noise, and with them it is the raw data. Keep the two apart."
    )]
    Create {
        /// The domain's folder
        domain: PathBuf,
        /// Folder to make; must be empty or not there yet
        into: PathBuf,
        /// Folder to make for the secret keys [default: they are left out]
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make the domain of a backup in a new folder; then `weir serve` it, once the old one is stopped for good
    #[command(
        after_help = "Example:\n  weir backup restore /backup/monday domain --keys /safe/keys-monday\n\nNothing is written into the log until the domain is served: a drill leaves no trace. Never serve a copy while the original is there: that would be two histories under one key."
    )]
    Restore {
        /// The backup's folder
        backup: PathBuf,
        /// Folder to make; must be empty or not there yet
        into: PathBuf,
        /// Folder with the secret keys
        #[arg(long, value_name = "DIR")]
        keys: PathBuf,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Verify a backup: each file, the log, the registry, and that they fit together
    #[command(
        after_help = "Example:\n  weir backup verify /backup/monday --key log.vkey --since checkpoint.txt"
    )]
    Verify {
        /// The backup's folder
        backup: PathBuf,
        /// File with the log's public key from elsewhere [default: the backup's own]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A checkpoint seen before, of an auditor or a witness: the backup's log must continue it
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
}
