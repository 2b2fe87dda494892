//! One question to one witness.

use std::sync::atomic::Ordering;
use std::time::Duration;

use weir_audit::{Checkpoint, add_checkpoint};

use super::{Asked, off_thread};
use crate::fault::Fault;
use crate::record::Record;

/// How long a witness may take to be reached, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer looked at: some lines.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Something to ask with. It follows no redirection and knows no proxy: a witness is where the settings say.
pub(super) fn client() -> Result<reqwest::Client, Fault> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| {
            Fault::environment(
                "TLS_FAILED",
                format!("witnesses cannot be asked: {error}. Check the system's certificates"),
            )
        })
}

/// Asks a witness to cosign a checkpoint. `None` where it did not; why is in the server's log.
pub(super) async fn ask(
    record: &Record,
    client: &reqwest::Client,
    witness: &Asked,
    checkpoint: &Checkpoint,
) -> Option<String> {
    // Twice: what the witness saw last is known for certain only after it has said so.
    for _ in 0..2 {
        let old_size = witness.seen();
        if old_size > checkpoint.size() {
            return alarm(
                witness,
                "it has cosigned a larger log than there is: this log was put back to an older state",
            );
        }
        let request = request(record, old_size, checkpoint).await?;
        let (status, body) = match send(client, &witness.url, request).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(
                    witness = witness.key.witness(),
                    "the witness cannot be reached"
                );
                return None;
            }
        };
        match status {
            200 => return cosigned(witness, checkpoint, &body),
            409 => {
                let Some(size) = body
                    .trim_end()
                    .parse()
                    .ok()
                    .filter(|size| *size != old_size)
                else {
                    return alarm(
                        witness,
                        "it has cosigned another tree of this size: two histories were shown",
                    );
                };
                witness.seen.store(size, Ordering::Relaxed);
            }
            422 => {
                return alarm(
                    witness,
                    "it does not see this log continue the one it has cosigned",
                );
            }
            status => {
                tracing::warn!(
                    witness = witness.key.witness(),
                    status,
                    "the witness does not cosign"
                );
                return None;
            }
        }
    }
    None
}

async fn request(record: &Record, old_size: u64, checkpoint: &Checkpoint) -> Option<String> {
    let to_size = checkpoint.size();
    let proof = off_thread(record, move |log| {
        Ok(log.consistency_between(old_size, to_size)?)
    })
    .await;
    match proof {
        Ok(proof) => Some(add_checkpoint(old_size, &proof, checkpoint)),
        Err(fault) => {
            tracing::error!(
                code = fault.code,
                reason = fault.message,
                "a proof for a witness failed"
            );
            None
        }
    }
}

async fn send(
    client: &reqwest::Client,
    url: &str,
    request: String,
) -> Result<(u16, String), reqwest::Error> {
    let mut answer = client.post(url).body(request).send().await?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// The line of the witness, if it is one.
fn cosigned(witness: &Asked, checkpoint: &Checkpoint, body: &str) -> Option<String> {
    let keys = std::slice::from_ref(&witness.key);
    let fits = checkpoint
        .with_cosignatures(body, keys)
        .and_then(|cosigned| cosigned.require_witnesses(keys, 1));
    if fits.is_err() {
        tracing::error!(
            witness = witness.key.witness(),
            "what the witness answered is not its cosignature"
        );
        return None;
    }
    witness.seen.store(checkpoint.size(), Ordering::Relaxed);
    Some(body.to_owned())
}

fn alarm(witness: &Asked, what: &str) -> Option<String> {
    tracing::error!(
        witness = witness.key.witness(),
        what,
        "a witness contradicts this log"
    );
    None
}
