//! A table under review, for the people who decide on it, and for nobody else.
//!
//! It leaves this crate encrypted and comes back as bytes: a [`Preview`] is no [`crate::Released`], so nothing that works
//! on released tables takes it, and no answer is made from it.
//!
//! Contents: the length of the summary as four bytes, the smallest first; the summary as JSON; the table.

use std::fmt;

use super::{EvidenceKey, STEP, open, seal};
use crate::encode::sha256;
use crate::error::GateError;
use crate::record::{DecisionRecord, ReviewReason};
use crate::verdict::Reviewed;

/// First bytes of a sealed table: what it is, and in which version.
const HEADER: &[u8] = b"weir table under review 1\n";

/// A table as it would be released, for a reviewer's eyes.
pub struct Preview {
    arrow_ipc: Vec<u8>,
    digest: String,
    summary: Summary,
}

/// What the gate knew of a table that people look at. The counts are exact, and not for an operator.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Summary {
    /// Why people look at it, as [`ReviewReason::name`] has it.
    pub reasons: Vec<String>,
    /// As in [`DecisionRecord`].
    pub cells_released: u64,
    /// As in [`DecisionRecord`].
    pub cells_withheld: u64,
    /// As in [`DecisionRecord`].
    pub cells_negative: u64,
    /// Each rule that withholds a cell, with how many.
    pub withheld_by: Vec<(String, u64)>,
}

impl Summary {
    fn of(record: &DecisionRecord) -> Summary {
        let names = record.review.iter().copied().map(ReviewReason::name);
        let rules = record.withheld_by.counts().into_iter();
        Summary {
            reasons: names.map(str::to_owned).collect(),
            cells_released: record.cells_released,
            cells_withheld: record.cells_withheld,
            cells_negative: record.cells_negative,
            withheld_by: rules
                .map(|(rule, cells)| (rule.to_owned(), cells))
                .collect(),
        }
    }
}

impl Reviewed {
    /// The table as it would be released, with what the gate knew of it, sealed for [`Preview::open`] and bound to the run
    /// it is of.
    ///
    /// # Errors
    /// Only where no random numbers are to be had.
    pub fn sealed_table(&self, key: &EvidenceKey, run: &str) -> Result<Vec<u8>, GateError> {
        let judged = self.judged();
        let summary = serde_json::to_vec(&Summary::of(&judged.record)).map_err(|_| STEP)?;
        let length = u32::try_from(summary.len()).map_err(|_| STEP)?;
        let contents = [&length.to_le_bytes(), summary.as_slice(), &judged.arrow_ipc].concat();
        seal(contents, key, HEADER, run)
    }
}

impl Preview {
    /// Opens the table of a run. Whoever calls this has put on record who looks.
    ///
    /// # Errors
    /// [`GateError::EvidenceClosed`] where this is no table of this run under this key.
    pub fn open(sealed: &[u8], key: &EvidenceKey, run: &str) -> Result<Preview, GateError> {
        let closed = || GateError::EvidenceClosed;
        let contents = open(sealed, key, HEADER, run)?;
        let (length, rest) = contents.split_first_chunk().ok_or_else(closed)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (summary, table) = rest.split_at_checked(length).ok_or_else(closed)?;
        Ok(Preview {
            summary: serde_json::from_slice(summary).map_err(|_| closed())?,
            digest: sha256(table),
            arrow_ipc: table.to_vec(),
        })
    }

    /// The table as an Arrow IPC stream: the bytes that would be released.
    pub fn arrow_ipc(&self) -> &[u8] {
        &self.arrow_ipc
    }

    /// `sha256:` and 64 hexadecimal digits over [`Preview::arrow_ipc`], as in [`DecisionRecord`].
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the gate knew of it.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

/// Its size alone: the table was not released.
impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preview")
            .field("bytes", &self.arrow_ipc.len())
            .finish_non_exhaustive()
    }
}
