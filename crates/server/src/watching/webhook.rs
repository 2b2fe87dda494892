//! Telling somebody else of alerts: an HTTPS POST, signed, tried again until it is taken.
//!
//! The queue is the registry's table, so that nothing is lost with the process, and memory holds a few at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::sync::{Notify, watch};
use weir_registry::AlertRecord;

use super::signature::Secret;
use crate::alert_settings::WebhookConfig;
use crate::domain::Domain;
use crate::fault::Fault;

/// How long the receiver may take to be reached, and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Alerts taken out of the registry at once.
const BATCH: u32 = 16;
/// How often one alert is tried. With the pauses below that is a day.
const ATTEMPTS_MAX: i64 = 300;
/// The pause after a failure, doubled after each up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Where alerts are sent.
pub(crate) struct Webhook {
    url: String,
    client: reqwest::Client,
    secret: Secret,
}

impl Webhook {
    /// The one of the settings. It follows no redirection and knows no proxy: alerts go where the settings say.
    pub(crate) fn open(config: &WebhookConfig, secret: &Path) -> Result<Self, Fault> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| {
                Fault::environment(
                    "TLS_FAILED",
                    format!("alerts cannot be sent: {error}. Check the system's certificates"),
                )
            })?;
        Ok(Self {
            url: config.url.clone(),
            client,
            secret: Secret::open(secret)?,
        })
    }

    /// Sends what waits, and what comes, until it is stopped.
    pub(super) async fn send_all(
        self,
        domain: Arc<Domain>,
        news: Arc<Notify>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut pause = PAUSE_MIN;
        loop {
            let went_well = tokio::select! {
                sent = self.send_waiting(&domain) => sent,
                _ = stopped.wait_for(|stopped| *stopped) => return,
            };
            // After a failure everybody waits: there is one receiver.
            let again = async {
                match went_well {
                    Ok(()) => news.notified().await,
                    Err(()) => tokio::time::sleep(pause).await,
                }
            };
            tokio::select! {
                () = again => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            pause = match went_well {
                Ok(()) => PAUSE_MIN,
                Err(()) => (pause * 2).min(PAUSE_MAX),
            };
        }
    }

    /// Sends until nothing waits, or something fails.
    async fn send_waiting(&self, domain: &Domain) -> Result<(), ()> {
        loop {
            let waiting = domain.registry.alerts_waiting(BATCH).await;
            let waiting = waiting.map_err(|error| failed(error.code()))?;
            if waiting.is_empty() {
                return Ok(());
            }
            for alert in waiting {
                let sent = self.send(&domain.config.name, &alert).await;
                domain.metrics.sent(sent.is_ok());
                let is_last = alert.attempts + 1 >= ATTEMPTS_MAX;
                let webhook = match sent {
                    Ok(()) => "sent",
                    Err(()) if is_last => "given up",
                    Err(()) => "waiting",
                };
                let noted = domain.registry.alert_tried(&alert.id, webhook).await;
                noted.map_err(|error| failed(error.code()))?;
                sent?;
            }
        }
    }

    async fn send(&self, domain: &str, alert: &AlertRecord) -> Result<(), ()> {
        let body = body(domain, alert).to_string();
        let timestamp_s = Utc::now().timestamp();
        let answer = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", &alert.id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header(
                "webhook-signature",
                self.secret.sign(&alert.id, timestamp_s, &body),
            )
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                tracing::warn!(
                    status = answer.status().as_u16(),
                    "the webhook does not take an alert"
                );
                Err(())
            }
            Err(_) => {
                tracing::warn!("the webhook cannot be reached");
                Err(())
            }
        }
    }
}

fn failed(code: &'static str) {
    tracing::error!(code, "alerts that wait to be sent cannot be read or noted");
}

/// What is sent. Names, codes and counts, as in the registry.
fn body(domain: &str, alert: &AlertRecord) -> serde_json::Value {
    json!({
        "type": "alert.raised",
        "timestamp": alert.raised_at,
        "data": {
            "alert": alert.id,
            "domain": domain,
            "rule": alert.rule,
            "severity": alert.severity,
            "subject": alert.subject,
            "since": alert.since,
            "measured": alert.measured,
            "limit": alert.threshold,
            "log_index": alert.log_index,
        },
    })
}
