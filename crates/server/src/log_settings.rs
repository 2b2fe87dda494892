//! The `[log]` table of `domain.toml`: to whom the log is shown besides those who call.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How the log is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Where the log's files are served over plain HTTP, if at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_listen: Option<SocketAddr>,
}
