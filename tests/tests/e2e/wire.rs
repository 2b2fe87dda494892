//! What comes over the wire without being what it should be: certificates that do not hold, old protocols, bytes that are no
//! frames, frames and messages that are too large, and requests that are sent again. Each is refused, and the server goes
//! on.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use weir_client::IdentityFolder;
use weir_tests::TestDomain;

/// How long a peer waits for the server to end what it does not understand.
const PATIENCE: Duration = Duration::from_secs(15);

/// How a connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Empty settings.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A connection over TLS with a certificate, or what kept it from being one.
async fn connect(
    identity: Option<&IdentityFolder>,
    to: &IdentityFolder,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(to.authority_pem.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let builder = ClientConfig::builder_with_protocol_versions(&[version]);
    let builder = builder.with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain =
                CertificateDer::from_pem_slice(identity.certificate_pem.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    config.alpn_protocols.push(b"h2".to_vec());
    let address = to.server_url.trim_start_matches("https://");
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// What the server answers to these bytes until it ends the connection; `None` where it does not end it.
async fn ended_by(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> Option<Vec<u8>> {
    // It may end it before all of it was sent.
    drop(stream.write_all(bytes).await);
    drop(stream.flush().await);
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.is_ok().then_some(answer)
}

/// Whether somebody gets through the handshake and is heard: a failure may come with the first bytes that are read.
async fn is_let_in(
    identity: Option<&IdentityFolder>,
    to: &IdentityFolder,
    version: &'static SupportedProtocolVersion,
) -> bool {
    let Ok(mut stream) = connect(identity, to, version).await else {
        return false;
    };
    let hello = [PREFACE, SETTINGS].concat();
    if stream.write_all(&hello).await.is_err() {
        return false;
    }
    let mut answer = [0; 9];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
    matches!(read, Ok(Ok(_)))
}

async fn goes_on(domain: &TestDomain) {
    assert_eq!(domain.bureau.who_am_i().await.unwrap().person, "wang");
}

/// A certificate by this domain's own authority, with the times and uses that somebody chose.
pub(crate) fn forged(
    domain: &TestDomain,
    days: (i64, i64),
    usage: ExtendedKeyUsagePurpose,
) -> IdentityFolder {
    let key = KeyPair::from_pem(
        &std::fs::read_to_string(domain.folder.root().join("keys/authority.key")).unwrap(),
    )
    .unwrap();
    let issuer = Issuer::from_ca_cert_pem(&domain.administrator.authority_pem, key).unwrap();
    let mut params = CertificateParams::default();
    let now = std::time::SystemTime::now();
    let at = |days: i64| {
        let day = Duration::from_secs(86_400);
        let moved = match days < 0 {
            true => now - day * days.unsigned_abs() as u32,
            false => now + day * days as u32,
        };
        moved.into()
    };
    (params.not_before, params.not_after) = (at(days.0), at(days.1));
    params.distinguished_name.push(DnType::CommonName, "wang");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    IdentityFolder {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        ..domain.administrator.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_certificate_that_holds_and_tls_13_get_through_the_handshake() {
    let domain = TestDomain::start().await;
    let own = &domain.administrator;
    assert!(is_let_in(Some(own), own, &TLS13).await);
    assert!(!is_let_in(Some(own), own, &TLS12).await, "TLS 1.2");
    assert!(!is_let_in(None, own, &TLS13).await, "no certificate");
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    for (what, days, usage, may) in [
        ("of today", (-1, 1), client.clone(), true),
        ("expired", (-10, -1), client.clone(), false),
        ("of tomorrow", (1, 10), client, false),
        (
            "a server's",
            (-1, 1),
            ExtendedKeyUsagePurpose::ServerAuth,
            false,
        ),
    ] {
        let forged = forged(&domain, days, usage);
        assert_eq!(is_let_in(Some(&forged), own, &TLS13).await, may, "{what}");
    }
    // One that signs itself, with the names of somebody.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "wang");
    let itself = IdentityFolder {
        certificate_pem: params.self_signed(&key).unwrap().pem(),
        key_pem: key.serialize_pem(),
        ..own.clone()
    };
    assert!(!is_let_in(Some(&itself), own, &TLS13).await, "signs itself");
    // And one that got through is nobody until the registry knows it.
    let unknown = forged(&domain, (-1, 1), ExtendedKeyUsagePurpose::ClientAuth);
    let client = weir_client::Client::connect(&unknown).await.unwrap();
    assert_eq!(
        client.who_am_i().await.unwrap_err().code(),
        "IDENTITY_UNKNOWN"
    );
    goes_on(&domain).await;
}

/// A frame of HTTP/2.
fn frame(length: u32, kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(body);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_2_ends_the_connection_and_nothing_else() {
    let domain = TestDomain::start().await;
    let own = &domain.administrator;
    let hello = [PREFACE, SETTINGS].concat();
    let after = |frames: Vec<u8>| [hello.clone(), frames].concat();
    let (data, headers, continuation, ping, window) = (0, 1, 9, 6, 8);
    let mut pseudo = 0x1234_5678_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        pseudo = pseudo.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (pseudo >> 24) as u8
    })
    .take(64 * 1024)
    .collect();
    for (what, bytes) in [
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        ("noise", noise.clone()),
        ("noise after the greeting", after(noise)),
        (
            "a frame longer than any may be",
            after(frame(0x00ff_ffff, data, 0, 1, &[0; 100])),
        ),
        (
            "data of a stream that nobody opened",
            after(frame(4, data, 1, 7, &[0; 4])),
        ),
        (
            "a stream of the server's",
            after(frame(1, headers, 5, 2, &[0x82])),
        ),
        (
            "headers that are no HPACK",
            after(frame(6, headers, 5, 1, &[0xff; 6])),
        ),
        (
            "a ping of three bytes",
            after(frame(3, ping, 0, 0, &[0; 3])),
        ),
        (
            "a window of more than there is",
            after(
                [
                    frame(4, window, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
                    frame(4, window, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
                ]
                .concat(),
            ),
        ),
        (
            "a continuation of nothing",
            after(frame(1, continuation, 0, 1, &[0])),
        ),
        (
            "headers without an end",
            after(
                [
                    frame(1, headers, 0, 1, &[0x82]),
                    // Literals that are never indexed: a name and a value of a hundred bytes, again and again.
                    std::iter::repeat_n(
                        frame(
                            104,
                            continuation,
                            0,
                            1,
                            &[&[0x10, 1, b'a', 100][..], &[b'b'; 100]].concat(),
                        ),
                        20_000,
                    )
                    .collect::<Vec<_>>()
                    .concat(),
                ]
                .concat(),
            ),
        ),
    ] {
        let mut stream = connect(Some(own), own, &TLS13).await.unwrap();
        let ended = ended_by(&mut stream, &bytes).await;
        assert!(ended.is_some(), "{what}: the server leaves it open");
        goes_on(&domain).await;
    }
}

/// Nobody holds a place by saying nothing: neither in the handshake nor after it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_does_not_keep_others_out() {
    let domain = TestDomain::start().await;
    let own = &domain.administrator;
    let address = own.server_url.trim_start_matches("https://");
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let begun = std::time::Instant::now();
    assert!(is_let_in(Some(own), own, &TLS13).await);
    goes_on(&domain).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // And a handshake that goes on for too long is ended.
    let mut byte = [0];
    let ended = tokio::time::timeout(PATIENCE, silent[0].read(&mut byte)).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}

/// What a peer sent over a connection that went through here.
async fn recorded(from: tokio::net::TcpListener, to: String) -> Vec<u8> {
    let (mut peer, _) = from.accept().await.unwrap();
    let mut server = TcpStream::connect(to).await.unwrap();
    let (mut peer_says, mut peer_hears) = peer.split();
    let (mut server_says, mut server_hears) = server.split();
    let mut sent = Vec::new();
    let forward = async {
        let mut buffer = [0; 4096];
        while let Ok(read) = peer_says.read(&mut buffer).await {
            if read == 0 || server_hears.write_all(&buffer[..read]).await.is_err() {
                break;
            }
            sent.extend_from_slice(&buffer[..read]);
        }
    };
    let back = async { drop(tokio::io::copy(&mut server_says, &mut peer_hears).await) };
    tokio::select! {
        () = forward => {}
        () = back => {}
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_recorded_says_nothing_when_it_is_sent_again() {
    let domain = TestDomain::start().await;
    let own = &domain.administrator;
    let address = own.server_url.trim_start_matches("https://").to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = IdentityFolder {
        server_url: format!("https://{}", listener.local_addr().unwrap()),
        ..own.clone()
    };
    let recording = tokio::spawn(recorded(listener, address.clone()));
    let client = weir_client::Client::connect(&through).await.unwrap();
    let freeze = weir_client::v1::FreezeRequest {
        scope: "operator".to_owned(),
        name: "Somebody".to_owned(),
        reason: "a test".to_owned(),
    };
    client.freeze(freeze.clone()).await.unwrap();
    client.unfreeze(freeze).await.unwrap();
    drop(client);
    let sent = recording.await.unwrap();
    assert!(
        sent.len() > 1_000,
        "a handshake and two calls: {}",
        sent.len()
    );

    let before = domain.bureau.checkpoint().await.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    drop(stream.write_all(&sent).await);
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the server ends it");
    assert_eq!(
        domain.bureau.checkpoint().await.unwrap(),
        before,
        "nothing was done"
    );
}
