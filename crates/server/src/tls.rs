//! Connections: mutual TLS 1.3 and nothing older, each handshake with an end, and only so many at once.
//!
//! Whoever has no certificate of an authority that the domain trusts does not come further than here: nothing they sent but
//! the handshake is read.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::fault::Fault;

/// How long a peer may take for the handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes at once; others wait in the listening socket's queue.
const HANDSHAKES_MAX: usize = 1_024;

/// Connections that wait to be taken up.
const ACCEPTED_MAX: usize = 16;

/// After a connection could not be taken from the socket, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How HTTP/2 is called in a handshake.
const ALPN: &[u8] = b"h2";

/// A connection whose peer has shown a certificate.
pub(crate) type Connection = TlsStream<TcpStream>;

/// Connections, as they come.
pub(crate) type Connections = ReceiverStream<std::io::Result<Connection>>;

/// Accepts peers that an authority in `roots_pem` certified.
pub(crate) fn acceptor(
    (certificate_pem, key_pem): (&str, &str),
    roots_pem: &str,
) -> Result<TlsAcceptor, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(roots_pem.as_bytes()) {
        roots.add(certificate.map_err(failed)?).map_err(failed)?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(failed)?;
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(failed)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.map_err(failed)?, key)
        .map_err(failed)?;
    config.alpn_protocols.push(ALPN.to_vec());
    // What is sent before a handshake is complete could be sent again by somebody else.
    config.max_early_data_size = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn failed(error: impl std::fmt::Display) -> Fault {
    Fault::environment(
        "TLS_FAILED",
        format!(
            "a certificate or key was refused: {error}. Check the folder `keys` of the domain and `client_authorities` in domain.toml"
        ),
    )
}

/// Takes connections from a socket until nobody asks for more.
pub(crate) fn accept(listener: TcpListener, acceptor: TlsAcceptor) -> Connections {
    let (sender, receiver) = mpsc::channel(ACCEPTED_MAX);
    tokio::spawn(async move {
        let slots = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            // Never closed.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let taken = tokio::select! {
                taken = listener.accept() => taken,
                () = sender.closed() => return,
            };
            let Ok((stream, _)) = taken else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            tokio::spawn(async move {
                let shaken = shake(stream, &acceptor).await;
                if let Some(connection) = shaken {
                    drop(sender.send(Ok(connection)).await);
                }
                drop(slot);
            });
        }
    });
    ReceiverStream::new(receiver)
}

/// A peer that fails, or takes too long, is gone: there is nobody to tell.
async fn shake(stream: TcpStream, acceptor: &TlsAcceptor) -> Option<Connection> {
    // Small answers do not wait for larger ones.
    stream.set_nodelay(true).ok()?;
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
    match shaken {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            tracing::debug!(kind = ?error.kind(), "a handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a handshake took too long");
            None
        }
    }
}
