//! The domain's own keys: which there are, and changing one for another while the domain is served.

use std::sync::Arc;

use prost::Message;
use tokio::runtime::Handle;
use weir_api::v1::{DomainKey, KeyKind, RotateKeyResponse};
use weir_audit::{Actor, Digest, Event};
use weir_registry::AnsweredRequest;
use weir_registry::Registry;
use weir_vault::{FileKeeper, KeyKeeper, Vault};

use crate::access::Caller;
use crate::authority::Authority;
use crate::clock::Clock;
use crate::declared::{self, Kept};
use crate::domain::Domain;
use crate::fault::{Fault, panicked, stopping};
use crate::folder::Folder;
use crate::policies::server;
use crate::record::Record;
use crate::requests::{self, Keyed};
use crate::signing::Signing;
use crate::tls::Credentials;

/// What a key in use is called, and one that is not used for anything new.
const IN_USE: &str = "in use";
const ACCEPTED: &str = "accepted";

/// An earlier key of the log that signs beside the newest.
const SIGNS_TOO: &str = "signs too";

/// Who keeps the master key.
pub(crate) enum Keeper {
    /// A file, whose key can be changed.
    File(FileKeeper),
    /// A token, whose key its maker's means change.
    Token(Box<dyn KeyKeeper>),
}

impl Keeper {
    /// The keeper for the vault, and the handle to change its key with, where it can be.
    pub(crate) fn split(self) -> (Box<dyn KeyKeeper>, Option<FileKeeper>) {
        match self {
            Self::File(keeper) => (Box::new(keeper.clone()), Some(keeper)),
            Self::Token(keeper) => (keeper, None),
        }
    }
}

/// Every key of the domain.
pub(crate) fn list(domain: &Domain) -> Result<Vec<DomainKey>, Fault> {
    let key = |kind: KeyKind, public: String, not_after: String| DomainKey {
        kind: kind.into(),
        state: IN_USE.to_owned(),
        public,
        not_after,
    };
    let mut keys = vec![
        key(KeyKind::Signing, domain.signing.newest(), String::new()),
        key(
            KeyKind::Master,
            master_place(domain).to_owned(),
            String::new(),
        ),
        key(
            KeyKind::Authority,
            domain.front.now().authority.fingerprint()?.to_string(),
            String::new(),
        ),
    ];
    let before = domain.front.now().authority.earlier_fingerprint()?;
    keys.extend(before.map(|public| DomainKey {
        state: ACCEPTED.to_owned(),
        ..key(KeyKind::Authority, public.to_string(), String::new())
    }));
    let earlier = domain.signing.earlier().into_iter();
    keys.extend(earlier.map(|(public, signs)| DomainKey {
        kind: KeyKind::Signing.into(),
        state: if signs { SIGNS_TOO } else { ACCEPTED }.to_owned(),
        public,
        not_after: String::new(),
    }));
    Ok(keys)
}

fn master_place(domain: &Domain) -> &'static str {
    match &domain.master {
        Some(keeper) if keeper.is_pending() => "file, and a rotation under way",
        Some(_) => "file",
        None => "token",
    }
}

/// What is done to a kind of keys.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Changing {
    Rotate(KeyKind),
    Retire(KeyKind),
}

impl Changing {
    /// What the answer to a change that came about says now.
    fn is_now(self, domain: &Domain) -> Result<RotateKeyResponse, Fault> {
        let (Self::Rotate(kind) | Self::Retire(kind)) = self;
        let is_it = |key: &DomainKey| key.kind() == kind && key.state == IN_USE;
        Ok(RotateKeyResponse {
            key: list(domain)?.into_iter().find(is_it),
            rewrapped: 0,
        })
    }

    /// Whether an entry says that it was begun, and it came about: an entry comes before its effect.
    fn came_about(self, event: &Event, domain: &Domain, keys: &[DomainKey]) -> bool {
        let name = |kind: KeyKind| match kind {
            KeyKind::Signing => "signing",
            KeyKind::Master => "master",
            KeyKind::Authority => "authority",
            KeyKind::Unspecified => "",
        };
        let (Self::Rotate(kind) | Self::Retire(kind)) = self;
        let mut of_it = keys.iter().filter(|key| key.kind() == kind);
        match (self, event) {
            (Self::Rotate(KeyKind::Master), Event::KeyRotated { key, .. }) => {
                let pending = domain.master.as_ref().is_some_and(FileKeeper::is_pending);
                key == name(kind) && !pending
            }
            (Self::Rotate(_), Event::KeyRotated { key, public }) => {
                key == name(kind) && of_it.any(|known| known.public == *public)
            }
            (Self::Retire(_), Event::KeyRetired { key, public }) => {
                let used = match kind {
                    KeyKind::Signing => SIGNS_TOO,
                    _ => ACCEPTED,
                };
                key == name(kind)
                    && !of_it.any(|known| known.public == *public && known.state == used)
            }
            _ => false,
        }
    }

