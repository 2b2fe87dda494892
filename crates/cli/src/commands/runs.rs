//! `weir runs`.

use std::path::Path;

use serde_json::json;
use weir_client::v1::{RunState, RunStatus};

use super::connect;
use crate::args::RunsCommand;
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: RunsCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        RunsCommand::Show { run, output } => {
            listing(&client.run_status(&run).await?).print(output.format)
        }
        RunsCommand::Watch { run, output } => {
            let last = client
                .watch_run(&run, |status| {
                    eprintln!("{:>3} % {}", status.percent, name(status.state()));
                })
                .await?;
            listing(&last).print(output.format)
        }
        RunsCommand::Cancel { run } => {
            client.cancel_run(&run).await?;
            eprintln!("If run {run} was under way or in review, it releases nothing.");
            Ok(())
        }
    }
}

const fn name(state: RunState) -> &'static str {
    match state {
        RunState::Unspecified => "unknown",
        RunState::Running => "running",
        RunState::InReview => "in review",
        RunState::Ready => "ready",
        RunState::Released => "released",
        RunState::Refused => "refused",
    }
}

fn listing(status: &RunStatus) -> Listing {
    Listing::new(&[
        "run",
        "state",
        "percent",
        "seconds_at_most",
        "grant",
        "runs_left",
        "cells_left",
    ])
    .row(vec![
        json!(status.run_id),
        json!(name(status.state())),
        json!(status.percent),
        json!(status.seconds_at_most),
        json!(status.grant),
        json!(status.runs_left),
        json!(status.cells_left),
    ])
}
