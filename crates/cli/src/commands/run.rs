//! `weir run`.

use std::path::Path;

use weir_client::v1::RunRequest;

use super::connect;
use crate::args::RunArgs;
use crate::error::CliError;
use crate::output::print_batches;
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, args: &RunArgs) -> Result<(), CliError> {
    let client = connect(identity).await?;
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
