//! `AlertService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use weir_api::v1::alert_service_server::AlertService;
use weir_api::v1::{
    self, AcknowledgeAlertRequest, GetAlertRequest, ListAlertsRequest, ListAlertsResponse,
};
use weir_audit::{Digest, Event};
use weir_registry::AlertRecord;

use super::{enter, refused};
use crate::access::{Call, Caller};
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::grants;

/// Alerts listed unless asked otherwise.
const LIMIT_DEFAULT: u32 = 100;
/// Alerts listed at most.
const LIMIT_MAX: u32 = 1_000;
/// Longest note, in characters.
const NOTE_CHARS_MAX: usize = 500;

pub(crate) struct Alerts(pub(crate) Arc<Domain>);

#[tonic::async_trait]
impl AlertService for Alerts {
    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        let _entered = enter(&self.0, &request, Call::ReadAlerts).await?;
        let listed = list(&self.0, request.get_ref()).await;
        let alerts = listed.map_err(|fault| refused(Call::ReadAlerts, fault))?;
        Ok(Response::new(ListAlertsResponse { alerts }))
    }

    async fn get_alert(
        &self,
        request: Request<GetAlertRequest>,
    ) -> Result<Response<v1::Alert>, Status> {
        let _entered = enter(&self.0, &request, Call::ReadAlerts).await?;
        let alert = find(&self.0, &request.get_ref().id).await;
        alert
            .map(|alert| Response::new(to_proto(alert)))
            .map_err(|fault| refused(Call::ReadAlerts, fault))
    }

    async fn acknowledge_alert(
        &self,
        request: Request<AcknowledgeAlertRequest>,
    ) -> Result<Response<v1::Alert>, Status> {
        let caller = enter(&self.0, &request, Call::AcknowledgeAlert).await?;
        let (domain, request) = (Arc::clone(&self.0), request.into_inner());
        // A task of its own: a client that goes away must not leave an entry without its effect.
        let work = tokio::spawn(async move { acknowledge(&domain, &caller, &request).await });
        let alert = work.await.unwrap_or_else(|_| Err(panicked()));
        alert
            .map(|alert| Response::new(to_proto(alert)))
            .map_err(|fault| refused(Call::AcknowledgeAlert, fault))
    }
}

async fn list(domain: &Domain, request: &ListAlertsRequest) -> Result<Vec<v1::Alert>, Fault> {
    let limit = match request.limit {
        0 => LIMIT_DEFAULT,
        limit if limit <= LIMIT_MAX => limit,
        limit => {
            return Err(Fault::caller(
                "LIMIT_TOO_LARGE",
                format!(
                    "{limit} alerts are asked for; at most {LIMIT_MAX} are listed. Ask for fewer"
                ),
            ));
        }
    };
    let alerts = domain.registry.alerts(request.open_only, limit).await?;
    Ok(alerts.into_iter().map(to_proto).collect())
}

async fn find(domain: &Domain, id: &str) -> Result<AlertRecord, Fault> {
    domain.registry.alert(id).await?.ok_or_else(|| {
        Fault::caller(
            "ALERT_UNKNOWN",
            "there is no alert of this id. `weir alert list` shows those there are",
        )
    })
}

/// The log first. Whoever comes second finds it acknowledged; two at once leave two entries and the first one's name.
async fn acknowledge(
    domain: &Domain,
    caller: &Caller,
    request: &AcknowledgeAlertRequest,
) -> Result<AlertRecord, Fault> {
    let note = request.note.trim();
    if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(char::is_control) {
        return Err(Fault::caller(
            "ALERT_NOTE_INVALID",
            format!("a note is one line of at most {NOTE_CHARS_MAX} characters. Shorten it"),
        ));
    }
    let alert = find(domain, &request.id).await?;
    if alert.acknowledged_at.is_some() {
        return Ok(alert);
    }
    let event = Event::AlertAcknowledged {
        alert: alert.id.clone(),
        text_digest: Digest::of(note.as_bytes()),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let at = grants::moment(domain.clock.now());
    let registry = &domain.registry;
    registry
        .acknowledge_alert(&alert.id, &caller.signature(), &at, note)
        .await?;
    find(domain, &alert.id).await
}

fn to_proto(alert: AlertRecord) -> v1::Alert {
    v1::Alert {
        id: alert.id,
        rule: alert.rule,
        severity: alert.severity,
        subject: alert.subject,
        raised_at: alert.raised_at,
        since: alert.since,
        measured: alert.measured.unsigned_abs(),
        limit: alert.threshold.unsigned_abs(),
        log_index: alert.log_index.map(i64::unsigned_abs),
        webhook: alert.webhook,
        acknowledged_by: alert.acknowledged_by,
        acknowledged_at: alert.acknowledged_at,
        note: alert.note.unwrap_or_default(),
    }
}