    async fn carry_out(
        self,
        domain: &Arc<Domain>,
        caller: &Caller,
    ) -> Result<RotateKeyResponse, Fault> {
        match self {
            Self::Rotate(kind) => rotate(domain, caller, kind).await,
            Self::Retire(kind) => retire(domain, caller, kind).await,
        }
    }
}

/// Changes a key, once for each key of a request.
///
/// The request is kept before anything is changed, and its answer after: one that a crash cut off in between is known by what
/// the log says since.
pub(crate) async fn change(
    domain: &Arc<Domain>,
    caller: &Caller,
    changing: Changing,
    request_key: &str,
) -> Result<RotateKeyResponse, Fault> {
    let (Changing::Rotate(kind) | Changing::Retire(kind)) = changing;
    let asked = DomainKey {
        kind: kind.into(),
        ..DomainKey::default()
    };
    let call = match changing {
        Changing::Rotate(_) => "RotateKey",
        Changing::Retire(_) => "RetireKeys",
    };
    let Some(keyed) = Keyed::of(request_key, call, &asked)? else {
        return changing.carry_out(domain, caller).await;
    };
    let _one = domain.key_requests.lock().await;
    let mut request = match keyed.begun(domain, caller).await? {
        None => keyed.begins(domain, caller).await?,
        Some(before) => {
            if let Some(answer) = requests::answer(&before)? {
                return Ok(answer);
            }
            if came_about(domain, &before, changing).await? {
                return changing.is_now(domain);
            }
            before
        }
    };
    domain.registry.put_answered_request(&request).await?;
    let answer = changing.carry_out(domain, caller).await?;
    request.answer = answer.encode_to_vec();
    domain.registry.put_answered_request(&request).await?;
    Ok(answer)
}

async fn came_about(
    domain: &Arc<Domain>,
    request: &AnsweredRequest,
    changing: Changing,
) -> Result<bool, Fault> {
    let (domain, request) = (Arc::clone(domain), request.clone());
    let keys = list(&domain)?;
    tokio::task::spawn_blocking(move || {
        let is_it = |event: &Event| changing.came_about(event, &domain, &keys);
        requests::happened(&domain, &request, is_it)
    })
    .await
    .map_err(|_| panicked())?
}

/// Changes a key for a new one.
async fn rotate(
    domain: &Arc<Domain>,
    caller: &Caller,
    kind: KeyKind,
) -> Result<RotateKeyResponse, Fault> {
    match kind {
        KeyKind::Master => rotate_master(domain, caller).await,
        KeyKind::Signing => change_signing(domain, caller, Signing::rotate).await,
        KeyKind::Authority => change_authority(domain, caller, true).await,
        KeyKind::Unspecified => Err(Fault::caller(
            "KEY_KIND_MISSING",
            "no key is named. Name one of signing, master and authority",
        )),
    }
}

/// Has the newest key of the log sign alone.
async fn retire(
    domain: &Arc<Domain>,
    caller: &Caller,
    kind: KeyKind,
) -> Result<RotateKeyResponse, Fault> {
    match kind {
        KeyKind::Signing => change_signing(domain, caller, Signing::retire).await,
        KeyKind::Authority => change_authority(domain, caller, false).await,
        _ => Err(Fault::caller(
            "KEY_NOTHING_TO_RETIRE",
            "only earlier keys of the log and an earlier authority go on being used; the others end when they are changed",
        )),
    }
}

