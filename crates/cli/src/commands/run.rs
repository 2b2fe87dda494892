//! `weir run`.

use std::path::Path;

use weir_client::Client;
use weir_client::v1::{BudgetLeft, Estimate, EstimateRunRequest, RunRequest};

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
    let bits = match (estimate.bits_min, estimate.bits_max) {
        (min, max) if min == max => max.to_string(),
        (min, max) => format!("{min} to {max}"),
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
        ("policy", estimate.policy.clone()),
        ("bits that it can say", bits),
        (
            "most bits of one release",
            estimate.bits_run_max.to_string(),
        ),
    ];
    let mut table = Listing::new(&["what", "estimate"]);
    for (what, told) in rows {
        table = table.row(vec![what.into(), told.into()]);
    }
    for budget in &estimate.budgets {
        let what = format!("{} left of `{}`", budget.budget, budget.of);
        let told = format!("{} of {}", budget.left, budget.allows);
        table = table.row(vec![what.into(), told.into()]);
    }
    table.print(args.output.format)?;
    if let Some(missing) = missing(&estimate) {
        eprintln!("The run is refused: {missing}.");
    }
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

/// What of a run's needs is not there.
fn missing(estimate: &Estimate) -> Option<String> {
    if estimate.bits_min > estimate.bits_run_max {
        return Some("one release may not say so much".to_owned());
    }
    let short = |budget: &&BudgetLeft| {
        budget.budget != "epsilon, millionths" && budget.left < estimate.bits_min
    };
    let budget = estimate.budgets.iter().find(short)?;
    Some(format!(
        "too few {} are left of `{}`, unless the very same was answered before",
        budget.budget, budget.of
    ))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
