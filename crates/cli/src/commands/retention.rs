//! `weir retention`.

use std::path::Path;

use clap::ValueEnum;
use serde_json::json;
use weir_client::v1::DestroyKeptRequest;

use super::connect;
use crate::args::RetentionCommand;
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(
    identity: Option<&Path>,
    command: RetentionCommand,
) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        RetentionCommand::Show { output } => {
            let head = Listing::new(&[
                "kind",
                "days",
                "count",
                "oldest",
                "kept_until",
                "past_term",
                "destroyable",
            ]);
            let kinds = client.retention().await?;
            let listing = kinds.into_iter().fold(head, |listing, kind| {
                listing.row(vec![
                    json!(kind.kind),
                    json!(kind.days),
                    json!(kind.count),
                    json!(kind.oldest),
                    json!(kind.until),
                    json!(kind.due),
                    json!(kind.destroyable),
                ])
            });
            listing.print(output.format)
        }
        RetentionCommand::Destroy {
            kind,
            run_id,
            reason,
        } => {
            let name = kind.to_possible_value();
            let request = DestroyKeptRequest {
                kind: name.map_or_else(String::new, |name| name.get_name().to_owned()),
                run_id,
                reason,
            };
            let destroyed = client.destroy_kept(request).await?;
            println!("{} destroyed.", destroyed.destroyed);
            if destroyed.left > 0 {
                println!("{} more are past their term: ask again.", destroyed.left);
            }
            Ok(())
        }
    }
}