/// Changes the authority for a new one, or has the earlier one be accepted no more.
///
/// The order of the steps: *made*, with all that a handshake needs, so that what cannot be used is refused before anything is
/// said of it; *on record*; *the file of the key*, in one step: from here on the next start has it; *the file for people*;
/// *the next handshake*. A crash before the file leaves an entry for a change that did not happen, which the next start says.
async fn change_authority(
    domain: &Arc<Domain>,
    caller: &Caller,
    rotates: bool,
) -> Result<RotateKeyResponse, Fault> {
    let _one = domain.rotating.lock().await;
    let (worker, actor) = (Arc::clone(domain), caller.actor());
    tokio::task::spawn_blocking(move || {
        let now = worker.front.now();
        let event = |key: Digest, make: fn(String, String) -> Event| {
            make("authority".to_owned(), key.to_string())
        };
        let (next, event) = match (rotates, now.authority.earlier_fingerprint()?) {
            (true, _) => {
                let next = now
                    .authority
                    .successor(&worker.config.name, Clock::of_handshakes())?;
                let event = event(next.fingerprint()?, |key, public| Event::KeyRotated {
                    key,
                    public,
                });
                (next, event)
            }
            (false, Some(earlier)) => {
                let event = event(earlier, |key, public| Event::KeyRetired { key, public });
                (now.authority.alone()?, event)
            }
            (false, None) => {
                return Err(Fault::caller(
                    "KEY_NOTHING_TO_RETIRE",
                    "no earlier authority is accepted. `weir keys list` shows what there is",
                ));
            }
        };
        let next = Credentials::new(next, &worker.config)?;
        worker.record.append(actor, event)?;
        next.authority.replace(&worker.folder)?;
        // Before anything could take the change for done.
        let public = Authority::file_digest(&worker.folder)?;
        let known = declared::put(&worker.registry, &worker.record, Kept::Authority, public);
        Handle::current().block_on(known)?;
        worker.front.put(next);
        Ok(())
    })
    .await
    .map_err(|_| panicked())??;
    Ok(RotateKeyResponse {
        key: Some(DomainKey {
            kind: KeyKind::Authority.into(),
            state: IN_USE.to_owned(),
            public: domain.front.now().authority.fingerprint()?.to_string(),
            not_after: String::new(),
        }),
        rewrapped: 0,
    })
}

/// A change of the log's key, which registry and log hear of. Blocks.
type ChangeSigning = fn(&Signing, &Folder, (&Registry, &Record), &Actor) -> Result<(), Fault>;

async fn change_signing(
    domain: &Arc<Domain>,
    caller: &Caller,
    change: ChangeSigning,
) -> Result<RotateKeyResponse, Fault> {
    let _one = domain.rotating.lock().await;
    let (worker, actor) = (Arc::clone(domain), caller.actor());
    tokio::task::spawn_blocking(move || {
        let known = (&worker.registry, &worker.record);
        change(&worker.signing, &worker.folder, known, &actor)
    })
    .await
    .map_err(|_| panicked())??;
    Ok(RotateKeyResponse {
        key: Some(DomainKey {
            kind: KeyKind::Signing.into(),
            state: IN_USE.to_owned(),
            public: domain.signing.newest(),
            not_after: String::new(),
        }),
        rewrapped: 0,
    })
}

/// Wraps every key of the vault under a new master key. Runs go on; registrations and destructions wait.
async fn rotate_master(domain: &Arc<Domain>, caller: &Caller) -> Result<RotateKeyResponse, Fault> {
    let slot = Arc::clone(&domain.registration_slots)
        .acquire_owned()
        .await
        .map_err(|_| stopping())?;
    let keeper = domain.master.clone().ok_or_else(|| {
        Fault::caller(
            "KEY_IN_TOKEN",
            "the master key is in a token and cannot leave it. Change it by the token's own means",
        )
    })?;
    let (worker, actor) = (Arc::clone(domain), caller.actor());
    let rewrapped = tokio::task::spawn_blocking(move || {
        let rewrapped = master(&worker.vault, &keeper, &worker.record, actor);
        drop(slot);
        rewrapped
    })
    .await
    .map_err(|_| panicked())??;
    Ok(RotateKeyResponse {
        key: Some(DomainKey {
            kind: KeyKind::Master.into(),
            state: IN_USE.to_owned(),
            public: master_place(domain).to_owned(),
            not_after: String::new(),
        }),
        rewrapped,
    })
}

fn master(vault: &Vault, keeper: &FileKeeper, record: &Record, actor: Actor) -> Result<u64, Fault> {
    let on_record = || {
        let event = Event::KeyRotated {
            key: "master".to_owned(),
            public: String::new(),
        };
        record.append(actor, event).map(drop)
    };
    Ok(vault.rotate::<Fault>(keeper, on_record)? as u64)
}

/// Goes on with a change of the master key that a crash cut off.
pub(crate) async fn complete(
    vault: &Vault,
    keeper: Option<&FileKeeper>,
    record: &Record,
) -> Result<(), Fault> {
    let Some(keeper) = keeper.filter(|keeper| keeper.is_pending()) else {
        return Ok(());
    };
    tracing::warn!("a change of the master key was interrupted; it goes on");
    let (vault, keeper, record) = (vault.clone(), keeper.clone(), record.clone());
    tokio::task::spawn_blocking(move || master(&vault, &keeper, &record, server()))
        .await
        .map_err(|_| panicked())?
        .map(drop)
}
