//! The arguments. Names are stable: scripts depend on them.

mod airlock;
mod alert;
mod audit;
mod backup;
mod bench;
mod grant;
mod identity;
mod keys;
mod policy;
mod product;
mod report;
mod retention;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(crate) use airlock::{AirlockCommand, DecideArgs, RunsCommand};
pub(crate) use alert::AlertCommand;
pub(crate) use audit::ReplayArgs;
pub(crate) use backup::BackupCommand;
pub(crate) use bench::{BenchArgs, BenchFormat, BenchUnit, BenchWorkload};
pub(crate) use grant::{
    ActArgs, FreezeArgs, FreezeCommand, FreezeScope, GrantCommand, LessArgs, OpinionArg,
};
pub(crate) use identity::{IdentityCommand, IssueArgs, Role};
pub(crate) use keys::{KeyName, KeysCommand};
pub(crate) use policy::{CheckPolicyArgs, PolicyCommand};
pub(crate) use product::{DecideProductArgs, ProductCommand};
pub(crate) use report::{ReportArgs, ReportCommand, ReportFormat, ReportLanguage};
pub(crate) use retention::RetentionCommand;
pub(crate) use usage::{UsageArgs, UsageKeyArg};

/// Public data, usable but not visible: run models and SQL inside a data domain; only releasable aggregates leave.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    after_help = "Try it without setting anything up:\n  weir demo\n\nA domain of your own:\n  weir init domain\n  weir serve domain"
)]
pub(crate) struct Args {
    /// Folder of the identity to act as, made by `weir init` or `weir identity issue`
    #[arg(long, global = true, env = "WEIR_IDENTITY", value_name = "DIR")]
    pub(crate) identity: Option<PathBuf>,
    /// Log more of what the server does, to standard error
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole path on real flights in a temporary domain: register, submit, approve, run, verify
    #[command(after_help = "Example:\n  weir demo\n  weir demo --keep flights-domain")]
    Demo(DemoArgs),
    /// Make a domain in a new folder, with its keys and the identity of its first administrator
    #[command(
        after_help = "Example:\n  weir init domain --name city-data --inbox incoming --organisation \"Data Bureau\" --person wang"
    )]
    Init(InitArgs),
    /// Serve a domain until interrupted
    #[command(after_help = "Example:\n  weir serve domain")]
    Serve {
        /// The domain's folder
        domain: PathBuf,
    },
    /// Check every byte of a domain that is not served: log, registry, ledger, vault
    #[command(after_help = "Example:\n  weir check domain")]
    Check {
        /// The domain's folder
        domain: PathBuf,
    },
    /// Identities: who may do what
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Datasets: register and look up
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Models: write, check, submit, look at, approve
    #[command(subcommand)]
    Model(ModelCommand),
    /// Grants: apply, review, issue, look at, end
    #[command(subcommand)]
    Grant(GrantCommand),
    /// The kill switch: a dataset, an operator or the whole domain
    #[command(subcommand)]
    Freeze(FreezeCommand),
    /// Run SQL inside the domain and print the released table
    #[command(
        after_help = "Examples:\n  weir run \"SELECT carrier, COUNT(*) AS flights FROM flights GROUP BY carrier\"\n  weir run --receipt run.json \"SELECT band, AVG(score) FROM disruption(flights) GROUP BY band\""
    )]
    Run(RunArgs),
    /// Runs under way: how far they are; call them off
    #[command(subcommand)]
    Runs(RunsCommand),
    /// The airlock: tables that people have to look at before they leave
    #[command(subcommand)]
    Airlock(AirlockCommand),
    /// Policies: check, change, look at what is in force, replay
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Products: queries that were reviewed, listed for everybody and run on a schedule
    #[command(subcommand)]
    Product(ProductCommand),
    /// What was used by month, what it costs and who gets it
    #[command(
        after_help = "Examples:\n  weir usage\n  weir usage --from 2026-01 --to 2026-12 --by operator --format csv\n  weir usage --by provider --by dataset"
    )]
    Usage(UsageArgs),
    /// Releases: what left the domain (bureau and auditor only)
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Alerts: what the rules over the stream of events raised (bureau and auditor only)
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Yearly reports from the log alone: operation and security
    #[command(subcommand)]
    Report(ReportCommand),
    /// What has to be kept until when; destroying what may go (bureau and auditor only)
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// The domain's own keys: list, change
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Backups of a domain on this machine: make, verify, restore
    #[command(subcommand)]
    Backup(BackupCommand),
    /// The transparency log: verify it and its receipts
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Measure Weir on this machine beside what people would use instead; fails where a goal is missed
    #[command(
        after_help = "Examples:\n  weir bench --quick\n  weir bench --quick --format json\n  weir bench --only queries --only models --scale 2 --python venv/bin/python3\n  weir bench --scale 5 --out report --compare benches/results/0.1.0/report.json"
    )]
    Bench(Box<BenchArgs>),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DemoArgs {
    /// Make the domain in this new folder and keep it
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// Folder to make; must be empty or not there yet
    pub(crate) domain: PathBuf,
    /// The domain's name: letters, digits, `-`, `.`
    #[arg(long, default_value = "weir")]
    pub(crate) name: String,
    /// Address and port to serve on
    #[arg(long, default_value = weir_server::LISTEN_DEFAULT)]
    pub(crate) listen: SocketAddr,
    /// Folder that files may be registered from; may be given several times [default: the domain's `inbox`]
    #[arg(long, value_name = "DIR")]
    pub(crate) inbox: Vec<PathBuf>,
    /// File with the `[store]` and `[keys]` tables of the vault (see docs/operating.md) [default: all in the folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) vault: Option<PathBuf>,
    /// Name of the bureau that runs the domain
    #[arg(long, default_value = "Data Bureau")]
    pub(crate) organisation: String,
    /// Name of its first administrator
    #[arg(long, default_value = "administrator")]
    pub(crate) person: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Check, sort and seal a CSV or Parquet file that lies in an inbox (bureau only)
    #[command(
        after_help = "Example:\n  weir dataset register domain/inbox/flights.parquet --manifest flights.toml"
    )]
    Register {
        /// The file, in an inbox of the server's machine
        file: PathBuf,
        /// The dataset's manifest (see docs/datasets.md)
        #[arg(long)]
        manifest: PathBuf,
        /// Make a new snapshot of a dataset that is registered already; columns may be added
        #[arg(long)]
        update: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Destroy a snapshot for good: nobody can read it any more, with no backup (bureau only)
    #[command(
        after_help = "Example:\n  weir dataset destroy flights --reason \"retention ended\" --certificate flights-destroyed.json"
    )]
    Destroy {
        /// The dataset's name
        name: String,
        /// One snapshot [default: the only one there is]
        #[arg(long, default_value = "", value_name = "ID")]
        snapshot: String,
        /// Why, in one line; goes into the certificate and the log
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Write the certificate to this new file [default: print it]
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// List the datasets
    List {
        /// How to print it
        #[arg(long, value_enum, default_value_t = CatalogueFormat::Table)]
        format: CatalogueFormat,
    },
    /// Show one dataset, its snapshots, its columns and their quality
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// How well a few columns single a unit out, and what a coarser column would change (bureau only)
    #[command(
        after_help = "Example:\n  weir dataset risk planes --columns manufacturer,seats,year --size 2"
    )]
    Risk {
        /// The dataset's name
        name: String,
        /// Columns to assess, separated by commas [default: the quasi-identifiers]
        #[arg(long, value_delimiter = ',')]
        columns: Vec<String>,
        /// Most columns of a combination
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3))]
        size: u32,
        /// Combinations shown
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Synthetic rows to develop against, made from the manifest alone
    #[command(
        after_help = "Example:\n  weir dataset sample flights --rows 1000 --seed 7 > flights.csv"
    )]
    Sample {
        /// The dataset's name
        name: String,
        /// Rows, 1 to 100,000
        #[arg(long, default_value_t = 100)]
        rows: u64,
        /// The same seed makes the same rows
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The file's format
        #[arg(long, value_enum, default_value_t = SampleFormat::Csv)]
        format: SampleFormat,
        /// File to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Feedback on a dataset's quality, and objections
    #[command(subcommand)]
    Feedback(FeedbackCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeedbackCommand {
    /// Say something of a dataset (operator only)
    #[command(
        after_help = "Example:\n  weir dataset feedback file flights \"arr_time is after midnight in some rows\""
    )]
    File {
        /// The dataset's name
        dataset: String,
        /// What you have to say
        text: String,
        /// What it is
        #[arg(long, value_enum, default_value_t = FeedbackKind::Quality)]
        kind: FeedbackKind,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List feedback and its answers: your organisation's, or all for bureau and auditor
    List {
        /// Of one dataset only
        dataset: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Answer feedback (bureau only)
    Answer {
        /// The feedback's id
        id: String,
        /// The answer
        answer: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FeedbackKind {
    /// Something is wrong with the data
    Quality,
    /// An objection
    Objection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SampleFormat {
    /// Comma-separated with a header
    Csv,
    /// Parquet
    Parquet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogueFormat {
    /// For people
    Table,
    /// One JSON array of objects
    Json,
    /// Comma-separated with a header
    Csv,
    /// The whole catalogue as DCAT 3, JSON-LD
    Dcat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Make a folder with a model that builds: signature, source, build script, sample rows
    #[command(after_help = "Example:\n  weir model new --lang c delay_band")]
    New {
        /// The language it is written in
        #[arg(long, value_enum)]
        lang: Language,
        /// The name SQL calls it by: lower-case letters, digits, `_`
        name: String,
        /// Folder to make [default: the name]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check a model on this machine as submission does, and explain why rows fail; needs no server
    #[command(
        after_help = "Examples:\n  weir model check delay_band.wasm --data sample.csv\n  weir model check core.wasm --wit model.wit --manifest flights.toml"
    )]
    Check(CheckArgs),
    /// Make the component of a core module and its signature; needs no server
    #[command(
        after_help = "Example:\n  weir model pack core.wasm --wit model.wit --out delay_band.wasm"
    )]
    Pack {
        /// The core module
        file: PathBuf,
        /// Its signature, where the module does not carry it
        #[arg(long, value_name = "FILE")]
        wit: Option<PathBuf>,
        /// File to write [default: the file's name with `.component.wasm`]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Submit a model: a WebAssembly component, or a core module with its signature (operator only)
    #[command(after_help = "Example:\n  weir model submit disruption.wasm --name disruption")]
    Submit {
        /// The model
        file: PathBuf,
        /// Signature of a core module that does not carry it
        #[arg(long, value_name = "FILE")]
        wit: Option<PathBuf>,
        /// The name SQL calls it by [default: the file's name]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// List the models you may see
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show a model, its signature and its vetting report
    Show {
        /// Its name
        name: String,
        /// One version [default: the newest]
        #[arg(long, default_value = "")]
        digest: String,
        /// Print the model's code as text (WAT) instead
        #[arg(long)]
        wat: bool,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Approve one digest of a model (bureau only, never one's own organisation's)
    #[command(
        after_help = "Example:\n  weir model show disruption\n  weir model approve disruption --digest sha256:…"
    )]
    Approve {
        /// Its name
        name: String,
        /// The digest that was reviewed [default: the newest version, which is printed]
        #[arg(long, default_value = "")]
        digest: String,
        /// The digest of the report that was read [default: the version's]
        #[arg(long, default_value = "")]
        report: String,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Refuse one digest of a model for good (bureau only, never one's own organisation's)
    #[command(
        after_help = "Example:\n  weir model reject disruption --digest sha256:… --reason \"it knows a list of aircraft\""
    )]
    Reject(EndModelArgs),
    /// Take the approval of one digest back: runs with it stop, and release nothing (bureau only, never one's own organisation's)
    #[command(
        after_help = "Example:\n  weir model withdraw disruption --digest sha256:… --reason \"a mistake was found in it\""
    )]
    Withdraw(EndModelArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EndModelArgs {
    /// Its name
    pub(crate) name: String,
    /// The digest that is decided on
    #[arg(long)]
    pub(crate) digest: String,
    /// Why, in one line; goes on record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    C,
    Assemblyscript,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// The model
    pub(crate) file: PathBuf,
    /// Signature of a core module that does not carry it
    #[arg(long, value_name = "FILE")]
    pub(crate) wit: Option<PathBuf>,
    /// Manifest of a dataset it should fit; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Vec<PathBuf>,
    /// CSV or Parquet file of rows to run and explain [default: rows made from the first manifest or the signature]
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    pub(crate) data: Option<PathBuf>,
    /// Run and explain a synthetic sample of this dataset of the domain
    #[arg(long, value_name = "DATASET")]
    pub(crate) sample: Option<String>,
    /// For a model over units, the column that says which rows, next to each other, are of one unit [default: the
    /// identifier of the sample or manifest; of a file, one to five rows at a time]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) unit: Option<String>,
    /// Seed of the sample: the same seed makes the same rows
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Rows to run and explain, at most
    #[arg(long, default_value_t = 1000)]
    pub(crate) rows: usize,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    /// One SELECT with aggregates, over a dataset or a model of a dataset
    pub(crate) sql: String,
    /// Do not run it: tell how many cells it can make and what share is likely to be withheld, from manifests alone
    #[arg(long, conflicts_with_all = ["receipt", "run_id"])]
    pub(crate) estimate: bool,
    /// Write the receipt to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
    /// Read this snapshot instead of the newest; may be given once for each dataset
    #[arg(long, value_name = "ID")]
    pub(crate) snapshot: Vec<String>,
    /// The grant to read under [default: the only one that covers the query]
    #[arg(long, default_value = "", value_name = "ID")]
    pub(crate) grant: String,
    /// UUID for retries: the same id and SQL return the same answer
    #[arg(long, visible_alias = "id", default_value = "")]
    pub(crate) run_id: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List the newest releases, with the exact number of cells withheld
    List {
        /// How many, at most 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify a whole log, byte by byte, or one receipt; needs no server
    #[command(
        after_help = "Examples:\n  weir audit verify --log domain/log --key domain/log.vkey\n  weir audit verify --key domain/log.vkey run.json\n  weir audit verify --key log.vkey --witness w1.vkey --witness w2.vkey --witnesses-min 1 run.json"
    )]
    Verify {
        /// A receipt, as written by `weir run --receipt`, a certificate of destruction, or a witness's evidence
        receipt: Option<PathBuf>,
        /// The log's folder
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
        /// A checkpoint seen before: the log must continue it
        #[arg(long, value_name = "FILE", requires = "log")]
        since: Option<PathBuf>,
        /// File with the log's public key [default: the identity's]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// File with a witness's public key; may be given several times
        #[arg(long, value_name = "FILE")]
        witness: Vec<PathBuf>,
        /// How many of these witnesses must have cosigned [default: all that are named]
        #[arg(long, value_name = "N", requires = "witness")]
        witnesses_min: Option<usize>,
    },
    /// Trace a release back to its data, models and policy, or a dataset, model, policy or person to what came of it; needs no server
    #[command(
        after_help = "Examples:\n  weir audit trace --log domain/log --key domain/log.vkey 0190a5c0-…   # a run, or the digest of a released table\n  weir audit trace --log domain/log --key domain/log.vkey flights       # a dataset, snapshot, model, policy, person"
    )]
    Trace {
        /// A run id, a digest, or a name, as the log has it
        subject: String,
        /// The log's folder
        #[arg(long, value_name = "DIR")]
        log: PathBuf,
        /// File with the log's public key [default: the identity's]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Make a release again from what it was made from, inside the domain, and compare it bit for bit with the log (auditor only)
    #[command(
        after_help = "Examples:\n  weir audit replay 0190a5c0-…                               # a run\n  weir audit replay 8 --threads 1 --batch-rows 1000         # the release of entry 8, computed in another way"
    )]
    Replay(ReplayArgs),
    /// Be a witness: cosign checkpoints of logs that only grow, so that nobody can be shown another history
    #[command(
        after_help = "Examples:\n  weir audit witness w1 --name witness.example/w1      # makes the folder and its key, once\n  weir audit witness w1 --log-key log.vkey --listen 10.0.0.5:7845"
    )]
    Witness {
        /// Folder of the witness: its key and what it has seen
        folder: PathBuf,
        /// Make the folder, for a witness of this name (a URL without its scheme), and print its public key
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// File with the public key of a log to watch; may be given several times
        #[arg(long, value_name = "FILE", required_unless_present = "name")]
        log_key: Vec<PathBuf>,
        /// Address and port to answer on
        #[arg(long, default_value = "127.0.0.1:7845")]
        listen: SocketAddr,
    },
    /// Print the server's newest signed checkpoint
    #[command(
        after_help = "Keep each checkpoint you see; the next must continue it:\n  weir audit checkpoint > monday.txt\n  weir audit checkpoint --since monday.txt > tuesday.txt"
    )]
    Checkpoint {
        /// A checkpoint seen before: the newest must continue it
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Copy, ClapArgs)]
pub(crate) struct OutputArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON array of objects
    Json,
    /// Comma-separated with a header
    Csv,
}
