//! The `[log]` table of `domain.toml`: to whom the log is shown, and who has to have seen it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// How the log is published and witnessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Where the log's files are served over plain HTTP, if at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_listen: Option<SocketAddr>,
    /// How many witnesses must have cosigned an entry before its release is handed out.
    pub witnesses_required: usize,
    /// Who is asked to cosign each checkpoint.
    pub witnesses: Vec<WitnessConfig>,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its public key, as `weir audit witness` prints it.
    pub key: String,
    /// Where it answers; `/add-checkpoint` is put behind it (C2SP tlog-witness).
    pub url: String,
}
