//! `weir audit verify`: offline, with public keys alone.

use std::path::{Path, PathBuf};

use weir_audit::{
    Certificate, Checkpoint, Cosignature, Evidence, Receipt, VerifierKey, WitnessVerifierKey,
    verify_log, verify_log_since,
};
use weir_client::v1::Progress;

use crate::commands::read_text;
use crate::error::CliError;
use crate::progress::Meter;

/// Who has to have cosigned.
#[derive(Default)]
pub(crate) struct Required {
    witnesses: Vec<WitnessVerifierKey>,
    min: usize,
}

impl Required {
    /// All that are named, unless fewer are enough.
    pub(super) fn read(files: &[PathBuf], min: Option<usize>) -> Result<Self, CliError> {
        let read = |file: &PathBuf| Ok::<_, CliError>(read_text(file)?.parse()?);
        let witnesses = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            min: min.unwrap_or(witnesses.len()),
            witnesses,
        })
    }

    fn is_any(&self) -> bool {
        !self.witnesses.is_empty()
    }
}

/// A receipt, a certificate with its receipt, or evidence against a log: each is an object with keys of its own.
pub(super) fn verify_file(
    file: &Path,
    key: &VerifierKey,
    required: &Required,
) -> Result<(), CliError> {
    let text = read_text(file)?;
    if let Ok(evidence) = Evidence::from_json(text.as_bytes()) {
        let finding = evidence.verify(key)?;
        println!("{}: the log has contradicted itself.", file.display());
        println!("{finding} [{}]", finding.code());
        return Ok(());
    }
    let certificate = Certificate::from_json(text.as_bytes()).ok();
    let (entry, cosignatures) = match &certificate {
        Some(certificate) => certificate.verify_witnessed(key, &required.witnesses, required.min),
        None => Receipt::from_json(text.as_bytes())?.verify_witnessed(
            key,
            &required.witnesses,
            required.min,
        ),
    }?;
    println!(
        "{}: entry {} is in the log `{}` of {} entries (root {}).",
        file.display(),
        entry.index(),
        entry.origin(),
        entry.tree_size(),
        entry.root(),
    );
    show(&cosignatures);
    let text = serde_json::to_string_pretty(entry.entry())
        .map_err(|error| CliError::Show(error.to_string()))?;
    println!("{text}");
    if let Some(certificate) = certificate {
        println!("It proves this certificate:\n{}", certificate.text());
    }
    Ok(())
}

fn show(cosignatures: &[Cosignature]) {
    for Cosignature {
        witness, time_s, ..
    } in cosignatures
    {
        println!(
            "Cosigned by `{witness}` at {} (its clock).",
            moment(*time_s)
        );
    }
}

/// A moment as people write it, in UTC.
fn moment(time_s: u64) -> String {
    i64::try_from(time_s)
        .ok()
        .and_then(|time_s| chrono::DateTime::from_timestamp(time_s, 0))
        .map_or_else(|| format!("{time_s} s"), |time| time.to_rfc3339())
}

/// Verifies every byte of a log and says what was found.
pub(crate) fn verify_whole(
    dir: &Path,
    key: &VerifierKey,
    since: Option<&Checkpoint>,
    required: &Required,
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
    if required.is_any() {
        let cosigned = report.cosigned.as_ref().unwrap_or(&report.signed);
        let cosignatures = cosigned.require_witnesses(&required.witnesses, required.min)?;
        println!("Its first {} entries are cosigned.", cosigned.size());
        show(&cosignatures);
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
