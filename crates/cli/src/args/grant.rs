//! The arguments of `weir grant` and `weir freeze`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::OutputArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum GrantCommand {
    /// Apply for a grant (operator only): see docs/grants.md for the file
    #[command(
        after_help = "Example:\n  weir grant apply pricing.toml\n  weir grant apply pricing.toml --again ID"
    )]
    Apply {
        /// The application
        file: PathBuf,
        /// The returned application that this one takes the place of
        #[arg(long, default_value = "", value_name = "ID")]
        again: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give an opinion on an application (provider and bureau), or return or reject it (bureau only)
    #[command(
        after_help = "Example:\n  weir grant show ID\n  weir grant review ID --opinion support --reason \"no more than the report needs\""
    )]
    Review {
        /// The application
        id: String,
        /// What you say
        #[arg(long, value_enum)]
        opinion: OpinionArg,
        /// Why, in one line; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The digest of the application that was read [default: what it is now, which is printed]
        #[arg(long, default_value = "")]
        digest: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Take an application back (operator only)
    Withdraw {
        /// The application
        id: String,
        /// Why, in one line
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Grant what a reviewed application asks for, or less (bureau only)
    #[command(
        after_help = "Example:\n  weir grant issue ID\n  weir grant issue ID --until 2027-01-31T00:00:00Z --runs 1000"
    )]
    Issue {
        /// The application
        id: String,
        /// The digest of the application that was read [default: what it is now, which is printed]
        #[arg(long, default_value = "")]
        digest: String,
        #[command(flatten)]
        less: LessArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Give a partner a part of your grant (operator only)
    #[command(
        after_help = "Example:\n  weir grant delegate ID --to \"Beta Analytics\" --column flights.carrier --runs 100"
    )]
    Delegate {
        /// The grant
        id: String,
        /// The partner's organisation, as the application named it
        #[arg(long, value_name = "ORGANISATION")]
        to: String,
        /// A column as dataset.column; may be given several times [default: as in your grant]
        #[arg(long, value_name = "DATASET.COLUMN")]
        column: Vec<String>,
        /// A model's digest; may be given several times [default: as in your grant]
        #[arg(long, value_name = "DIGEST")]
        model: Vec<String>,
        #[command(flatten)]
        less: LessArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List grants, or applications
    List {
        /// Applications instead
        #[arg(long)]
        applications: bool,
        /// Those that have ended too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show a grant or an application
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Suspend a grant: nobody reads under it, runs under way stop (bureau only)
    Suspend(ActArgs),
    /// Let a suspended grant be read under again (bureau only)
    Resume(ActArgs),
    /// Tell its holder to mend something within at most 30 days (bureau only)
    Order {
        #[command(flatten)]
        act: ActArgs,
        /// Days until the deadline
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Put on record that it was mended (bureau only)
    Accept(ActArgs),
    /// Take a grant back for good, with every part of it (bureau only)
    Revoke(ActArgs),
    /// Bring a grant to an end, with every part of it (bureau; an operator its own)
    Terminate(ActArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ActArgs {
    /// The grant
    pub(crate) id: String,
    /// Why, in one line; goes into the log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LessArgs {
    /// An earlier end, such as 2027-01-31T00:00:00Z
    #[arg(long, default_value = "", value_name = "MOMENT")]
    pub(crate) until: String,
    /// Most runs
    #[arg(long)]
    pub(crate) runs: Option<u64>,
    /// Most cells released
    #[arg(long)]
    pub(crate) cells: Option<u64>,
    /// Most millions of instructions that models may take
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
    /// Most bytes read
    #[arg(long)]
    pub(crate) bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OpinionArg {
    /// In favour
    Support,
    /// Against: nothing is granted while it stands
    Oppose,
    /// The applicant is to mend it (bureau only)
    Return,
    /// Refused for good (bureau only)
    Reject,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FreezeCommand {
    /// Nobody reads this; runs under way stop (bureau only)
    #[command(
        after_help = "Examples:\n  weir freeze set dataset flights --reason \"a complaint\"\n  weir freeze set domain --reason \"an attack\""
    )]
    Set(FreezeArgs),
    /// Let it go again (bureau only)
    Lift(FreezeArgs),
    /// What is frozen (bureau and auditor)
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FreezeArgs {
    /// What is frozen
    #[arg(value_enum)]
    pub(crate) scope: FreezeScope,
    /// Which dataset or organisation
    #[arg(default_value = "")]
    pub(crate) name: String,
    /// Why, in one line; goes into the log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FreezeScope {
    Dataset,
    Operator,
    Domain,
}
