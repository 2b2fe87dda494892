//! `domain.toml`: the settings of a domain.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::alert_settings::AlertConfig;
use crate::fair::FairUseConfig;
use crate::fault::Fault;
use crate::log_settings::LogConfig;
use crate::observe_settings::{MetricsConfig, TracesConfig};
use crate::retention::RetentionConfig;
use crate::usage::UsageConfig;
use crate::vault_settings::VaultConfig;
use crate::wait::Wait;

/// Where a server listens unless told otherwise: loopback, so that opening it to a network is a decision.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:7843";

/// The settings of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The domain's name, for people and for the log's origin.
    pub name: String,
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Names and addresses clients may reach the server by; they go into its certificate.
    pub server_names: Vec<String>,
    /// Folders that files may be registered from.
    pub inboxes: Vec<PathBuf>,
    /// How long a policy that loosens waits after its approval before it takes effect.
    #[serde(default)]
    pub policy_loosening_wait: Wait,
    /// How many organisations have to be in favour of an application before it is granted, whoever issues the grant
    /// included.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub grant_reviewers: u8,
    /// How many people, each of another organisation, have to approve a model.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub model_reviewers: u8,
    /// How long a table waits for people to look at it, and after their approval for its operator to call for it.
    #[serde(default = "airlock_wait", skip_serializing_if = "is_airlock_wait")]
    pub airlock_wait: Wait,
    /// What runs have read is heard of in multiples of this time alone, so that their duration says little. None: at once.
    #[serde(default = "no_wait", skip_serializing_if = "is_no_wait")]
    pub result_slot: Wait,
    /// Files with certificates (PEM) of authorities beside the domain's own, whose clients may connect. Whom the domain
    /// lets in, the registry still decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_authorities: Vec<PathBuf>,
    /// Where snapshots lie, and who keeps the master key.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vault: VaultConfig,
    /// How the log is published.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log: LogConfig,
    /// What is watched for, and where alerts are sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alerts: AlertConfig,
    /// Where metrics are shown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: MetricsConfig,
    /// Where traces are sent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub traces: TracesConfig,
    /// What one operator may have at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fair_use: FairUseConfig,
    /// What usage costs, and who gets it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub usage: UsageConfig,
    /// How long what may go one day is kept.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retention: RetentionConfig,
}

const fn one() -> u8 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_one(number: &u8) -> bool {
    *number == 1
}

const fn airlock_wait() -> Wait {
    Wait::AIRLOCK
}

fn is_airlock_wait(wait: &Wait) -> bool {
    *wait == Wait::AIRLOCK
}

const fn no_wait() -> Wait {
    Wait::NONE
}

fn is_no_wait(wait: &Wait) -> bool {
    *wait == Wait::NONE
}

fn is_default<T: Default + PartialEq>(settings: &T) -> bool {
    *settings == T::default()
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// Where the file is missing or wrong, with the place in it.
    pub fn load(file: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Fault::environment(
                "DOMAIN_NOT_FOUND",
                format!(
                    "`{}` cannot be read: {error}. Make a domain with `weir init DIR`",
                    file.display()
                ),
            )
        })?;
        toml::from_str(&text).map_err(|error| {
            Fault::caller("CONFIG_INVALID", format!("`{}`: {error}", file.display()))
        })
    }

    /// Where clients on this machine reach the server.
    #[must_use]
    pub fn server_url(&self) -> String {
        format!("https://{}", self.listen)
    }

    /// The settings as they are written by `weir init`.
    ///
    /// # Errors
    /// Where a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, Fault> {
        let body = toml::to_string(self).map_err(|error| {
            Fault::caller(
                "CONFIG_INVALID",
                format!("the settings cannot be written: {error}. Use UTF-8 paths"),
            )
        })?;
        Ok(format!(
            "# Settings of a Weir domain. Restart `weir serve` after a change.\n{body}"
        ))
    }
}
