//! The gRPC services: each checks who calls, reads the request, calls one thing, and answers.

mod airlock;
mod alert;
mod audit;
mod catalogue;
mod dataset;
mod grant;
mod identity;
mod key;
mod model;
mod policy;
mod product;
mod release;
mod replay;
mod retention;
mod run;
mod run_status;
mod usage;

pub(crate) use airlock::Airlock;
pub(crate) use alert::Alerts;
pub(crate) use audit::Audit;
pub(crate) use catalogue::Catalogue;
pub(crate) use dataset::Datasets;
pub(crate) use grant::Grants;
pub(crate) use identity::Identities;
pub(crate) use key::Keys;
pub(crate) use model::Models;
pub(crate) use policy::Policies;
pub(crate) use product::Products;
pub(crate) use release::Releases;
pub(crate) use replay::Replays;
pub(crate) use retention::Retention;
pub(crate) use run::{Runs, run_id_or_new};
pub(crate) use run_status::RunStatuses;
pub(crate) use usage::Usages;

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use weir_audit::Digest;
use weir_registry::Role;

use crate::access::{self, Call, Caller};
use crate::domain::Domain;
use crate::fair::AtTheDoor;
use crate::fault::{Fault, panicked};

/// Longest name of a model, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 63;

/// Messages that wait for a slow client before the sender waits too.
const STREAM_DEPTH: usize = 16;

/// A stream of answers.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where a long call puts its answers.
pub(crate) type Sender<T> = mpsc::Sender<Result<T, Status>>;

/// A caller who may make the call. One of an operator's passes at a time: the next one when this is dropped.
pub(crate) struct Entered {
    caller: Caller,
    door: Option<AtTheDoor>,
}

impl Entered {
    /// For what takes long, or has a queue of its own: others pass meanwhile.
    pub(crate) fn leave(self) -> Caller {
        self.caller
    }
}

impl Deref for Entered {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// Knows the caller, checks the table of calls, leaves one line in the server's log, and waits until the call may pass.
pub(crate) async fn enter<T>(
    domain: &Arc<Domain>,
    request: &Request<T>,
    call: Call,
) -> Result<Entered, Fault> {
    let caller = known(domain, request, call).await?;
    let door = match caller.role {
        Role::Operator => Some(domain.fair.door(&caller.organisation).await),
        _ => None,
    };
    Ok(Entered { caller, door })
}

async fn known<T>(domain: &Arc<Domain>, request: &Request<T>, call: Call) -> Result<Caller, Fault> {
    let fingerprint = access::fingerprint(request)?;
    let caller = access::authorise(domain, fingerprint, call).await;
    match &caller {
        Ok(caller) => {
            tracing::info!(
                ?call,
                organisation = caller.organisation,
                person = caller.person,
                "call"
            );
        }
        Err(fault) => {
            tracing::warn!(?call, code = fault.code, "call refused");
            domain.metrics.call_refused(fault.code);
            tell(domain, fingerprint, fault).await;
        }
    }
    caller
}

/// Knows the caller and does the work in a task of its own: a client that goes away leaves no change half done, and a panic
/// becomes a status.
async fn carry_out<R, T, F>(
    domain: &Arc<Domain>,
    call: Call,
    request: Request<R>,
    work: impl FnOnce(Arc<Domain>, Caller, R) -> F,
) -> Result<Response<T>, Status>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let Entered { caller, door } = enter(domain, &request, call).await?;
    let work = work(Arc::clone(domain), caller, request.into_inner());
    let work = async move {
        let _door = door;
        work.await
    };
    let done = tokio::spawn(work).await.unwrap_or_else(|_| Err(panicked()));
    done.map(Response::new)
        .map_err(|fault| refused(call, fault))
}

/// Tells the rules of a call that was refused before there was anything to log.
async fn tell(domain: &Domain, fingerprint: Digest, fault: &Fault) {
    match fault.code {
        "IDENTITY_UNKNOWN" | "IDENTITY_REVOKED" | "IDENTITY_EXPIRED" => {
            domain.ear.turned_away(fingerprint.to_string());
        }
        "ROLE_NOT_ALLOWED" => {
            if let Ok(Some(known)) = domain.registry.identity(&fingerprint.to_string()).await {
                domain.ear.refused(known.organisation);
            }
        }
        _ => {}
    }
}

/// Leaves a line about a refusal: its code, never its message, which quotes the caller.
pub(crate) fn refused(call: Call, fault: Fault) -> Status {
    tracing::warn!(?call, code = fault.code, "refused");
    Status::from(fault)
}

/// A stream and the end to feed it from.
pub(crate) fn stream<T: Send + 'static>() -> (Sender<T>, Answers<T>) {
    let (sender, receiver) = mpsc::channel(STREAM_DEPTH);
    (sender, Box::pin(ReceiverStream::new(receiver)))
}

/// A name that SQL can say without quotes.
pub(crate) fn check_name(kind: &str, name: &str) -> Result<(), Fault> {
    let mut characters = name.chars();
    let fits = characters.next().is_some_and(|c| c.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.len() <= NAME_CHARS_MAX
        && !name.starts_with("weir_");
    if fits {
        return Ok(());
    }
    Err(Fault::caller(
        "NAME_INVALID",
        format!(
            "`{}` is not a name for a {kind}: use a-z, 0-9 and `_`, begin with a letter, at most {NAME_CHARS_MAX} \
             characters, not `weir_…`",
            name.chars().take(NAME_CHARS_MAX).collect::<String>()
        ),
    ))
}
