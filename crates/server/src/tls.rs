//! Connections: mutual TLS 1.3 and nothing older; whom the server shows itself as, and whose clients may connect, as of now.
//!
//! tonic would take both once, at the start. An authority is changed while the domain is served, so the handshake is made
//! here, each with what is in force when it begins; connections that are open stay. Once an earlier authority is retired,
//! those that its certificates opened are cut: whoever has renewed theirs connects again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, TcpConnectInfo, TlsConnectInfo};
use weir_audit::Digest;

use crate::authority::{Authority, Issued, file_fault, fingerprint};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Domain;
use crate::fault::Fault;

/// How long a peer may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes at once; others wait in the listening socket's queue.
const HANDSHAKES_MAX: usize = 1_024;

/// Connections that wait to be served.
const WAITING_MAX: usize = 16;

/// How long to wait after the system gave no connection: it is out of files, most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// How old the server's certificate becomes, in days.
const RENEWED_AFTER_DAYS: i64 = 30;

/// HTTP/2, as gRPC has it.
const ALPN: &[u8] = b"h2";

/// What a handshake needs.
pub(crate) struct Credentials {
    pub(crate) authority: Authority,
    config: Arc<ServerConfig>,
    /// The domain's own authorities whose clients are let in: the one in use, and perhaps the earlier one.
    own: Vec<(Digest, Arc<dyn ClientCertVerifier>)>,
    /// Of the authorities that the settings name.
    foreign: Option<Arc<dyn ClientCertVerifier>>,
    made_at: DateTime<Utc>,
}

impl Credentials {
    /// A certificate for the server, and whom to let in beside the clients of its own authority.
    pub(crate) fn new(authority: Authority, settings: &Config) -> Result<Self, Fault> {
        let now = Clock::of_handshakes();
        let (chain, key) = authority.server(&settings.server_names, now)?;
        let mut accepted = vec![authority.pem().to_owned()];
        accepted.extend(authority.earlier_pem().map(str::to_owned));
        let own = accepted.iter().map(|pem| {
            let alone = std::slice::from_ref(pem);
            Ok((fingerprint(pem)?, verifier(alone)?))
        });
        let own = own.collect::<Result<_, Fault>>()?;
        let foreign = settings
            .client_authorities
            .iter()
            .map(|file| std::fs::read_to_string(file).map_err(|error| file_fault(file, &error)));
        let foreign: Vec<_> = foreign.collect::<Result<_, _>>()?;
        accepted.extend(foreign.iter().cloned());
        let foreign = match foreign.is_empty() {
            true => None,
            false => Some(verifier(&foreign)?),
        };
        let chain = certificates(&chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| unusable(None))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(Some(&error)))?
            .with_client_cert_verifier(verifier(&accepted)?)
            .with_single_cert(chain, key)
            .map_err(|error| unusable(Some(&error)))?;
        config.alpn_protocols.push(ALPN.to_vec());
        // What is sent before a handshake is complete could be sent again by somebody else.
        config.max_early_data_size = 0;
        Ok(Self {
            authority,
            config: Arc::new(config),
            own,
            foreign,
            made_at: now,
        })
    }

    /// Which of the domain's authorities a client's certificate is of, if it is of one.
    fn authority_of(&self, stream: &TlsStream<TcpStream>) -> Option<Digest> {
        let (_, session) = stream.get_ref();
        let (client, between) = session.peer_certificates()?.split_first()?;
        let is_of = |verifier: &Arc<dyn ClientCertVerifier>| {
            let verified = verifier.verify_client_cert(client, between, UnixTime::now());
            verified.is_ok()
        };
        let mut own = self.own.iter();
        own.find_map(|(fingerprint, verifier)| is_of(verifier).then_some(*fingerprint))
    }

    /// A certificate that an authority of the settings issued, to be let in as it is: until it ends, and no longer than asked.
    pub(crate) fn foreign(&self, pem: &str, until: DateTime<Utc>) -> Result<Issued, Fault> {
        let unread = || {
            Fault::caller(
                "CERTIFICATE_INVALID",
                "what was sent is no certificate in PEM. Send the person's certificate as their authority issued it",
            )
        };
        let chain = certificates(pem).map_err(|_| unread())?;
        let (client, between) = chain.split_first().ok_or_else(unread)?;
        let verifier = self.foreign.as_ref().ok_or_else(|| {
            Fault::policy(
                "CERTIFICATE_FOREIGN",
                "this domain lets in certificates of its own authority alone. Name another in `client_authorities` of \
                 domain.toml, or send a signing request",
            )
        })?;
        let good_at = |at: DateTime<Utc>| {
            let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
            let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            verifier.verify_client_cert(client, between, at)
        };
        let refused = |error: &dyn std::fmt::Display| {
            Fault::caller(
                "CERTIFICATE_OTHER",
                format!(
                    "the certificate would not be let in: {error}. Send one for clients, good today, that an authority of \
                     `client_authorities` issued"
                ),
            )
        };
        good_at(Clock::of_handshakes()).map_err(|error| refused(&error))?;
        let not_after = match good_at(until) {
            Ok(_) => until,
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => i64::try_from(not_after.as_secs())
                .ok()
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .unwrap_or(until)
                .min(until),
            Err(error) => return Err(refused(&error)),
        };
        Ok(Issued {
            fingerprint: Digest::of(client),
            pem: pem.to_owned(),
            not_after,
        })
    }

    fn accepts(&self, authority: Digest) -> bool {
        self.own.iter().any(|(accepted, _)| *accepted == authority)
    }
}

