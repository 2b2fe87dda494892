//! The `[alerts]` table of `domain.toml`: what is watched for, and where alerts are sent.

use serde::{Deserialize, Serialize};
use weir_watch::Rules;

use crate::fault::Fault;

/// What is watched for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertConfig {
    /// Where alerts are sent, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookConfig>,
    /// The rules.
    pub rules: Rules,
}

/// Where alerts are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Who is told of each alert: `https://…`, or `http://` on this machine.
    pub url: String,
}

impl AlertConfig {
    /// Refuses settings that are outside their limits.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.rules
            .check()
            .map_err(|wrong| invalid(&format!("`[alerts]` of domain.toml: {wrong}")))?;
        self.webhook.as_ref().map_or(Ok(()), WebhookConfig::check)
    }
}

impl WebhookConfig {
    /// What is sent is signed, and not secret on this machine alone.
    fn check(&self) -> Result<(), Fault> {
        let wrong = || {
            invalid(
                "`[alerts.webhook]` of domain.toml: `url` is `https://…`, or `http://` with an address of this machine such \
                 as 127.0.0.1",
            )
        };
        let url = reqwest::Url::parse(&self.url).map_err(|_| wrong())?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_here => Ok(()),
            _ => Err(wrong()),
        }
    }
}

fn invalid(message: &str) -> Fault {
    Fault::caller("CONFIG_INVALID", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_to_another_machine_is_encrypted() {
        let check = |url: &str| {
            WebhookConfig {
                url: url.to_owned(),
            }
            .check()
            .is_ok()
        };
        for url in [
            "https://alerts.example/weir",
            "http://127.0.0.1:9/x",
            "http://[::1]:9/x",
            "http://localhost/x",
        ] {
            assert!(check(url), "{url}");
        }
        for url in [
            "",
            "alerts.example",
            "http://alerts.example/",
            "http://10.0.0.1/",
            "ftp://localhost/",
            "file:///etc",
        ] {
            assert!(!check(url), "{url}");
        }
    }
}
