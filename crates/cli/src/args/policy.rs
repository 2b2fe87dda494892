//! The arguments of `weir policy`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a policy file: errors, limits that cannot bite, and what it changes; needs no server
    #[command(
        after_help = "Examples:\n  weir policy check policies/health.toml --against policies/default.toml\n  weir policy check strict.toml --dataset flights --in-force"
    )]
    Check(CheckPolicyArgs),
    /// Hand in a policy for the domain or a dataset (bureau only): a tightening is in force at once
    #[command(
        after_help = "Example:\n  weir policy put policies/health.toml\n  weir policy put strict.toml --dataset flights\n\nA policy that loosens any key needs the approval of a second person and then waits (`policy_loosening_wait` of domain.toml)."
    )]
    Put {
        /// The policy
        file: PathBuf,
        /// The dataset it is for [default: the domain]
        #[arg(long, default_value = "", value_name = "NAME")]
        dataset: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Approve a change that loosens (bureau only, never the one who proposed it)
    #[command(
        after_help = "Example:\n  weir policy list\n  weir policy approve ID --digest sha256:…"
    )]
    Approve {
        /// The change's id
        id: String,
        /// The digest of the policy that was read [default: the change's, which is printed]
        #[arg(long, default_value = "")]
        digest: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Take a change back that is not in force yet (bureau only)
    Withdraw {
        /// The change's id
        id: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the changes that may still take effect
    List {
        /// Those in force, withdrawn and overtaken too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show the policy in force, key by key
    #[command(
        after_help = "Examples:\n  weir policy show\n  weir policy show --effective flights\n  weir policy show --effective 0197b3a2-… --toml\n  weir policy show --toml > in-force.toml"
    )]
    Show {
        /// A dataset that is read, which may be given several times; or the id of a grant: then as runs under it are judged,
        /// over what it covers or over the datasets given besides [default: the domain's policy alone]
        #[arg(long, value_name = "DATASET|GRANT")]
        effective: Vec<String>,
        /// Print it as a policy file instead
        #[arg(long)]
        toml: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Judge past releases again, as if a policy were in force: which cells would change sides (bureau only)
    #[command(after_help = "Example:\n  weir policy replay strict.toml --dataset flights")]
    Replay {
        /// The policy
        file: PathBuf,
        /// The dataset it is for [default: the domain]
        #[arg(long, default_value = "", value_name = "NAME")]
        dataset: String,
        /// Past releases, the newest first [default: all, at most 10,000]
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckPolicyArgs {
    /// The policy
    pub(crate) file: PathBuf,
    /// Say what it changes against this file
    #[arg(long, value_name = "FILE", conflicts_with = "in_force")]
    pub(crate) against: Option<PathBuf>,
    /// Say what it changes against the policy in force [default: where an identity is named]
    #[arg(long)]
    pub(crate) in_force: bool,
    /// Read it as the policy of this dataset: a key left out leaves what the domain says
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
