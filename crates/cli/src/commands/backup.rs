//! `weir backup`.

use serde_json::json;
use weir_server::BackupSummary;

use super::read_text;
use crate::args::{BackupCommand, Format};
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(command: BackupCommand) -> Result<(), CliError> {
    match command {
        BackupCommand::Create {
            domain,
            into,
            keys,
            output,
        } => {
            let summary = weir_server::create_backup(&domain, &into, keys.as_deref()).await?;
            show(&summary, output.format)?;
            if keys.is_none() {
                eprintln!(
                    "The secret keys are not in it. Without a copy of {} nobody can restore it.",
                    domain.join("keys").display()
                );
            }
            Ok(())
        }
        BackupCommand::Restore {
            backup,
            into,
            keys,
            output,
        } => {
            let summary = weir_server::restore_backup(&backup, &keys, &into).await?;
            show(&summary, output.format)?;
            eprintln!(
                "Restored to {}. Make sure that the old one is gone, look at domain.toml, then: weir serve {}",
                into.display(),
                into.display()
            );
            Ok(())
        }
        BackupCommand::Verify {
            backup,
            key,
            since,
            output,
        } => {
            let key = key.map(|file| Ok::<_, CliError>(read_text(&file)?.parse()?));
            let since = since.map(|file| read_text(&file)).transpose()?;
            let key = key.transpose()?;
            let summary =
                weir_server::verify_backup(&backup, key.as_ref(), since.as_deref()).await?;
            show(&summary, output.format)
        }
    }
}

fn show(summary: &BackupSummary, format: Format) -> Result<(), CliError> {
    let listing = Listing::new(&[
        "domain",
        "made_at",
        "files",
        "bytes",
        "log_entries",
        "runs",
        "snapshots",
        "snapshots_elsewhere",
    ]);
    let row = vec![
        json!(summary.domain),
        json!(summary.made_at),
        json!(summary.files),
        json!(summary.bytes),
        json!(summary.log_entries),
        json!(summary.runs),
        json!(summary.snapshots),
        json!(summary.snapshots_elsewhere),
    ];
    listing.row(row).print(format)
}
