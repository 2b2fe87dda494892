//! What a client can meet.

use std::path::PathBuf;

use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A call that did not succeed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused or failed.
    #[error("{message} [{code}]")]
    Refused {
        /// Stable code, see `docs/errors.md`.
        code: String,
        /// `caller`, `model`, `policy`, `environment` or `bug`.
        family: String,
        /// What was wrong, where, and what to do.
        message: String,
    },
    /// The server could not be reached, or the connection broke.
    #[error(
        "cannot speak with {server}: {reason}. Check that `weir serve` runs there and that the identity is of that domain"
    )]
    Connection {
        /// Its address.
        server: String,
        /// What the transport says.
        reason: String,
    },
    /// A file of the identity.
    #[error("the identity `{}` cannot be used: {reason}. Name a folder made by `weir init` or `weir identity issue`", folder.display())]
    Identity {
        /// The identity's folder.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What came back does not hold.
    #[error("the server's answer does not hold: {0}. Do not use it, and tell an auditor")]
    Untrusted(String),
    /// A local file.
    #[error("`{}` cannot be read: {reason}. Check the path", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl ClientError {
    /// The stable code; of the server's where it refused.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Connection { .. } => "CONNECTION_FAILED",
            Self::Identity { .. } => "IDENTITY_INVALID",
            Self::Untrusted(_) => "ANSWER_UNTRUSTED",
            Self::File { .. } => "FILE_FAILED",
        }
    }

    pub(crate) fn from_status(status: &Status, server: &str) -> Self {
        if let Some(info) = status.get_details_error_info() {
            return Self::Refused {
                code: info.reason,
                family: info.metadata.get("family").cloned().unwrap_or_default(),
                message: status.message().to_owned(),
            };
        }
        match status.code() {
            Code::Unavailable | Code::Unknown | Code::Cancelled => Self::Connection {
                server: server.to_owned(),
                reason: innermost(status),
            },
            code => Self::Refused {
                code: format!("GRPC_{}", i32::from(code)),
                family: "caller".to_owned(),
                message: format!("{}: {}", code.description(), status.message()),
            },
        }
    }
}

/// The last cause of an error: transports wrap what they know.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
