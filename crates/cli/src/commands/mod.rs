//! One module per noun of the command line.

mod audit;
mod dataset;
mod demo;
mod domain;
mod identity;
mod model;
mod release;
mod run;

use std::path::Path;

use tracing_subscriber::EnvFilter;
use weir_client::{Client, IdentityFolder};

use crate::args::{Args, Command};
use crate::error::CliError;

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let identity = args.identity.as_deref();
    match args.command {
        Command::Demo(demo) => demo::run(&demo).await,
        Command::Init(init) => domain::init(&init).await,
        Command::Serve { domain } => domain::serve(&domain).await,
        Command::Identity(command) => identity::run(identity, command).await,
        Command::Dataset(command) => dataset::run(identity, command).await,
        Command::Model(command) => model::run(identity, command).await,
        Command::Run(run) => run::run(identity, &run).await,
        Command::Release(command) => release::run(identity, command).await,
        Command::Audit(command) => audit::run(identity, command).await,
    }
}

/// Starts logging to standard error: always for `serve`, elsewhere when asked.
pub(crate) fn start_logging(args: &Args) {
    let level = match args.command {
        Command::Serve { .. } => "info",
        _ if args.verbose => "info",
        _ => "off",
    };
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("off,weir={level},weir_server={level}")));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
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
