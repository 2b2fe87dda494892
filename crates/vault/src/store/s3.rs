//! Settings of an S3-compatible store.

use std::fmt;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use zeroize::Zeroizing;

use super::ObjectsStore;
use crate::{Result, VaultError};

/// Attempts after the first one, with growing pauses between them.
const RETRIES_MAX: usize = 4;
/// Longest time from the first attempt to the last.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
/// First pause between attempts.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Longest pause between attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request may take, with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// A bucket of an S3-compatible store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The bucket.
    pub bucket: String,
    /// What every object's name begins with; may be empty.
    pub prefix: String,
    /// The region.
    pub region: String,
    /// The store's address, for one that is not Amazon's: `https://host:port`.
    pub endpoint: Option<String>,
    /// Who asks; `None` takes what the environment says (`AWS_ACCESS_KEY_ID` and its like, or the machine's role).
    pub credentials: Option<S3Credentials>,
}

/// Whom the store knows. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// The access key's name.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Zeroizing<String>,
    /// For credentials that end.
    pub session_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(..)")
    }
}

impl S3Settings {
    /// What the store is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    /// The store. Nothing is asked of it yet.
    pub(crate) fn open(&self) -> Result<ObjectsStore> {
        let place = self.place();
        // Everything in the store is sealed, so a plain connection gives away no data; the settings name it openly.
        let plain = self
            .endpoint
            .as_deref()
            .is_some_and(|endpoint| endpoint.starts_with("http://"));
        let mut builder = match &self.credentials {
            None => AmazonS3Builder::from_env(),
            Some(credentials) => {
                let builder = AmazonS3Builder::new()
                    .with_access_key_id(&credentials.access_key_id)
                    .with_secret_access_key(credentials.secret_access_key.as_str());
                match &credentials.session_token {
                    Some(token) => builder.with_token(token.as_str()),
                    None => builder,
                }
            }
        };
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let store = builder
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(plain)
                    .with_connect_timeout(CONNECT_TIMEOUT)
                    .with_timeout(REQUEST_TIMEOUT),
            )
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: BACKOFF_FIRST,
                    max_backoff: BACKOFF_MAX,
                    base: 2.0,
                },
                max_retries: RETRIES_MAX,
                retry_timeout: RETRY_TIMEOUT,
            })
            .build()
            .map_err(|_| VaultError::StoreFailed {
                place: place.clone(),
                action: "use",
                problem: "the settings are not those of an S3 store; check bucket, region and endpoint",
            })?;
        ObjectsStore::new(store, &self.prefix, place)
    }
}
