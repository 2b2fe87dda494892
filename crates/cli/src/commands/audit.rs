//! `weir audit`.

use std::path::Path;

use weir_audit::{Certificate, Checkpoint, Receipt, VerifierKey, verify_log, verify_log_since};
use weir_client::v1::Progress;

use super::{connect, load_identity, read_text};
use crate::args::AuditCommand;
use crate::error::CliError;
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, command: AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify {
            receipt,
            log,
            since,
            key,
        } => {
            let key = match key {
                Some(file) => read_text(&file)?,
                None => load_identity(identity)?.log_key,
            };
            let key: VerifierKey = key.trim().parse()?;
            if receipt.is_none() && log.is_none() {
                return Err(CliError::Missing(
                    "nothing to verify. Name a receipt, or a log's folder with --log DIR",
                ));
            }
            receipt
                .iter()
                .try_for_each(|file| verify_receipt(file, &key))?;
            let since = since.map(|file| read_checkpoint(&file, &key)).transpose()?;
            log.iter()
                .try_for_each(|dir| verify_whole(dir, &key, since.as_ref()))
        }
        AuditCommand::Checkpoint { since } => {
            let client = connect(identity).await?;
            let note = match since {
                Some(file) => {
                    let before = read_checkpoint(&file, client.log_key())?;
                    let now = client.checkpoint_since(&before).await?;
                    eprintln!(
                        "The log of {} entries continues that of {}.",
                        now.size(),
                        before.size()
                    );
                    now.note().to_owned()
                }
                None => client.checkpoint().await?,
            };
            print!("{note}");
            Ok(())
        }
    }
}

/// A checkpoint in a file, by the log's key.
fn read_checkpoint(file: &Path, key: &VerifierKey) -> Result<Checkpoint, CliError> {
    Ok(Checkpoint::verify(read_text(file)?.as_bytes(), key)?)
}

/// A receipt, or a certificate with its receipt: only the latter is an object with that key.
fn verify_receipt(file: &Path, key: &VerifierKey) -> Result<(), CliError> {
    let text = read_text(file)?;
    let certificate = Certificate::from_json(text.as_bytes()).ok();
    let entry = match &certificate {
        Some(certificate) => certificate.verify(key)?,
        None => Receipt::from_json(text.as_bytes())?.verify(key)?,
    };
    println!(
        "{}: entry {} is in the log `{}` of {} entries (root {}).",
        file.display(),
        entry.index(),
        entry.origin(),
        entry.tree_size(),
        entry.root(),
    );
    let text = serde_json::to_string_pretty(entry.entry())
        .map_err(|error| CliError::Show(error.to_string()))?;
    println!("{text}");
    if let Some(certificate) = certificate {
        println!("It proves this certificate:\n{}", certificate.text());
    }
    Ok(())
}

/// Verifies every byte of a log and says what was found.
pub(crate) fn verify_whole(
    dir: &Path,
    key: &VerifierKey,
    since: Option<&Checkpoint>,
) -> Result<(), CliError> {
    let mut meter = Meter::start();
    let mut progress = |done: u64, total: u64| {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        meter.step(&Progress {
            stage: "verifying the log".to_owned(),
            percent: u32::try_from(percent).ok(),
            rows: None,
        });
    };
    let report = match since {
        Some(before) => verify_log_since(dir, key, before, &mut progress),
        None => verify_log(dir, key, &mut progress),
    };
    meter.finish();
    let report = report?;
    println!(
        "{}: {} entries of `{}` verify, root {}.",
        dir.display(),
        report.entries,
        report.origin,
        report.root,
    );
    if let Some(before) = since {
        println!(
            "They continue the log of {} entries that was signed before.",
            before.size()
        );
    }
    let strange = [
        (
            "beyond the checkpoint (an append under way, or a checkpoint that was put back)",
            &report.beyond_checkpoint,
        ),
        ("not written by any log", &report.unexpected),
    ];
    for (what, files) in strange {
        for file in files {
            println!("  {file}: {what}");
        }
    }
    Ok(())
}
