//! What a table was judged on, sealed, so that the bureau can ask later what another policy would have said.
//!
//! The evidence of single cells, withheld ones too, is as sensitive as raw data: it leaves this crate encrypted, and
//! comes back as names of cells alone. It holds keys, shape and evidence, and none of the table's numbers.
//!
//! The table itself is sealed only while people decide whether it leaves (`preview`).
//!
//! Format: a header such as [`HEADER`], a random nonce of 12 bytes, and AES-256-GCM over the contents with the header, and
//! for a table the run it is of, as associated data. One key seals fewer than 2³² tables, for which random nonces are good
//! (NIST SP 800-38D, 8.3).

mod contents;
mod preview;
mod rejudge;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::GateError;
use crate::ground::Ground;
use crate::verdict::{Judged, Reviewed};

pub use preview::{Preview, Summary};
pub use rejudge::{Rejudged, rejudge};

/// Most bytes of evidence that are kept of one table. Of a larger one none is, and the record says so.
pub const EVIDENCE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// First bytes of sealed evidence: what it is, and in which version.
const HEADER: &[u8] = b"weir evidence 1\n";

const STEP: GateError = GateError::Step { step: "seal" };

/// The key that evidence is sealed under. It cannot be printed, and is wiped when it goes.
pub struct EvidenceKey(Zeroizing<[u8; 32]>);

impl EvidenceKey {
    /// A key of these bytes, which must come from a source of random numbers or a key derivation, for this use alone.
    pub fn new(bytes: [u8; 32]) -> EvidenceKey {
        EvidenceKey(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> Result<LessSafeKey, GateError> {
        let key = UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map_err(|_| STEP)?;
        Ok(LessSafeKey::new(key))
    }
}

impl Judged {
    /// What the table was judged on, sealed for [`rejudge`]. It is of use to the bureau alone.
    ///
    /// # Errors
    /// [`GateError::EvidenceNotKept`] where it is more than [`EVIDENCE_BYTES_MAX`], as
    /// [`crate::DecisionRecord::evidence_kept`] says.
    pub fn sealed_evidence(&self, key: &EvidenceKey) -> Result<Vec<u8>, GateError> {
        let ground = self.ground.as_ref().ok_or(GateError::EvidenceNotKept {
            bytes_max: EVIDENCE_BYTES_MAX,
        })?;
        seal(contents::write(ground)?, key, HEADER, "")
    }
}

impl Reviewed {
    /// As [`Judged::sealed_evidence`].
    ///
    /// # Errors
    /// As there.
    pub fn sealed_evidence(&self, key: &EvidenceKey) -> Result<Vec<u8>, GateError> {
        self.judged().sealed_evidence(key)
    }
}

/// The ground of a judgement, if it is small enough to be kept.
pub(crate) fn kept(ground: Ground) -> Option<Ground> {
    (contents::bytes_about(&ground) <= EVIDENCE_BYTES_MAX).then_some(ground)
}

/// Seals contents under a header that says what they are, bound to what they are `of`.
fn seal(
    mut contents: Vec<u8>,
    key: &EvidenceKey,
    header: &[u8],
    of: &str,
) -> Result<Vec<u8>, GateError> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| STEP)?;
    let place = Nonce::assume_unique_for_key(nonce);
    let bound = [header, of.as_bytes()].concat();
    key.cipher()?
        .seal_in_place_append_tag(place, Aad::from(bound), &mut contents)
        .map_err(|_| STEP)?;
    Ok([header, &nonce, &contents].concat())
}

fn open(sealed: &[u8], key: &EvidenceKey, header: &[u8], of: &str) -> Result<Vec<u8>, GateError> {
    let closed = || GateError::EvidenceClosed;
    let rest = sealed.strip_prefix(header).ok_or_else(closed)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(closed)?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let bound = [header, of.as_bytes()].concat();
    let mut contents = rest.to_vec();
    let opened = key
        .cipher()?
        .open_in_place(nonce, Aad::from(bound), &mut contents)
        .map_err(|_| closed())?
        .len();
    contents.truncate(opened);
    Ok(contents)
}
