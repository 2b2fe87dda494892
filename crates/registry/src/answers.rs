//! The end of a run that was answered, in one transaction.

use crate::airlock::{RunEnd, insert_end};
use crate::budgets::settle_one;
use crate::charges::ChargedRun;
use crate::database::{Registry, insert_run};
use crate::error::RegistryError;
use crate::policies::{EvidenceRecord, insert_evidence};
use crate::records::RunRecord;

/// What is left of a run that was answered.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The answer, for retries.
    pub run: &'a RunRecord,
    /// What it was judged on.
    pub evidence: &'a EvidenceRecord,
    /// How it ended.
    pub end: &'a RunEnd,
    /// The grants it was charged to and the bits that it said; none where they were settled already.
    pub settled: Option<(&'a [&'a str], i64)>,
}

impl Registry {
    /// Keeps how a run ended, as [`Registry::settle`], [`Registry::add_evidence`], [`Registry::add_run`] and
    /// [`Registry::end_run`] do; all of it or nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn answer_run(&self, answered: &Answered<'_>) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        if let Some((grants, bits)) = answered.settled {
            let of = ChargedRun {
                run: &answered.run.run,
                request_digest: &answered.run.request_digest,
                at: "",
            };
            settle_one(&mut writing, grants, of, (bits, true)).await?;
        }
        insert_evidence(answered.evidence)
            .execute(&mut *writing)
            .await?;
        insert_run(answered.run).execute(&mut *writing).await?;
        insert_end(answered.end).execute(&mut *writing).await?;
        self.commit(writing).await
    }
}
