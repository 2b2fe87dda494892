//! One module per noun of the command line.

mod airlock;
mod alert;
mod audit;
mod backup;
mod bench;
mod catalogue;
mod dataset;
mod demo;
mod domain;
mod grant;
mod identity;
mod keys;
mod model;
mod policy;
mod product;
mod release;
mod report;
mod retention;
mod run;
mod runs;
mod usage;

use std::io::IsTerminal;
use std::path::Path;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use weir_client::{Client, IdentityFolder};

use crate::args::{Args, AuditCommand, Command};
use crate::error::CliError;

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let identity = args.identity.as_deref();
    match args.command {
        Command::Demo(demo) => demo::run(&demo).await,
        Command::Init(init) => domain::init(&init).await,
        Command::Serve { domain } => domain::serve(&domain).await,
        Command::Check { domain } => domain::check(&domain).await,
        Command::Identity(command) => identity::run(identity, command).await,
        Command::Dataset(command) => dataset::run(identity, command).await,
        Command::Model(command) => model::run(identity, command).await,
        Command::Grant(command) => grant::run(identity, command).await,
        Command::Freeze(command) => grant::freeze(identity, command).await,
        Command::Run(run) => run::run(identity, &run).await,
        Command::Runs(command) => runs::run(identity, command).await,
        Command::Airlock(command) => airlock::run(identity, command).await,
        Command::Product(command) => product::run(identity, command).await,
        Command::Usage(args) => usage::run(identity, &args).await,
        Command::Policy(command) => policy::run(identity, command).await,
        Command::Release(command) => release::run(identity, command).await,
        Command::Alert(command) => alert::run(identity, command).await,
        Command::Report(command) => report::run(identity, command),
        Command::Retention(command) => retention::run(identity, command).await,
        Command::Keys(command) => keys::run(identity, command).await,
        Command::Backup(command) => backup::run(command).await,
        Command::Audit(command) => audit::run(identity, command).await,
        Command::Bench(args) => bench::run(*args).await,
    }
}

/// Starts logging to standard error: always for `serve`, elsewhere when asked.
///
/// Only lines of Weir's own are let through, and nothing can change that: libraries log values, plans and statistics of
/// the data they work on, and a log leaves the domain more easily than a table.
pub(crate) fn start_logging(args: &Args) {
    let level = match args.command {
        _ if args.verbose => LevelFilter::DEBUG,
        Command::Serve { .. } | Command::Audit(AuditCommand::Witness { .. }) => LevelFilter::INFO,
        _ => LevelFilter::OFF,
    };
    let own = Targets::new()
        .with_default(LevelFilter::OFF)
        .with_target("weir", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(own).init();
}

/// Replaces the message of a panic by its place: a message may quote a value.
pub(crate) fn keep_panics_silent() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        eprintln!("bug: Weir made a mistake at {place}; please report this");
    }));
}

fn load_identity(folder: Option<&Path>) -> Result<IdentityFolder, CliError> {
    let folder = folder.ok_or(CliError::Missing(
        "no identity is named. Give --identity DIR or set WEIR_IDENTITY; `weir init` and `weir identity issue` make one",
    ))?;
    Ok(IdentityFolder::load(folder)?)
}

async fn connect(folder: Option<&Path>) -> Result<Client, CliError> {
    Ok(Client::connect(&load_identity(folder)?).await?)
}

fn read_text(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file).map_err(|error| CliError::file(file, &error))
}

/// A key of its own for each command: what the connection repeats is done once.
fn key() -> String {
    uuid::Uuid::now_v7().to_string()
}
