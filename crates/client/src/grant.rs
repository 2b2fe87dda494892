//! Calls about applications, grants and freezes.

use weir_api::v1::grant_service_client::GrantServiceClient;
use weir_api::v1::{self, FreezeRequest};

use crate::client::{ANSWER_BYTES_MAX, Client};
use crate::error::ClientError;

impl Client {
    fn grants(&self) -> GrantServiceClient<tonic::transport::Channel> {
        GrantServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Applies for a grant. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn apply(&self, request: v1::ApplyRequest) -> Result<v1::Application, ClientError> {
        let answer = self.grants().apply(request).await;
        self.answered(answer)
    }

    /// Takes an application back. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw_application(
        &self,
        request: v1::WithdrawApplicationRequest,
    ) -> Result<v1::Application, ClientError> {
        let answer = self.grants().withdraw_application(request).await;
        self.answered(answer)
    }

    /// Gives an opinion on an application. Provider and bureau.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn review_application(
        &self,
        request: v1::ReviewApplicationRequest,
    ) -> Result<v1::Application, ClientError> {
        let answer = self.grants().review_application(request).await;
        self.answered(answer)
    }

    /// Returns or rejects an application. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn decide_application(
        &self,
        request: v1::DecideApplicationRequest,
    ) -> Result<v1::Application, ClientError> {
        let answer = self.grants().decide_application(request).await;
        self.answered(answer)
    }

    /// The applications the caller may see, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_applications(
        &self,
        open_only: bool,
    ) -> Result<Vec<v1::Application>, ClientError> {
        let mut service = self.grants();
        let answer = service.list_applications(v1::ListApplicationsRequest { open_only });
        Ok(self.answered(answer.await)?.applications)
    }

    /// One application.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn application(&self, id: &str) -> Result<v1::Application, ClientError> {
        let id = id.to_owned();
        let mut service = self.grants();
        let answer = service.get_application(v1::GetApplicationRequest { id });
        self.answered(answer.await)
    }

    /// Issues a grant on a reviewed application. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn issue_grant(
        &self,
        request: v1::IssueGrantRequest,
    ) -> Result<v1::Grant, ClientError> {
        let answer = self.grants().issue_grant(request).await;
        self.answered(answer)
    }

    /// Gives a partner a part of one's own grant. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delegate_grant(
        &self,
        request: v1::DelegateGrantRequest,
    ) -> Result<v1::Grant, ClientError> {
        let answer = self.grants().delegate_grant(request).await;
        self.answered(answer)
    }

    /// Suspends, resumes, revokes … a grant.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn change_grant(
        &self,
        request: v1::ChangeGrantRequest,
    ) -> Result<v1::Grant, ClientError> {
        let answer = self.grants().change_grant(request).await;
        self.answered(answer)
    }

    /// The grants the caller may see, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_grants(&self, live_only: bool) -> Result<Vec<v1::Grant>, ClientError> {
        let mut service = self.grants();
        let answer = service.list_grants(v1::ListGrantsRequest { live_only });
        Ok(self.answered(answer.await)?.grants)
    }

    /// One grant.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn grant(&self, id: &str) -> Result<v1::Grant, ClientError> {
        let id = id.to_owned();
        let mut service = self.grants();
        let answer = service.get_grant(v1::GetGrantRequest { id });
        self.answered(answer.await)
    }

    /// Freezes a dataset, an operator or the domain; answers with all that is frozen. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn freeze(&self, request: FreezeRequest) -> Result<Vec<v1::Frozen>, ClientError> {
        let answer = self.grants().freeze(request).await;
        Ok(self.answered(answer)?.frozen)
    }

    /// Lets it go again; answers with all that is still frozen. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unfreeze(&self, request: FreezeRequest) -> Result<Vec<v1::Frozen>, ClientError> {
        let answer = self.grants().unfreeze(request).await;
        Ok(self.answered(answer)?.frozen)
    }

    /// What is frozen. Bureau and auditor.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_freezes(&self) -> Result<Vec<v1::Frozen>, ClientError> {
        let answer = self.grants().list_freezes(v1::ListFreezesRequest {}).await;
        Ok(self.answered(answer)?.frozen)
    }
}
