//! `weir audit witness`: a process elsewhere that sees to it that a log only grows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use weir_audit::{VerifierKey, Witness};

use crate::commands::domain::interrupted;
use crate::commands::read_text;
use crate::error::CliError;

/// The witness's public key, in its folder.
const PUBLIC_KEY: &str = "witness.vkey";

pub(super) async fn run(
    folder: &Path,
    name: Option<&str>,
    log_keys: &[PathBuf],
    listen: SocketAddr,
) -> Result<(), CliError> {
    if let Some(name) = name {
        let key = Witness::create(folder, name)?;
        let file = folder.join(PUBLIC_KEY);
        std::fs::write(&file, format!("{}\n", key.verifier()))
            .map_err(|error| CliError::file(&file, &error))?;
        println!("{}", key.verifier());
        eprintln!(
            "The witness `{name}` is in {}. Give its public key to the bureau and to those who verify.",
            folder.display()
        );
    }
    if log_keys.is_empty() {
        return Ok(());
    }
    let read = |file: &PathBuf| Ok::<_, CliError>(read_text(file)?.parse::<VerifierKey>()?);
    let logs = log_keys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for log in &logs {
        eprintln!("Watching `{}`.", log.origin());
    }
    let serving = weir_server::serve_witness(listen, Witness::open(folder, logs)?).await?;
    eprintln!(
        "Answering on http://{}/add-checkpoint. Ctrl-C stops.",
        serving.address()
    );
    interrupted().await;
    Ok(())
}
