//! `weir run`.

use std::path::Path;

use weir_client::Client;
use weir_client::v1::{EstimateRunRequest, RunRequest};

use super::connect;
use crate::args::RunArgs;
use crate::error::CliError;
use crate::output::{Listing, print_batches};
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, args: &RunArgs) -> Result<(), CliError> {
    let client = connect(identity).await?;
    if args.estimate {
        return estimate(&client, args).await;
    }
    let mut meter = Meter::start();
    let request = RunRequest {
        sql: args.sql.clone(),
        run_id: args.run_id.clone(),
        snapshots: args.snapshot.clone(),
        grant: args.grant.clone(),
    };
    let answer = client.run(request, |step| meter.step(step)).await;
    let elapsed = meter.finish();
    let answer = answer?;
    if let Some(file) = &args.receipt {
        std::fs::write(file, &answer.receipt_json).map_err(|error| CliError::file(file, &error))?;
    }
    print_batches(&answer.table, args.output.format)?;
    eprintln!(
        "{} cells released, at most {} withheld, in {:.1} s. Run {}, log entry {}, receipt verified.",
        answer.cells_released,
        answer.cells_withheld_at_most,
        elapsed.as_secs_f64(),
        answer.run_id,
        answer.entry.index(),
    );
    Ok(())
}

/// What the query would make. Nothing is run.
async fn estimate(client: &Client, args: &RunArgs) -> Result<(), CliError> {
    let request = EstimateRunRequest {
        sql: args.sql.clone(),
        snapshots: args.snapshot.clone(),
    };
    let estimate = client.estimate_run(request).await?;
    let share = |share: Option<f64>| share.map_or("unknown".to_owned(), percent);
    let cells = match estimate.cells_declared {
        Some(cells) => cells.to_string(),
        None => "unknown: the values of a key are not declared".to_owned(),
    };
    let rows = [
        ("cells that the declared values allow", cells),
        ("most cells of one table", estimate.cells_max.to_string()),
        ("fewest units of a cell", estimate.units_min.to_string()),
        (
            "likely withheld, units spread evenly",
            share(estimate.withheld_share_even),
        ),
        (
            "likely withheld, units spread as sizes of towns",
            share(estimate.withheld_share_skewed),
        ),
        ("policy", estimate.policy),
    ];
    let mut table = Listing::new(&["what", "estimate"]);
    for (what, told) in rows {
        table = table.row(vec![what.into(), told.into()]);
    }
    table.print(args.output.format)?;
    if estimate
        .cells_declared
        .is_some_and(|cells| cells > estimate.cells_max)
    {
        eprintln!(
            "A table of so many cells is refused where they are released: group by fewer or coarser keys."
        );
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
