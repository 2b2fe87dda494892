//! Listening.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Server;
use weir_api::v1;
use weir_api::v1::airlock_service_server::AirlockServiceServer;
use weir_api::v1::alert_service_server::AlertServiceServer;
use weir_api::v1::audit_service_server::AuditServiceServer;
use weir_api::v1::catalogue_service_server::CatalogueServiceServer;
use weir_api::v1::dataset_service_server::DatasetServiceServer;
use weir_api::v1::grant_service_server::GrantServiceServer;
use weir_api::v1::identity_service_server::IdentityServiceServer;
use weir_api::v1::key_service_server::KeyServiceServer;
use weir_api::v1::model_service_server::ModelServiceServer;
use weir_api::v1::policy_service_server::PolicyServiceServer;
use weir_api::v1::product_service_server::ProductServiceServer;
use weir_api::v1::release_service_server::ReleaseServiceServer;
use weir_api::v1::replay_service_server::ReplayServiceServer;
use weir_api::v1::retention_service_server::RetentionServiceServer;
use weir_api::v1::run_service_server::RunServiceServer;
use weir_api::v1::run_status_service_server::RunStatusServiceServer;
use weir_api::v1::usage_service_server::UsageServiceServer;

use crate::authority::file_fault;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::http::HttpServing;
use crate::log_http::serve_log;
use crate::metrics_http::serve_metrics;
use crate::products::Schedule;
use crate::services::{
    Airlock, Alerts, Audit, Catalogue, Datasets, Grants, Identities, Keys, Models, Policies,
    Products, Releases, Replays, Retention, RunStatuses, Runs, Usages,
};
use crate::tls;
use crate::unfinished::Looking;
use crate::watching::{Watching, Webhook};
use crate::witnesses::Following;

/// Largest message that is read, in bytes: a chunk of a model and its frame, or a manifest.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Calls at once on one connection.
const CALLS_PER_CONNECTION_MAX: u32 = 64;

/// Longest list of request headers that is read, in bytes.
const HEADERS_BYTES_MAX: u32 = 16 * 1024;

/// How often an idle connection is asked whether it is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long work that nobody waits for may go on while the domain is closed.
const LET_GO: Duration = Duration::from_secs(20);

/// How often is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A server that is running. Dropping it stops it without waiting; [`Serving::stop`] waits.
pub struct Serving {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
    domain: Arc<Domain>,
    log_http: Option<HttpServing>,
    following: Option<Following>,
    watching: Option<Watching>,
    metrics_http: Option<HttpServing>,
    schedule: Option<Schedule>,
    looking: Option<Looking>,
}

/// Serves a domain on the address of its settings; port 0 picks a free one.
///
/// # Errors
/// Where the address cannot be listened on or the certificates do not fit.
pub async fn serve(domain: Domain) -> Result<Serving, Fault> {
    let listen = domain.config.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Fault::environment(
            "LISTEN_FAILED",
            format!("cannot listen on {listen}: {error}. Stop what uses the port, or change `listen` in domain.toml"),
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| file_fault("the listening socket".as_ref(), &error))?;
    let log_http = match domain.config.log.http_listen {
        Some(listen) => {
            let dir = domain.record.with(|log| Ok(log.dir().to_owned()))?;
            Some(serve_log(listen, &dir).await?)
        }
        None => None,
    };
    let following = Following::start(&domain.record);
    let domain = Arc::new(domain);
    let watching = watch(&domain)?;
    let metrics_http = match domain.config.metrics.listen {
        Some(listen) => Some(serve_metrics(listen, &domain).await?),
        None => None,
    };
    let (stop, stopped) = oneshot::channel();
    let router = router(&domain).await?;
    let task = tokio::spawn(router.serve_with_incoming_shutdown(
        tls::incoming(listener, &domain),
        async {
            drop(stopped.await);
        },
    ));
    let schedule = Some(Schedule::start(&domain));
    let looking = Some(Looking::start(&domain));
    tracing::info!(%address, domain = domain.config.name, "serving");
    Ok(Serving {
        address,
        stop: Some(stop),
        task,
        domain,
        log_http,
        following,
        watching,
        metrics_http,
        schedule,
        looking,
    })
}

