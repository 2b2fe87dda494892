//! The `[metrics]` and `[traces]` tables of `domain.toml`: whom the server tells how it is.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Where metrics are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Address and port; nowhere unless it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

/// Where traces are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// An OpenTelemetry collector that speaks OTLP over gRPC, such as `http://127.0.0.1:4317`; nowhere unless it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}
