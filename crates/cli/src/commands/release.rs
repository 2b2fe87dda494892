//! `weir release`.

use std::path::Path;

use serde_json::json;

use super::connect;
use crate::args::ReleaseCommand;
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: ReleaseCommand) -> Result<(), CliError> {
    let ReleaseCommand::List { limit, output } = command;
    let releases = connect(identity).await?.list_releases(limit).await?;
    let head = Listing::new(&[
        "log_index",
        "released_at",
        "person",
        "organisation",
        "dataset",
        "cells_released",
        "cells_withheld",
        "run_id",
        "table_digest",
    ]);
    let listing = releases.into_iter().fold(head, |listing, release| {
        listing.row(vec![
            json!(release.log_index),
            json!(release.released_at),
            json!(release.person),
            json!(release.organisation),
            json!(release.datasets.join(", ")),
            json!(release.cells_released),
            json!(release.cells_withheld),
            json!(release.run_id),
            json!(release.table_digest),
        ])
    });
    listing.print(output.format)
}