/// Begins to watch. A domain is served once: whoever came first has what was heard.
fn watch(domain: &Arc<Domain>) -> Result<Option<Watching>, Fault> {
    let webhook = match &domain.config.alerts.webhook {
        Some(config) => Some(Webhook::open(config, &domain.webhook_secret)?),
        None => None,
    };
    let mut heard = domain.heard.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(heard
        .take()
        .map(|heard| Watching::start(domain, heard, webhook)))
}

async fn router(domain: &Arc<Domain>) -> Result<tonic::transport::server::Router, Fault> {
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter
        .set_serving::<RunServiceServer<Runs>>()
        .await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(v1::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|_| {
            Fault::bug(
                "BUG_REFLECTION",
                "the contract's description cannot be served. Please report this",
            )
        })?;
    let server = Server::builder()
        .max_concurrent_streams(CALLS_PER_CONNECTION_MAX)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .add_service(health)
        .add_service(reflection)
        .add_service(
            AirlockServiceServer::new(Airlock(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            RunStatusServiceServer::new(RunStatuses(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            AlertServiceServer::new(Alerts(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            AuditServiceServer::new(Audit(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            CatalogueServiceServer::new(Catalogue(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            DatasetServiceServer::new(Datasets(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            GrantServiceServer::new(Grants(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            IdentityServiceServer::new(Identities(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            KeyServiceServer::new(Keys(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            ModelServiceServer::new(Models(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            PolicyServiceServer::new(Policies(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            ProductServiceServer::new(Products(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            ReleaseServiceServer::new(Releases(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            ReplayServiceServer::new(Replays(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            RetentionServiceServer::new(Retention(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            RunServiceServer::new(Runs(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            UsageServiceServer::new(Usages(Arc::clone(domain)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
        );
    Ok(server)
}

impl Serving {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the log's files are served, if they are.
    #[must_use]
    pub fn log_address(&self) -> Option<SocketAddr> {
        self.log_http.as_ref().map(HttpServing::address)
    }

    /// Where the metrics are shown, if they are.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_http.as_ref().map(HttpServing::address)
    }

    /// Stops taking calls, lets those under way finish, also where nobody waits for them any more, and closes the domain. Then
    /// it can be opened again: nothing holds its locks, but for work that took longer than it is given.
    ///
    /// # Errors
    /// Where the server had failed before.
    pub async fn stop(mut self) -> Result<(), Fault> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(schedule) = self.schedule.take() {
            schedule.stop().await;
        }
        let ended = (&mut self.task).await;
        if let Some(watching) = self.watching.take() {
            watching.stop().await;
        }
        if let Some(following) = self.following.take() {
            following.stop().await;
        }
        if let Some(looking) = self.looking.take() {
            looking.stop(&self.domain).await;
        }
        let domain = Arc::clone(&self.domain);
        let _ = tokio::task::spawn_blocking(move || domain.traces.close()).await;
        self.let_go().await;
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Fault::environment(
                "SERVER_FAILED",
                format!("the server stopped: {error}"),
            )),
            Err(_) => Err(Fault::bug(
                "BUG_PANIC",
                "the server stopped by a mistake of Weir's. Please report this",
            )),
        }
    }
}

impl Serving {
    /// Waits until log, ledger and vault are closed by whoever uses them last. The registry is open until then.
    async fn let_go(self) {
        let registry = self.domain.registry.clone();
        let open = Arc::downgrade(&self.domain.open);
        drop(self);
        let begun = Instant::now();
        while open.strong_count() > 0 {
            if begun.elapsed() > LET_GO {
                tracing::warn!("work goes on that nobody waits for; the next start settles it");
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        registry.close().await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}
