//! What comes of a judgement, and the one way from it to a released table.

use arrow::array::RecordBatch;
use weir_ledger::History;

use crate::bits::Code;
use crate::error::GateError;
use crate::ground::Ground;
use crate::past::{self, Recording};
use crate::record::{DecisionRecord, ReviewReason, Reviewer};
use crate::released::{Recorder, Released};

/// How many people, each of another organisation, approve a table that has to be reviewed.
const REVIEWERS_MIN: usize = 2;

/// What comes of a judgement.
#[must_use = "a judged table is released by recording the decision"]
pub enum Verdict {
    /// The table may leave.
    Release(Judged),
    /// People have to look at the table before it leaves.
    Review(Reviewed),
}

/// A table that was judged and not yet released. It shows its decision and nothing else.
#[must_use = "a judged table is released by recording its units and the decision"]
pub struct Judged {
    pub(crate) batch: RecordBatch,
    pub(crate) arrow_ipc: Vec<u8>,
    pub(crate) record: DecisionRecord,
    /// What it was judged on, unless it is too large to be kept.
    pub(crate) ground: Option<Ground>,
    /// What the ledger was asked, and what is answered.
    pub(crate) recordings: Vec<Recording>,
    /// Cells of which every number was answered before.
    pub(crate) cells_same: u64,
}

/// A judged table whose units are in the ledger.
#[must_use = "a judged table is released by recording the decision"]
pub struct Recorded {
    judged: Judged,
}

/// A judged table that leaves only with an [`Approval`]. It shows its decision and nothing else.
#[must_use = "a table under review is released by people"]
pub struct Reviewed {
    judged: Judged,
}

/// That people looked at a table and let it go: two, of two organisations.
pub struct Approval {
    reviewers: Vec<Reviewer>,
}

impl Verdict {
    pub(crate) fn of(judged: Judged) -> Verdict {
        if judged.record.review.is_empty() {
            Verdict::Release(judged)
        } else {
            Verdict::Review(Reviewed { judged })
        }
    }

    /// What was decided.
    pub fn record(&self) -> &DecisionRecord {
        match self {
            Verdict::Release(judged) => judged.record(),
            Verdict::Review(reviewed) => reviewed.record(),
        }
    }

    /// The bits that the table takes, written down in this code: what is new of it. `is_repeated` says that the very same was
    /// asked, and answered, before. None where it does not fit the code: a text is too long, or a sum is outside the bounds
    /// that the manifest declares.
    #[must_use]
    pub fn bits(&self, code: &Code, is_repeated: bool) -> Option<u64> {
        let judged = match self {
            Verdict::Release(judged) => judged,
            Verdict::Review(reviewed) => reviewed.judged(),
        };
        code.bits(&judged.batch, judged.cells_same, is_repeated)
    }

    /// The table, if it may leave without people.
    ///
    /// # Errors
    /// [`GateError::Review`] where it may not; the table is gone then.
    pub fn without_review(self) -> Result<Judged, GateError> {
        match self {
            Verdict::Release(judged) => Ok(judged),
            Verdict::Review(_) => Err(GateError::Review),
        }
    }
}

impl Judged {
    /// What was decided.
    pub fn record(&self) -> &DecisionRecord {
        &self.record
    }

    /// Why people looked at the table; empty where nobody had to.
    pub fn review(&self) -> &[ReviewReason] {
        &self.record.review
    }

    /// Records the units behind the table in the ledger that it was compared with. Nothing else may be recorded there
    /// between the judgement and this.
    ///
    /// # Errors
    /// [`GateError::Ledger`]. The table is gone then; to release it, judge again.
    pub fn record_units(mut self, history: &mut dyn History) -> Result<Recorded, GateError> {
        let recordings = std::mem::take(&mut self.recordings);
        past::record(recordings, history)?;
        // A crash from here on leaves sets of a release that nobody saw: later answers are stricter, and nothing else.
        Ok(Recorded { judged: self })
    }
}

impl Recorded {
    /// What was decided.
    pub fn record(&self) -> &DecisionRecord {
        self.judged.record()
    }

    /// Records the decision, and only then makes the table readable.
    ///
    /// # Errors
    /// The recorder's own. The table is gone then; to release it, judge again.
    pub fn release<R: Recorder>(self, recorder: &mut R) -> Result<(Released, R::Proof), R::Error> {
        let Judged {
            batch,
            arrow_ipc,
            record,
            ..
        } = self.judged;
        let proof = recorder.record(&record)?;
        // A crash up to here leaves at most an entry for a release that nobody saw, never a release without an entry.
        Ok((Released::new(batch, arrow_ipc, &record), proof))
    }
}

impl Reviewed {
    /// What was decided.
    pub fn record(&self) -> &DecisionRecord {
        &self.judged.record
    }

    /// Why people have to look at the table.
    pub fn review(&self) -> &[ReviewReason] {
        &self.judged.record.review
    }

    pub(crate) fn judged(&self) -> &Judged {
        &self.judged
    }

    /// The table as one that may leave. Who approved it goes on record.
    pub fn approved(self, approval: Approval) -> Judged {
        let mut judged = self.judged;
        judged.record.approved_by = approval.reviewers;
        judged
    }
}

impl Approval {
    /// An approval by these people. That they are who they are said to be is the caller's to know.
    ///
    /// # Errors
    /// [`GateError::Reviewers`] where they are not two different people of two different organisations.
    pub fn new(reviewers: Vec<Reviewer>) -> Result<Approval, GateError> {
        let mut people: Vec<&str> = Vec::new();
        let mut organisations: Vec<&str> = Vec::new();
        for reviewer in &reviewers {
            if !people.contains(&reviewer.person.as_str()) {
                people.push(&reviewer.person);
            }
            if !organisations.contains(&reviewer.organisation.as_str()) {
                organisations.push(&reviewer.organisation);
            }
        }
        if people.len() < REVIEWERS_MIN || organisations.len() < REVIEWERS_MIN {
            return Err(GateError::Reviewers);
        }
        Ok(Approval { reviewers })
    }
}
