//! Requests that are known by a key that their caller chose: who sends one again is answered as before, and nothing is done
//! twice.
//!
//! Beside the key stands what was asked, by its digest: another request under the same key is refused. A request that cannot
//! be carried out in one transaction with its answer is kept before it begins, with how long the log was then: whether it did
//! something is said by what follows there.

use prost::Message;
use uuid::Uuid;
use weir_audit::{Digest, Event};
use weir_registry::AnsweredRequest;

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, count, panicked};

/// A request with a key.
pub(crate) struct Keyed {
    key: String,
    digest: String,
}

impl Keyed {
    /// The request under this key; none where it has no key. `call` tells requests of one text apart, `asked` is the message
    /// without its key.
    pub(crate) fn of(key: &str, call: &str, asked: &impl Message) -> Result<Option<Self>, Fault> {
        if key.is_empty() {
            return Ok(None);
        }
        let key = Uuid::try_parse(key).map_err(|_| {
            Fault::caller(
                "REQUEST_KEY_INVALID",
                "the request key is no UUID. Send a UUID, or leave it out",
            )
        })?;
        let mut text = format!("{call}\n").into_bytes();
        text.extend(asked.encode_to_vec());
        Ok(Some(Self {
            key: key.to_string(),
            digest: Digest::of(&text).to_string(),
        }))
    }

    /// The request as it is kept, if it was begun before.
    pub(crate) async fn begun(
        &self,
        domain: &Domain,
        caller: &Caller,
    ) -> Result<Option<AnsweredRequest>, Fault> {
        let Some(before) = domain.registry.answered_request(&self.key).await? else {
            return Ok(None);
        };
        let same = before.organisation == caller.organisation
            && before.person == caller.person
            && before.digest == self.digest;
        match same {
            true => Ok(Some(before)),
            false => Err(Fault::caller(
                "REQUEST_KEY_TAKEN",
                "the request key belongs to another request. Use a new one",
            )),
        }
    }

    /// What the registry keeps of it as it begins.
    pub(crate) async fn begins(
        &self,
        domain: &Domain,
        caller: &Caller,
    ) -> Result<AnsweredRequest, Fault> {
        let record = domain.record.clone();
        let log_size = tokio::task::spawn_blocking(move || record.with(|log| Ok(log.size())))
            .await
            .map_err(|_| panicked())??;
        Ok(AnsweredRequest {
            key: self.key.clone(),
            organisation: caller.organisation.clone(),
            person: caller.person.clone(),
            digest: self.digest.clone(),
            log_size: count(log_size)?,
            answer: Vec::new(),
        })
    }
}

/// What a request was answered, if it was.
pub(crate) fn answer<T: Message + Default>(request: &AnsweredRequest) -> Result<Option<T>, Fault> {
    if request.answer.is_empty() {
        return Ok(None);
    }
    let answer = T::decode(request.answer.as_slice()).map_err(|_| {
        Fault::bug(
            "BUG_STORED_ANSWER",
            "the stored answer of this request cannot be read. Please report this",
        )
    })?;
    Ok(Some(answer))
}

/// Whether the log says, since a request was begun, that something happened, and not that it had no effect. Blocks.
pub(crate) fn happened(
    domain: &Domain,
    request: &AnsweredRequest,
    is_it: impl Fn(&Event) -> bool,
) -> Result<bool, Fault> {
    domain.record.with(|log| {
        let mut found = None;
        for index in request.log_size.unsigned_abs()..log.size() {
            match log.entry(index)?.event {
                event if is_it(&event) => found = Some(index),
                Event::EntryWithoutEffect { entry, .. } if Some(entry) == found => found = None,
                _ => {}
            }
        }
        Ok(found.is_some())
    })
}