/// The credentials in force.
pub(crate) struct Front(watch::Sender<Arc<Credentials>>);

impl Front {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self(watch::Sender::new(Arc::new(credentials)))
    }

    pub(crate) fn now(&self) -> Arc<Credentials> {
        Arc::clone(&self.0.borrow())
    }

    /// From here on others are in force.
    pub(crate) fn put(&self, credentials: Credentials) {
        self.0.send_replace(Arc::new(credentials));
    }

    /// Has the server's certificate made anew where it is old.
    fn renewed(&self, settings: &Config) -> Result<(), Fault> {
        let now = self.now();
        if Clock::of_handshakes() - now.made_at < TimeDelta::days(RENEWED_AFTER_DAYS) {
            return Ok(());
        }
        let next = Credentials::new(now.authority.again()?, settings)?;
        // Unless somebody changed the authority meanwhile.
        self.0.send_if_modified(|held| {
            let same = Arc::ptr_eq(held, &now);
            if same {
                *held = Arc::new(next);
            }
            same
        });
        Ok(())
    }
}

/// The connections to serve. They end with the stream.
pub(crate) fn incoming(
    listener: TcpListener,
    domain: &Arc<Domain>,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, served) = mpsc::channel(WAITING_MAX);
    let domain = Arc::clone(domain);
    tokio::spawn(async move {
        let at_once = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            let accepted = tokio::select! {
                () = ready.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            if let Err(fault) = domain.front.renewed(&domain.config) {
                tracing::warn!(
                    code = fault.code,
                    "the server's certificate was not renewed"
                );
            }
            let Ok(turn) = Arc::clone(&at_once).acquire_owned().await else {
                return;
            };
            let (domain, ready) = (Arc::clone(&domain), ready.clone());
            tokio::spawn(async move {
                let shake = timeout(HANDSHAKE_TIMEOUT, Connection::accept(&domain, stream));
                // A peer that is slow does not keep a domain open that is no longer served.
                let shaken = tokio::select! {
                    () = ready.closed() => return,
                    shaken = shake => shaken,
                };
                drop(turn);
                // What fails is the peer's: another authority, no certificate, no TLS at all.
                if let Ok(Ok(connection)) = shaken {
                    drop(ready.send(Ok(connection)).await);
                }
            });
        }
    });
    ReceiverStream::new(served)
}

/// A connection whose peer has shown a certificate.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    /// Ends when the authority of its certificate is retired.
    retired: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    is_cut: bool,
}

impl Connection {
    async fn accept(domain: &Arc<Domain>, stream: TcpStream) -> io::Result<Self> {
        let mut changes = domain.front.0.subscribe();
        let credentials = Arc::clone(&changes.borrow_and_update());
        stream.set_nodelay(true)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&credentials.config));
        let stream = acceptor.accept(stream).await?;
        let retired = credentials.authority_of(&stream).map(|authority| {
            let gone = async move {
                // Where the domain is gone, so is the connection.
                drop(changes.wait_for(|now| !now.accepts(authority)).await);
            };
            Box::pin(gone) as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        Ok(Self {
            stream,
            retired,
            is_cut: false,
        })
    }

    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(retired) = &mut self.retired
            && retired.as_mut().poll(context).is_ready()
        {
            self.retired = None;
            self.is_cut = true;
        }
        self.is_cut
    }
}

fn cut<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return cut();
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut {
            return cut();
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut {
            return cut();
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

/// Accepts clients of these authorities (PEM, each perhaps several).
fn verifier(authorities: &[String]) -> Result<Arc<dyn ClientCertVerifier>, Fault> {
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        roots.add_parsable_certificates(certificates(pem)?);
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(Some(&error)))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| unusable(None))
}

fn unusable(error: Option<&dyn std::fmt::Display>) -> Fault {
    let reason = error.map_or_else(
        || "it cannot be read".to_owned(),
        std::string::ToString::to_string,
    );
    Fault::environment(
        "TLS_FAILED",
        format!(
            "a certificate of the server or of an authority was refused: {reason}. Check the folder `keys` of the domain and \
             the files of `client_authorities`"
        ),
    )
}
