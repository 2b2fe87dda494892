//! A witness over HTTP: the one call of C2SP tlog-witness.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::Utc;
use weir_audit::Witness;

use crate::fault::Fault;
use crate::http::{Answer, Asked, HttpServing, serve_http};

/// Serves a witness on an address; port 0 picks a free one.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve_witness(listen: SocketAddr, witness: Witness) -> Result<HttpServing, Fault> {
    serve_http(listen, Arc::new(move |asked| answer(&witness, &asked))).await
}

fn answer(witness: &Witness, asked: &Asked) -> Answer {
    if asked.path != "add-checkpoint" {
        return Answer::text(404, "a witness answers POST /add-checkpoint");
    }
    if !asked.is_post {
        return Answer::text(405, "a witness answers POST /add-checkpoint");
    }
    let now_s = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
    match witness.add_checkpoint(&asked.body, now_s) {
        Ok(answer) => {
            tracing::info!(status = answer.status(), "add-checkpoint");
            Answer {
                status: answer.status(),
                media_type: answer.media_type(),
                cache: "no-store",
                body: answer.body().into_bytes(),
            }
        }
        Err(error) => {
            tracing::error!(code = error.code(), reason = %error, "the checkpoint cannot be written down");
            Answer::text(500, "the witness cannot write down what it sees")
        }
    }
}
