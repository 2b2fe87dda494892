//! `weir audit`.

mod replay;
mod trace;
mod verify;
mod witness;

use std::path::{Path, PathBuf};

use weir_audit::{Checkpoint, VerifierKey};

pub(crate) use self::verify::{Required, verify_whole};
use super::{connect, load_identity, read_text};
use crate::args::AuditCommand;
use crate::error::CliError;

pub(crate) async fn run(identity: Option<&Path>, command: AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify {
            receipt,
            log,
            since,
            key,
            witness,
            witnesses_min,
        } => {
            let key = log_key(identity, key)?;
            let witnesses = Required::read(&witness, witnesses_min)?;
            if receipt.is_none() && log.is_none() {
                return Err(CliError::Missing(
                    "nothing to verify. Name a receipt, or a log's folder with --log DIR",
                ));
            }
            if let Some(file) = receipt {
                verify::verify_file(&file, &key, &witnesses)?;
            }
            let since = since.map(|file| read_checkpoint(&file, &key)).transpose()?;
            if let Some(dir) = log {
                verify_whole(&dir, &key, since.as_ref(), &witnesses)?;
            }
            Ok(())
        }
        AuditCommand::Trace {
            subject,
            log,
            key,
            output,
        } => trace::run(&log, &log_key(identity, key)?, &subject, output.format),
        AuditCommand::Replay(args) => replay::run(identity, &args).await,
        AuditCommand::Witness {
            folder,
            name,
            log_key,
            listen,
        } => witness::run(&folder, name.as_deref(), &log_key, listen).await,
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

/// The log's public key: of a file, or else the identity's.
pub(crate) fn log_key(
    identity: Option<&Path>,
    file: Option<PathBuf>,
) -> Result<VerifierKey, CliError> {
    let text = match file {
        Some(file) => read_text(&file)?,
        None => load_identity(identity)?.log_key,
    };
    Ok(text.parse()?)
}

/// A checkpoint in a file, by the log's key.
fn read_checkpoint(file: &Path, key: &VerifierKey) -> Result<Checkpoint, CliError> {
    Ok(Checkpoint::verify(read_text(file)?.as_bytes(), key)?)
}
