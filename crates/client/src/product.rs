//! Calls about products.

use weir_api::v1::product_service_client::ProductServiceClient;
use weir_api::v1::{self, run_response};

use crate::client::{ANSWER_BYTES_MAX, Client, ended};
use crate::error::ClientError;
use crate::run::RunAnswer;

impl Client {
    fn product_service(&self) -> ProductServiceClient<tonic::transport::Channel> {
        ProductServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Registers a query as a product. Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn register_product(
        &self,
        request: v1::RegisterProductRequest,
    ) -> Result<v1::Product, ClientError> {
        let answer = self.product_service().register_product(request).await;
        self.answered(answer)
    }

    /// Approves or rejects a product. Bureau only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn decide_product(
        &self,
        request: v1::DecideProductRequest,
    ) -> Result<v1::Product, ClientError> {
        let answer = self.product_service().decide_product(request).await;
        self.answered(answer)
    }

    /// Ends a product. Operator and bureau.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retire_product(
        &self,
        name: &str,
        reason: &str,
    ) -> Result<v1::Product, ClientError> {
        let request = v1::RetireProductRequest {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        let answer = self.product_service().retire_product(request).await;
        self.answered(answer)
    }

    /// The products the caller may see, by name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list_products(&self) -> Result<Vec<v1::Product>, ClientError> {
        let mut service = self.product_service();
        let answer = service.list_products(v1::ListProductsRequest {}).await;
        Ok(self.answered(answer)?.products)
    }

    /// One product.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn product(&self, name: &str) -> Result<v1::Product, ClientError> {
        let name = name.to_owned();
        let mut service = self.product_service();
        let answer = service.get_product(v1::GetProductRequest { name }).await;
        self.answered(answer)
    }

    /// Runs a product, or gets the answer of one of its slots; its receipt is verified against the query that was reviewed.
    /// Operator only.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_product(
        &self,
        request: v1::RunProductRequest,
        mut progress: impl FnMut(&v1::Progress),
    ) -> Result<RunAnswer, ClientError> {
        let asked = v1::RunRequest {
            sql: self.product(&request.name).await?.sql,
            ..Default::default()
        };
        let answer = self.product_service().run_product(request).await;
        let mut steps = answer.map_err(|status| self.refused(&status))?.into_inner();
        while let Some(message) = self.next(&mut steps).await? {
            match message.step {
                Some(run_response::Step::Progress(step)) => progress(&step),
                Some(run_response::Step::Result(result)) => {
                    return RunAnswer::verify(result, &asked, self.log_key());
                }
                None => {}
            }
        }
        Err(ended())
    }
}
