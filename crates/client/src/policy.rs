//! Calls about policies.

use weir_api::v1::policy_service_client::PolicyServiceClient;
use weir_api::v1::{self, replay_policy_response};

use crate::client::{ANSWER_BYTES_MAX, Client, ended};
use crate::error::ClientError;

/// What past releases would have been under another policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Releases of which cells change sides, or that cannot be judged again.
    pub releases: Vec<v1::ReplayedRelease>,
    /// Of all together.
    pub summary: v1::ReplaySummary,
}

impl Client {
    fn policies(&self) -> PolicyServiceClient<tonic::transport::Channel> {
        PolicyServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The policy in force for a run over these datasets; the domain's alone where there are none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy(&self, datasets: &[String]) -> Result<v1::Policy, ClientError> {
        let datasets = datasets.to_vec();
        let mut service = self.policies();
        let answer = service.get_policy(v1::GetPolicyRequest {
            datasets,
            ..Default::default()
        });
        self.answered(answer.await)
    }

    /// The policy that runs under a grant are judged by: over these datasets, or over all that it covers where there are
    /// none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy_under(
        &self,
        grant: &str,
        datasets: &[String],
    ) -> Result<v1::Policy, ClientError> {
        let request = v1::GetPolicyRequest {
            datasets: datasets.to_vec(),
            grant: grant.to_owned(),
        };
        let answer = self.policies().get_policy(request).await;
        self.answered(answer)
    }

    /// Hands in a policy. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn put_policy(
        &self,
        request: v1::PutPolicyRequest,
    ) -> Result<v1::PolicyChange, ClientError> {
        let answer = self.policies().put_policy(request).await;
        self.answered(answer)
    }

    /// Approves a proposed change of a policy after the policy of this digest was read. Bureau only, never the proposer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve_policy(
        &self,
        id: &str,
        digest: &str,
    ) -> Result<v1::PolicyChange, ClientError> {
        let request = v1::ApprovePolicyRequest {
            id: id.to_owned(),
            digest: digest.to_owned(),
        };
        let answer = self.policies().approve_policy(request).await;
        self.answered(answer)
    }

    /// Takes a change of a policy back. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw_policy(&self, id: &str) -> Result<v1::PolicyChange, ClientError> {
        let id = id.to_owned();
        let mut service = self.policies();
        let answer = service.withdraw_policy(v1::WithdrawPolicyRequest { id });
        self.answered(answer.await)
    }

    /// Changes of policies, the newest first: those that may still take effect, or all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_policy_changes(
        &self,
        open_only: bool,
    ) -> Result<Vec<v1::PolicyChange>, ClientError> {
        let mut service = self.policies();
        let answer = service.list_policy_changes(v1::ListPolicyChangesRequest { open_only });
        Ok(self.answered(answer.await)?.changes)
    }

    /// Judges past releases again under a policy. `progress` hears each step. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn replay_policy(
        &self,
        request: v1::ReplayPolicyRequest,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<Replay, ClientError> {
        let answer = self.policies().replay_policy(request).await;
        let mut steps = self.answered(answer)?;
        let mut releases = Vec::new();
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(replay_policy_response::Step::Progress(step)) => progress(&step),
                Some(replay_policy_response::Step::Release(release)) => releases.push(release),
                Some(replay_policy_response::Step::Summary(summary)) => {
                    return Ok(Replay { releases, summary });
                }
                None => {}
            }
        }
        Err(ended())
    }
}
