//! `weir audit replay`: a release, made again inside the domain and compared bit for bit.

use std::path::Path;

use serde_json::json;
use weir_client::v1::{ReleaseReplay, ReplayReleaseRequest};

use super::connect;
use crate::args::{Format, ReplayArgs};
use crate::error::CliError;
use crate::output::Listing;
use crate::progress::Meter;

pub(super) async fn run(identity: Option<&Path>, args: &ReplayArgs) -> Result<(), CliError> {
    let client = connect(identity).await?;
    let request = ReplayReleaseRequest {
        release: args.release.clone(),
        threads: args.threads,
        batch_rows: args.batch_rows,
    };
    let mut meter = Meter::start();
    let replay = client
        .replay_release(request, |step| meter.step(step))
        .await;
    meter.finish();
    let replay = replay?;
    match args.output.format {
        Format::Table => for_people(&replay),
        format => listing(&replay).print(format)?,
    }
    match replay.same {
        true => Ok(()),
        false => Err(CliError::Missing(
            "other bits came of it than were released. See docs/audit.md, `Replaying`, for what that can mean",
        )),
    }
}

fn for_people(replay: &ReleaseReplay) {
    println!("Entry {}, run {}", replay.log_index, replay.run_id);
    println!("  request    {}", replay.sql);
    println!("  snapshots  {}", replay.snapshots.join(", "));
    if !replay.models.is_empty() {
        println!("  models     {}", replay.models.join(", "));
    }
    println!("  policy     {}", replay.policy_digest);
    println!(
        "  released   {}   by Weir {}",
        replay.table_digest, replay.released_with
    );
    println!(
        "  replayed   {}   by Weir {}",
        replay.replayed_digest, replay.replayed_with
    );
    if replay.same {
        println!("The same bits came of it.");
    }
}

fn listing(replay: &ReleaseReplay) -> Listing {
    let head = Listing::new(&[
        "same",
        "run",
        "log_index",
        "table_digest",
        "replayed_digest",
        "sql",
        "snapshots",
        "models",
        "policy_digest",
        "released_with",
        "replayed_with",
    ]);
    head.row(vec![
        json!(replay.same),
        json!(replay.run_id),
        json!(replay.log_index),
        json!(replay.table_digest),
        json!(replay.replayed_digest),
        json!(replay.sql),
        json!(replay.snapshots),
        json!(replay.models),
        json!(replay.policy_digest),
        json!(replay.released_with),
        json!(replay.replayed_with),
    ])
}
