//! `weir airlock`.

use std::path::Path;

use serde_json::json;
use weir_client::Client;
use weir_client::v1::{AirlockDecision, AirlockEntry, AirlockTable, DecideAirlockRequest};

use super::connect;
use crate::args::{AirlockCommand, DecideArgs, Format};
use crate::error::CliError;
use crate::output::{Listing, print, print_batches};

pub(crate) async fn run(identity: Option<&Path>, command: AirlockCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        AirlockCommand::List { all, output } => {
            listing(&client.list_airlock(!all).await?).print(output.format)
        }
        AirlockCommand::Show {
            run,
            without_table,
            output,
        } => match without_table {
            true => entry(&client.airlock_entry(&run).await?, output.format),
            false => show(&client, &run, output.format).await,
        },
        AirlockCommand::Approve(args) => decide(&client, args, AirlockDecision::Approve).await,
        AirlockCommand::Reject(args) => decide(&client, args, AirlockDecision::Reject).await,
    }
}

/// The table goes to standard output; what is known of it besides, to standard error where the output is for programs.
async fn show(client: &Client, run: &str, format: Format) -> Result<(), CliError> {
    let shown = client.airlock_table(run).await?;
    if format == Format::Table {
        entry(&shown.entry, format)?;
        print(&about(&shown.table))?;
    } else {
        eprint!("{}", about(&shown.table));
    }
    print_batches(&shown.batches, format)?;
    if format == Format::Table {
        print(&format!(
            "Let it go with: weir airlock approve {run} --digest {} --reason TEXT\n",
            shown.table.table_digest
        ))?;
    }
    Ok(())
}

fn about(table: &AirlockTable) -> String {
    let rules = table.withheld_by.iter();
    let rules: Vec<_> = rules
        .map(|of| format!("{} {}", of.rule, of.cells))
        .collect();
    let lines = [
        format!("waits for    {}", table.reasons.join(", ")),
        format!("released     {} cells", table.cells_released),
        format!(
            "withheld     {} cells ({})",
            table.cells_withheld,
            rules.join(", ")
        ),
        format!(
            "negative     {} of the released cells",
            table.cells_negative
        ),
        format!("digest       {}", table.table_digest),
    ];
    lines.join("\n") + "\n"
}

async fn decide(
    client: &Client,
    args: DecideArgs,
    decision: AirlockDecision,
) -> Result<(), CliError> {
    let request = DecideAirlockRequest {
        run_id: args.run,
        table_digest: args.digest,
        decision: decision.into(),
        reason: args.reason,
    };
    entry(&client.decide_airlock(request).await?, args.output.format)
}

fn entry(entry: &AirlockEntry, format: Format) -> Result<(), CliError> {
    listing(std::slice::from_ref(entry)).print(format)?;
    if format != Format::Table {
        return Ok(());
    }
    let mut lines = vec![
        format!("grant        {}", entry.grant),
        format!("snapshots    {}", entry.snapshots.join(", ")),
        format!("models       {}", entry.models.join(", ")),
        format!("in the log   {}", entry.sealed_digest),
    ];
    for review in &entry.reviews {
        let said = match review.approves {
            true => "lets it go",
            false => "keeps it back",
        };
        lines.push(format!(
            "review       {} ({}) {said}: {}",
            review.person, review.organisation, review.reason
        ));
    }
    if !entry.sql.is_empty() {
        lines.push(format!("query        {}", entry.sql));
    }
    print(&(lines.join("\n") + "\n"))
}

fn listing(entries: &[AirlockEntry]) -> Listing {
    let head = Listing::new(&[
        "run",
        "person",
        "organisation",
        "datasets",
        "state",
        "approvals",
        "entered_at",
        "expires_at",
        "ended_at",
    ]);
    entries.iter().fold(head, |listing, entry| {
        let approvals = entry.reviews.iter().filter(|review| review.approves);
        listing.row(vec![
            json!(entry.run_id),
            json!(entry.person),
            json!(entry.organisation),
            json!(entry.datasets.join(", ")),
            json!(entry.state),
            json!(approvals.count()),
            json!(entry.entered_at),
            json!(entry.expires_at),
            json!(entry.ended_at),
        ])
    })
}
