//! The arguments of `weir identity`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Issue an identity (bureau only); its private key is made here and never travels
    #[command(
        after_help = "Example:\n  weir identity issue --role operator --organisation \"Acme Insurance\" --person li --out li"
    )]
    Issue(IssueArgs),
    /// Let in somebody whose certificate another authority issued (bureau only); see `client_authorities`
    #[command(
        after_help = "Example:\n  weir identity enrol li.pem --role operator --organisation \"Acme Insurance\" --person li"
    )]
    Enrol {
        /// Their certificate, PEM
        certificate: PathBuf,
        /// What the person is to the domain
        #[arg(long)]
        role: Role,
        /// Where the person works
        #[arg(long)]
        organisation: String,
        /// Who it is
        #[arg(long)]
        person: String,
        /// Days until the domain no longer accepts it, at most 397
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Have a new key certified for yourself, before your certificate expires
    #[command(after_help = "Example:\n  weir --identity li identity renew")]
    Renew {
        /// Days until it expires, at most 397
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// New folder to write the identity to [default: in place of the one in use, which is kept as DIR.before]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// End a certificate, or all of a person's, at once (bureau only)
    #[command(
        after_help = "Example:\n  weir identity revoke --person li --organisation \"Acme Insurance\" --reason \"left the company\""
    )]
    Revoke {
        /// One certificate
        #[arg(long, default_value = "", conflicts_with_all = ["person", "organisation"])]
        fingerprint: String,
        /// All certificates of this person
        #[arg(long, default_value = "", requires = "organisation")]
        person: String,
        /// Of this organisation
        #[arg(long, default_value = "", requires = "person")]
        organisation: String,
        /// Why, in one line; goes into the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the certificates that are accepted (bureau and auditor)
    List {
        /// Those that have expired or were revoked too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show who the server takes you for
    Show {
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct IssueArgs {
    /// What the person is to the domain
    #[arg(long)]
    pub(crate) role: Role,
    /// Where the person works
    #[arg(long)]
    pub(crate) organisation: String,
    /// Who it is
    #[arg(long)]
    pub(crate) person: String,
    /// Days until it expires, at most 397
    #[arg(long, default_value_t = 90)]
    pub(crate) days: u32,
    /// New folder to write the identity to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    Bureau,
    Provider,
    Operator,
    Auditor,
}
