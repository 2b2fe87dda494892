//! What the rules raise is put on record.

use std::sync::Arc;

use chrono::DateTime;
use tokio::sync::Notify;
use uuid::Uuid;
use weir_audit::{Event, Timestamp};
use weir_registry::AlertRecord;
use weir_watch::{Raised, Rule, Signal, Watcher};

use crate::domain::Domain;
use crate::fault::{Fault, count};
use crate::grants;

/// One more signal, and what comes of it.
pub(super) async fn hear(
    domain: &Arc<Domain>,
    watcher: &mut Watcher,
    signal: &Signal,
    sending: &(bool, Arc<Notify>),
) {
    for raised in watcher.hear(signal) {
        domain.metrics.alert(raised.rule.as_str());
        tracing::warn!(
            rule = raised.rule.as_str(),
            subject = raised.subject,
            "alert"
        );
        match put_on_record(domain, raised, sending.0).await {
            Ok(()) => sending.1.notify_one(),
            // It is heard again at the next start, from the log.
            Err(fault) => tracing::error!(
                code = fault.code,
                reason = fault.message,
                "an alert was not recorded"
            ),
        }
    }
}

/// The log first, as everywhere: a crash between the two leaves an entry whose alert is raised again.
async fn put_on_record(domain: &Domain, raised: Raised, is_sent: bool) -> Result<(), Fault> {
    let id = Uuid::now_v7().to_string();
    let event = Event::AlertRaised {
        alert: id.clone(),
        rule: raised.rule.to_string(),
        subject: raised.subject.clone(),
        measured: raised.measured,
        limit: raised.limit,
        since: Timestamp::from(raised.since),
    };
    domain.record.append_async(grants::server(), event).await?;
    let record = AlertRecord {
        id,
        rule: raised.rule.to_string(),
        severity: raised.rule.severity().as_str().to_owned(),
        subject: raised.subject,
        raised_at: grants::moment(raised.at),
        since: grants::moment(raised.since),
        measured: count(raised.measured)?,
        threshold: count(raised.limit)?,
        log_index: raised.log_index.map(count).transpose()?,
        webhook: if is_sent { "waiting" } else { "none" }.to_owned(),
        attempts: 0,
        acknowledged_by: None,
        acknowledged_at: None,
        note: None,
    };
    Ok(domain.registry.add_alert(&record).await?)
}

/// An alert of before this start.
pub(super) fn remember(watcher: &mut Watcher, alert: &AlertRecord) {
    let at = DateTime::parse_from_rfc3339(&alert.raised_at);
    if let (Ok(rule), Ok(at)) = (alert.rule.parse::<Rule>(), at) {
        watcher.remember(rule, &alert.subject, at.into());
    }
}
