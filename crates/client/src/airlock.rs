//! Calls about tables that wait for people, and about runs under way.

use arrow::record_batch::RecordBatch;
use weir_api::v1;
use weir_api::v1::airlock_service_client::AirlockServiceClient;
use weir_api::v1::run_status_service_client::RunStatusServiceClient;
use weir_audit::Digest;

use crate::client::{ANSWER_BYTES_MAX, Client};
use crate::error::ClientError;
use crate::run::read;

/// A table that waits for people, as a reviewer sees it: its digest was checked against its bytes.
pub struct AirlockTable {
    /// What was asked, by whom, and what was said of it.
    pub entry: v1::AirlockEntry,
    /// What the gate knew, with the table's digest: a decision binds to it.
    pub table: v1::AirlockTable,
    /// The table as it would be released.
    pub batches: Vec<RecordBatch>,
}

impl Client {
    fn airlock_calls(&self) -> AirlockServiceClient<tonic::transport::Channel> {
        AirlockServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    fn status_calls(&self) -> RunStatusServiceClient<tonic::transport::Channel> {
        RunStatusServiceClient::new(self.channel())
    }

    /// The tables in the airlock, the newest first. Bureau and auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_airlock(
        &self,
        open_only: bool,
    ) -> Result<Vec<v1::AirlockEntry>, ClientError> {
        let mut service = self.airlock_calls();
        let answer = service.list_airlock(v1::ListAirlockRequest { open_only });
        Ok(self.answered(answer.await)?.entries)
    }

    /// What is known of a table in the airlock, without the table. Bureau and auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn airlock_entry(&self, run: &str) -> Result<v1::AirlockEntry, ClientError> {
        let request = v1::GetAirlockRequest {
            run_id: run.to_owned(),
            with_table: false,
        };
        let answer = self.airlock_calls().get_airlock(request).await;
        self.answered(answer)
    }

    /// A table in the airlock, to look at. That one looks is logged. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Untrusted`] where the table has another digest than is said.
    pub async fn airlock_table(&self, run: &str) -> Result<AirlockTable, ClientError> {
        let request = v1::GetAirlockRequest {
            run_id: run.to_owned(),
            with_table: true,
        };
        let answer = self.airlock_calls().get_airlock(request).await;
        let mut entry = self.answered(answer)?;
        let untrusted = |reason: &str| ClientError::Untrusted(reason.to_owned());
        let table = entry
            .table
            .take()
            .ok_or_else(|| untrusted("there is no table in it"))?;
        if Digest::of(&table.arrow_ipc).to_string() != table.table_digest {
            return Err(untrusted("the table has another digest"));
        }
        Ok(AirlockTable {
            batches: read(&table.arrow_ipc)?,
            entry,
            table,
        })
    }

    /// Lets a table go, or keeps it back. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn decide_airlock(
        &self,
        request: v1::DecideAirlockRequest,
    ) -> Result<v1::AirlockEntry, ClientError> {
        let answer = self.airlock_calls().decide_airlock(request).await;
        self.answered(answer)
    }

    /// What is known of a run of one's own organisation. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_status(&self, run: &str) -> Result<v1::RunStatus, ClientError> {
        let request = v1::GetRunStatusRequest {
            run_id: run.to_owned(),
        };
        let answer = self.status_calls().get_run_status(request).await;
        self.answered(answer)
    }

    /// Follows a run until it ends; answers with its last status. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch_run(
        &self,
        run: &str,
        mut heard: impl FnMut(&v1::RunStatus),
    ) -> Result<v1::RunStatus, ClientError> {
        let request = v1::WatchRunRequest {
            run_id: run.to_owned(),
        };
        let answer = self.status_calls().watch_run(request).await;
        let mut steps = self.answered(answer)?;
        let mut last = None;
        while let Some(status) = self.next(&mut steps).await? {
            heard(&status);
            last = Some(status);
        }
        last.ok_or_else(crate::client::ended)
    }

    /// Calls a run off. Says nothing of whether there was one. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel_run(&self, run: &str) -> Result<(), ClientError> {
        let request = v1::CancelRunRequest {
            run_id: run.to_owned(),
        };
        let answer = self.status_calls().cancel_run(request).await;
        self.answered(answer).map(drop)
    }
}
