//! Alerts over TLS: sent to a receiver whose certificate the machine trusts, and to no other.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use weir_client::v1::RunRequest;
use weir_client::{Client, IdentityFolder};

use crate::process::Served;
use crate::scene::{operator_of, register};

const PATIENCE: Duration = Duration::from_secs(30);
/// In which an alert is tried several times.
const NOT_TOLD: Duration = Duration::from_secs(4);

/// An authority in a file of its own, and a server of `localhost` that it certified. Keeps what it is told.
async fn receiver(home: &Path, name: &str) -> (SocketAddr, PathBuf, Arc<Mutex<Vec<String>>>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let file = home.join(format!("{name}.pem"));
    std::fs::write(&file, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let told = Arc::<Mutex<Vec<String>>>::default();
    let heard = Arc::clone(&told);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let (mut request, mut piece) = (Vec::new(), [0; 4_096]);
            while let Ok(count @ 1..) = stream.read(&mut piece).await {
                request.extend(&piece[..count]);
                // An alert is JSON, which ends with its brace.
                if request.ends_with(b"}") {
                    break;
                }
            }
            heard
                .lock()
                .unwrap()
                .push(String::from_utf8(request).unwrap());
            let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
            drop(stream.write_all(answer).await);
            drop(stream.shutdown().await);
        }
    });
    (address, file, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_go_over_tls_to_a_receiver_that_the_machine_trusts() {
    let home = tempfile::tempdir().unwrap();
    let (address, trusted, told) = receiver(home.path(), "trusted").await;
    let (_, other, _) = receiver(home.path(), "other").await;
    for (trusts, is_told) in [(&trusted, true), (&other, false)] {
        told.lock().unwrap().clear();
        let folder = home.path().join(format!("told-{is_told}"));
        let inbox = folder.join("inbox");
        std::fs::create_dir_all(&inbox).unwrap();
        let settings = format!(
            "[alerts.webhook]\nurl = \"https://localhost:{}/alerts\"\n[alerts.rules.refusal_burst]\ncount = 3\n",
            address.port()
        );
        let environment = [("SSL_CERT_FILE", trusts.as_path())];
        let served = Served::start_in(&folder, &inbox, &settings, &environment);
        let administrator = IdentityFolder::load(&served.administrator).unwrap();
        let bureau = Client::connect(&administrator).await.unwrap();
        assert!(register(&bureau, &inbox, 60, false).await);
        let operator = operator_of(&bureau, &administrator).await;
        let operator = Client::connect(&operator).await.unwrap();
        for _ in 0..3 {
            let request = RunRequest {
                sql: "SELECT * FROM trips".to_owned(),
                ..RunRequest::default()
            };
            operator.run(request, |_| {}).await.map(drop).unwrap_err();
        }
        let begun = Instant::now();
        let alert = loop {
            let alert = bureau.list_alerts(false, 0).await.unwrap().pop();
            let enough = if is_told { PATIENCE } else { NOT_TOLD };
            match alert {
                Some(alert) if alert.webhook == "sent" || begun.elapsed() > enough => break alert,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let told = told.lock().unwrap().clone();
        match is_told {
            true => {
                assert_eq!(alert.webhook, "sent");
                assert!(told[0].starts_with("POST /alerts HTTP/1.1"), "{told:?}");
                assert!(told[0].contains("refusal_burst"), "{told:?}");
            }
            false => {
                assert_eq!(alert.webhook, "waiting");
                assert!(told.is_empty(), "{told:?}");
            }
        }
        served.stop();
    }
}
