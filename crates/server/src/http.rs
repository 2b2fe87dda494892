//! Plain HTTP/1.1 for what is public and small: bounded in connections, time and bytes, and knowing nothing of what it
//! serves. The log's files and a witness are behind it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::fault::Fault;

/// Connections at once; those that come beyond wait to be accepted.
const CONNECTIONS_MAX: usize = 64;

/// How long a connection may live, however it is used.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a peer may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a peer may take for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest head of a request that is read, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Longest body that is read, in bytes: a checkpoint and a proof.
const BODY_BYTES_MAX: usize = 128 * 1024;

/// A request, as far as anything behind this cares.
pub(crate) struct Asked {
    pub(crate) is_post: bool,
    /// Without the query, and without the leading slash.
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media_type: &'static str,
    pub(crate) cache: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// An answer of one line.
    pub(crate) fn text(status: u16, line: &str) -> Self {
        Self {
            status,
            media_type: "text/plain; charset=utf-8",
            cache: "no-store",
            body: format!("{line}\n").into_bytes(),
        }
    }
}

/// Answers one request. Blocks; it is called off the threads that serve.
pub(crate) type Answering = Arc<dyn Fn(Asked) -> Answer + Send + Sync>;

/// An HTTP server that is running. Dropping it stops it.
pub struct HttpServing {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpServing {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on an address; port 0 picks a free one.
pub(crate) async fn serve_http(
    listen: SocketAddr,
    answering: Answering,
) -> Result<HttpServing, Fault> {
    let failed = |error: std::io::Error| {
        Fault::environment(
            "LISTEN_FAILED",
            format!(
                "cannot listen on {listen}: {error}. Stop what uses the port, or choose another"
            ),
        )
    };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let task = tokio::spawn(accept(listener, answering));
    Ok(HttpServing { address, task })
}

async fn accept(listener: TcpListener, answering: Answering) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answering = Arc::clone(&answering);
                connections.spawn(async move {
                    connection(stream, answering).await;
                    drop(slot);
                });
            }
            // Out of file descriptors, for instance: others will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, answering: Answering) {
    let service = service_fn(|request| respond(request, Arc::clone(&answering)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // What goes wrong on a connection is its peer's business.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

async fn respond(
    request: Request<Incoming>,
    answering: Answering,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().clone();
    let answer = match read(request).await {
        Ok(asked) => tokio::task::spawn_blocking(move || answering(asked))
            .await
            .unwrap_or_else(|_| Answer::text(500, "a mistake in Weir")),
        Err(answer) => answer,
    };
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // The answer to HEAD is that to GET without its body, which hyper leaves out.
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, answer.media_type.parse().unwrap_or(PLAIN));
    headers.insert(CACHE_CONTROL, answer.cache.parse().unwrap_or(NO_STORE));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        tracing::debug!(%method, "a method that is not served");
    }
    Ok(response)
}

const PLAIN: hyper::header::HeaderValue = hyper::header::HeaderValue::from_static("text/plain");
const NO_STORE: hyper::header::HeaderValue = hyper::header::HeaderValue::from_static("no-store");

async fn read(request: Request<Incoming>) -> Result<Asked, Answer> {
    let is_post = match *request.method() {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return Err(Answer::text(405, "only GET, HEAD and POST are served")),
    };
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path).to_owned();
    let too_long = || Answer::text(413, "the request is too long, or broke off");
    // Said before it is sent, where the length is announced.
    if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_long());
    }
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = tokio::time::timeout(BODY_TIMEOUT, body)
        .await
        .map_err(|_| Answer::text(408, "the request took too long"))?
        .map_err(|_| too_long())?
        .to_bytes();
    Ok(Asked {
        is_post,
        path,
        body,
    })
}
