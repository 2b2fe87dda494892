//! Calls.

use std::path::Path;
use std::time::Duration;

use tokio_stream::StreamExt;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};
use weir_api::v1::audit_service_client::AuditServiceClient;
use weir_api::v1::dataset_service_client::DatasetServiceClient;
use weir_api::v1::identity_service_client::IdentityServiceClient;
use weir_api::v1::model_service_client::ModelServiceClient;
use weir_api::v1::release_service_client::ReleaseServiceClient;
use weir_api::v1::run_service_client::RunServiceClient;
use weir_api::v1::{
    self, register_dataset_response, run_response, submit_model_request, submit_model_response,
};
use weir_audit::{AuditError, Checkpoint, ConsistencyProof, VerifierKey};

use crate::error::{ClientError, innermost};
use crate::identity::IdentityFolder;
use crate::run::RunAnswer;

/// Largest answer that is read, in bytes: two tables of the largest size a policy can allow, and a receipt.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of a model sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of a model read from disk at most; the server's own limit is far below and its refusal says so.
const MODEL_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a domain, as somebody.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    server: String,
    pub(crate) log_key: VerifierKey,
}

impl Client {
    /// Connects with an identity.
    ///
    /// # Errors
    /// Where the identity is malformed or the server cannot be reached.
    pub async fn connect(identity: &IdentityFolder) -> Result<Self, ClientError> {
        let server = identity.server_url.clone();
        let connection = |error: tonic::transport::Error| ClientError::Connection {
            server: server.clone(),
            reason: innermost(&error),
        };
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&identity.authority_pem))
            .identity(Identity::from_pem(
                &identity.certificate_pem,
                &identity.key_pem,
            ));
        let channel = Endpoint::from_shared(server.clone())
            .and_then(|endpoint| endpoint.connect_timeout(CONNECT_TIMEOUT).tls_config(tls))
            .map_err(connection)?
            .connect()
            .await
            .map_err(connection)?;
        let log_key = identity
            .log_key
            .trim()
            .parse()
            .map_err(|error: AuditError| {
                ClientError::Untrusted(format!("the log key of the identity is malformed: {error}"))
            })?;
        Ok(Self {
            channel,
            server,
            log_key,
        })
    }

    /// The connection, for calls this client has no method for.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The log's public key, from the identity.
    #[must_use]
    pub const fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    pub(crate) fn refused(&self, status: &Status) -> ClientError {
        ClientError::from_status(status, &self.server)
    }

    /// Who the server takes the caller for.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn who_am_i(&self) -> Result<v1::WhoAmIResponse, ClientError> {
        let mut service = IdentityServiceClient::new(self.channel());
        let answer = service.who_am_i(v1::WhoAmIRequest {}).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// Has a key certified. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn issue_identity(
        &self,
        request: v1::IssueIdentityRequest,
    ) -> Result<v1::IssueIdentityResponse, ClientError> {
        let mut service = IdentityServiceClient::new(self.channel());
        let answer = service.issue_identity(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// Has another key of the caller's certified.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn renew_identity(
        &self,
        request: v1::RenewIdentityRequest,
    ) -> Result<v1::IssueIdentityResponse, ClientError> {
        let mut service = IdentityServiceClient::new(self.channel());
        let answer = service.renew_identity(request).await;
        self.answered(answer)
    }

    /// Ends certificates at once; answers with them. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_identity(
        &self,
        request: v1::RevokeIdentityRequest,
    ) -> Result<Vec<v1::Identity>, ClientError> {
        let mut service = IdentityServiceClient::new(self.channel());
        let answer = service.revoke_identity(request).await;
        Ok(self.answered(answer)?.identities)
    }

    /// Every certificate, the newest first. Bureau and auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_identities(&self, live_only: bool) -> Result<Vec<v1::Identity>, ClientError> {
        let mut service = IdentityServiceClient::new(self.channel());
        let answer = service.list_identities(v1::ListIdentitiesRequest { live_only });
        Ok(self.answered(answer.await)?.identities)
    }

    /// Registers a file that lies in an inbox of the server. `progress` hears each step. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_dataset(
        &self,
        request: v1::RegisterDatasetRequest,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<v1::Dataset, ClientError> {
        let mut service = DatasetServiceClient::new(self.channel());
        let answer = service
            .register_dataset(request)
            .await
            .map_err(|status| self.refused(&status))?;
        let mut steps = answer.into_inner();
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(register_dataset_response::Step::Progress(step)) => progress(&step),
                Some(register_dataset_response::Step::Registered(dataset)) => return Ok(dataset),
                None => {}
            }
        }
        Err(ended())
    }

    /// Every dataset.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_datasets(&self) -> Result<Vec<v1::Dataset>, ClientError> {
        let mut service = DatasetServiceClient::new(self.channel());
        let answer = service.list_datasets(v1::ListDatasetsRequest {}).await;
        answer
            .map(|answer| answer.into_inner().datasets)
            .map_err(|status| self.refused(&status))
    }

    /// One dataset.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn dataset(&self, name: &str) -> Result<v1::Dataset, ClientError> {
        let mut service = DatasetServiceClient::new(self.channel());
        let request = v1::GetDatasetRequest {
            name: name.to_owned(),
        };
        let answer = service.get_dataset(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// Destroys a snapshot for good and verifies the certificate against the log's key. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Untrusted`] where the certificate does not prove what it says.
    pub async fn destroy_snapshot(
        &self,
        request: v1::DestroySnapshotRequest,
    ) -> Result<v1::DestroySnapshotResponse, ClientError> {
        let mut service = DatasetServiceClient::new(self.channel());
        let answer = service.destroy_snapshot(request).await;
        let destroyed = answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))?;
        weir_audit::Certificate::from_json(destroyed.certificate_json.as_bytes())
            .and_then(|certificate| certificate.verify(&self.log_key))
            .map_err(|error| ClientError::Untrusted(error.to_string()))?;
        Ok(destroyed)
    }

    /// Submits a model from a file. `progress` hears each stage. Operator only.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::File`] where the file cannot be read.
    pub async fn submit_model_file(
        &self,
        name: &str,
        file: &Path,
        progress: impl FnMut(&v1::Progress),
    ) -> Result<v1::Model, ClientError> {
        let unreadable = |reason: String| ClientError::File {
            file: file.to_owned(),
            reason,
        };
        let bytes = tokio::fs::metadata(file)
            .await
            .map_err(|error| unreadable(error.to_string()))?
            .len();
        if bytes > MODEL_FILE_BYTES_MAX {
            return Err(unreadable(format!(
                "{bytes} bytes are more than any model has"
            )));
        }
        let component = tokio::fs::read(file)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        self.submit_model_with(name, component, progress).await
    }

    /// Submits a model. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_model(
        &self,
        name: &str,
        component: Vec<u8>,
    ) -> Result<v1::Model, ClientError> {
        self.submit_model_with(name, component, |_| {}).await
    }

    /// Submits a model. `progress` hears each stage. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_model_with(
        &self,
        name: &str,
        component: Vec<u8>,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<v1::Model, ClientError> {
        let header = submit_model_request::Part::Header(v1::SubmitModelHeader {
            name: name.to_owned(),
        });
        let chunks: Vec<_> = component
            .chunks(CHUNK_BYTES)
            .map(|chunk| submit_model_request::Part::Chunk(chunk.to_vec()))
            .collect();
        let parts = std::iter::once(header)
            .chain(chunks)
            .map(|part| v1::SubmitModelRequest { part: Some(part) });
        let mut service = ModelServiceClient::new(self.channel());
        let answer = service.submit_model(tokio_stream::iter(parts)).await;
        let mut steps = answer.map_err(|status| self.refused(&status))?.into_inner();
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(submit_model_response::Step::Progress(step)) => progress(&step),
                Some(submit_model_response::Step::Submitted(model)) => return Ok(model),
                None => {}
            }
        }
        Err(ended())
    }

    /// One version of a model; the newest where `digest` is empty.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn model(&self, name: &str, digest: &str) -> Result<v1::Model, ClientError> {
        let mut service = ModelServiceClient::new(self.channel());
        let request = v1::GetModelRequest {
            name: name.to_owned(),
            digest: digest.to_owned(),
        };
        let answer = service.get_model(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// Every model the caller may see.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_models(&self) -> Result<Vec<v1::Model>, ClientError> {
        let mut service = ModelServiceClient::new(self.channel());
        let answer = service.list_models(v1::ListModelsRequest {}).await;
        answer
            .map(|answer| answer.into_inner().models)
            .map_err(|status| self.refused(&status))
    }

    /// The vetting report of one version of a model; of the newest where `digest` is empty. With its WAT where `wat`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn model_report(
        &self,
        name: &str,
        digest: &str,
        wat: bool,
    ) -> Result<v1::ModelReport, ClientError> {
        let mut service =
            ModelServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX);
        let request = v1::GetModelReportRequest {
            name: name.to_owned(),
            digest: digest.to_owned(),
            wat,
        };
        let answer = service.get_model_report(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// Approves one digest of a model, with whatever report it has. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve_model(&self, name: &str, digest: &str) -> Result<v1::Model, ClientError> {
        self.approve_reviewed_model(name, digest, "").await
    }

    /// Approves one digest of a model after its report of this digest was read. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve_reviewed_model(
        &self,
        name: &str,
        digest: &str,
        report_digest: &str,
    ) -> Result<v1::Model, ClientError> {
        let mut service = ModelServiceClient::new(self.channel());
        let request = v1::ApproveModelRequest {
            name: name.to_owned(),
            digest: digest.to_owned(),
            report_digest: report_digest.to_owned(),
        };
        let answer = service.approve_model(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// Refuses one digest of a model for good. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reject_model(
        &self,
        name: &str,
        digest: &str,
        reason: &str,
    ) -> Result<v1::Model, ClientError> {
        let mut service = ModelServiceClient::new(self.channel());
        let request = ending(name, digest, reason);
        let answer = service.reject_model(request).await;
        self.answered(answer)
    }

    /// Takes the approval of one digest of a model back: runs with it stop. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw_model(
        &self,
        name: &str,
        digest: &str,
        reason: &str,
    ) -> Result<v1::Model, ClientError> {
        let mut service = ModelServiceClient::new(self.channel());
        let request = ending(name, digest, reason);
        let answer = service.withdraw_model(request).await;
        self.answered(answer)
    }

    /// Runs a query and verifies the receipt of what was released. `progress` hears each stage. Operator only.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Untrusted`] where receipt and table do not fit.
    pub async fn run(
        &self,
        request: v1::RunRequest,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<RunAnswer, ClientError> {
        let mut service =
            RunServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX);
        let asked = request.clone();
        let answer = service
            .run(request)
            .await
            .map_err(|status| self.refused(&status))?;
        let mut steps = answer.into_inner();
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(run_response::Step::Progress(step)) => progress(&step),
                Some(run_response::Step::Result(result)) => {
                    return RunAnswer::verify(result, &asked, &self.log_key);
                }
                None => {}
            }
        }
        Err(ended())
    }

    /// What a query would make, without running it. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn estimate_run(
        &self,
        request: v1::EstimateRunRequest,
    ) -> Result<v1::Estimate, ClientError> {
        let mut service = RunServiceClient::new(self.channel());
        let answer = service.estimate_run(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| self.refused(&status))
    }

    /// The newest releases, at most `limit` (0: 100). Bureau and auditor only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_releases(&self, limit: u32) -> Result<Vec<v1::Release>, ClientError> {
        let mut service = ReleaseServiceClient::new(self.channel());
        let answer = service
            .list_releases(v1::ListReleasesRequest { limit })
            .await;
        answer
            .map(|answer| answer.into_inner().releases)
            .map_err(|status| self.refused(&status))
    }

    /// The newest checkpoint of the log, signed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn checkpoint(&self) -> Result<String, ClientError> {
        let mut service = AuditServiceClient::new(self.channel());
        let answer = service.get_checkpoint(v1::GetCheckpointRequest {}).await;
        answer
            .map(|answer| answer.into_inner().checkpoint)
            .map_err(|status| self.refused(&status))
    }

    /// The newest checkpoint, verified to continue an earlier one.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Untrusted`] where it does not.
    pub async fn checkpoint_since(&self, before: &Checkpoint) -> Result<Checkpoint, ClientError> {
        let mut service = AuditServiceClient::new(self.channel());
        let request = v1::GetConsistencyProofRequest {
            from_size: before.size(),
        };
        let answer = service
            .get_consistency_proof(request)
            .await
            .map_err(|status| self.refused(&status))?
            .into_inner();
        let untrusted = |error: AuditError| ClientError::Untrusted(error.to_string());
        let now =
            Checkpoint::verify(answer.checkpoint.as_bytes(), &self.log_key).map_err(untrusted)?;
        ConsistencyProof::from_base64(answer.hashes.iter().map(String::as_str))
            .and_then(|proof| proof.verify(before, &now))
            .map_err(untrusted)?;
        Ok(now)
    }

    /// The receipt of one entry of the log, as JSON. Bureau and auditor only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipt(&self, index: u64) -> Result<String, ClientError> {
        let mut service = AuditServiceClient::new(self.channel());
        let answer = service.get_receipt(v1::GetReceiptRequest { index }).await;
        answer
            .map(|answer| answer.into_inner().receipt_json)
            .map_err(|status| self.refused(&status))
    }

    pub(crate) async fn next<T>(&self, steps: &mut Streaming<T>) -> Result<Option<T>, ClientError> {
        steps
            .next()
            .await
            .transpose()
            .map_err(|status| self.refused(&status))
    }
}

pub(crate) fn ended() -> ClientError {
    ClientError::Untrusted("the answer ended before its result".to_owned())
}

fn ending(name: &str, digest: &str, reason: &str) -> v1::EndModelRequest {
    v1::EndModelRequest {
        name: name.to_owned(),
        digest: digest.to_owned(),
        reason: reason.to_owned(),
    }
}
