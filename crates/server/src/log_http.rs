//! The log's files over plain HTTP, by the paths of C2SP tlog-tiles: an auditor mirrors the log with any tool that knows
//! them. Read-only; only what a log has is ever looked for on the disk. Nothing here needs to be secret or signed for:
//! entries hold names, digests and counts, and a mirror that was lied to does not verify.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use weir_audit::PublicFiles;

use crate::fault::Fault;
use crate::http::{Answer, Asked, HttpServing, serve_http};

/// Tiles never change; a year is what caches understand by never.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Checkpoints change with each entry.
const NOW: &str = "no-cache";

/// Serves the log in `dir`.
pub(crate) async fn serve_log(listen: SocketAddr, dir: &Path) -> Result<HttpServing, Fault> {
    let files = PublicFiles::new(dir);
    serve_http(listen, Arc::new(move |asked| answer(&files, &asked))).await
}

fn answer(files: &PublicFiles, asked: &Asked) -> Answer {
    if asked.is_post {
        return Answer::text(405, "the log is only read here");
    }
    match files.read(&asked.path) {
        Ok(Some(file)) => Answer {
            status: 200,
            media_type: file.media_type,
            cache: if file.is_immutable { FOREVER } else { NOW },
            body: file.bytes,
        },
        Ok(None) => Answer::text(404, "the log has no such file"),
        Err(error) => {
            tracing::error!(code = error.code(), reason = %error, "a file of the log cannot be served");
            Answer::text(500, "this file of the log cannot be read")
        }
    }
}
