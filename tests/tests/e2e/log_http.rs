//! The log's files over plain HTTP, as a mirror fetches them, and proofs that the log only grows.

use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_audit::{Checkpoint, verify_log_since};
use weir_client::v1::Role;
use weir_client::{Client, ClientError, IdentityFolder};
use weir_tests::TestDomain;

/// Status line and headers, and the body, of a request as it is written here.
async fn ask(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.unwrap() + 4);
    (String::from_utf8(head.to_vec()).unwrap(), body.to_vec())
}

async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n");
    ask(address, &request).await
}

/// Copies a log as tlog-tiles says it lies: the checkpoint, and of each kind as many files as its size asks for.
async fn mirror(address: SocketAddr, to: &Path) -> u64 {
    let (_, checkpoint) = get(address, "/checkpoint").await;
    let text = String::from_utf8(checkpoint.clone()).unwrap();
    let size: u64 = text.lines().nth(1).unwrap().parse().unwrap();
    assert!(size > 0 && size < 256, "one tile and one bundle: {size}");
    for name in [
        format!("tile/0/000.p/{size}"),
        format!("tile/entries/000.p/{size}"),
    ] {
        let (head, body) = get(address, &format!("/{name}")).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{name}: {head}");
        assert!(head.contains("immutable"), "{head}");
        std::fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
        std::fs::write(to.join(&name), body).unwrap();
    }
    std::fs::write(to.join("checkpoint"), checkpoint).unwrap();
    size
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_mirrors_the_log_over_http_and_sees_it_grow() {
    let domain = TestDomain::start().await;
    let administrator = domain.administrator.clone();
    let key = domain.operator.log_key().clone();
    let (folder, guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    let settings = format!("{settings}\n[log]\nhttp_listen = \"127.0.0.1:0\"\n");
    std::fs::write(folder.config(), settings).unwrap();
    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    let serving = weir_server::serve(opened).await.unwrap();
    let address = serving.log_address().unwrap();

    let first = guard.path().join("first");
    let size = mirror(address, &first).await;
    let note = std::fs::read(first.join("checkpoint")).unwrap();
    let before = Checkpoint::verify(&note, &key).unwrap();
    assert_eq!(before.size(), size);

    // An entry more: someone is given an identity.
    let identity = IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..administrator
    };
    let bureau = Client::connect(&identity).await.unwrap();
    let auditor = weir_tests::issue(&bureau, &identity, Role::Auditor, "Audit Office").await;
    let auditor = Client::connect(&auditor).await.unwrap();
    let now = auditor.checkpoint_since(&before).await.unwrap();
    assert_eq!(now.size(), size + 1);
    let second = guard.path().join("second");
    mirror(address, &second).await;
    let report = verify_log_since(&second, &key, &before, &mut |_, _| {}).unwrap();
    assert_eq!(report.entries, size + 1);

    // The earlier tree cannot be asked for a proof from the later one.
    let refused = auditor
        .checkpoint_since(&now)
        .await
        .map(|again| again.size());
    assert_eq!(refused.unwrap(), size + 1);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_log_is_served() {
    let domain = TestDomain::start().await;
    let (folder, _guard) = domain.stop().await;
    let settings = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(
        folder.config(),
        format!("{settings}\n[log]\nhttp_listen = \"127.0.0.1:0\"\n"),
    )
    .unwrap();
    let opened = weir_server::Domain::open(folder.root()).await.unwrap();
    let serving = weir_server::serve(opened).await.unwrap();
    let address = serving.log_address().unwrap();
    for path in [
        "/",
        "/lock",
        "/domain.toml",
        "/../domain.toml",
        "/tile/../../keys/log.key",
        "/tile/entries/..%2f..%2f..%2fkeys%2flog.key",
        "/tile/0/000.p/0",
        "/tile/0/999",
        "//checkpoint",
        "/checkpoint/",
        "/tile",
    ] {
        let (head, body) = get(address, path).await;
        assert!(head.starts_with("HTTP/1.1 404"), "{path}: {head}");
        assert_eq!(body, b"the log has no such file\n");
    }
    let (head, _) = get(address, "/checkpoint?fresh").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("no-cache"),
        "{head}"
    );
    let post =
        "POST /checkpoint HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert!(ask(address, post).await.0.starts_with("HTTP/1.1 405"));
    let long =
        "POST / HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: 900000\r\n\r\n";
    assert!(ask(address, long).await.0.starts_with("HTTP/1.1 413"));
    for bad in [
        format!("GET /{} HTTP/1.1\r\nHost: log\r\n\r\n", "x".repeat(40_000)),
        "nonsense\r\n\r\n".to_owned(),
    ] {
        let (head, _) = ask(address, &bad).await;
        assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    }
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_another_history_is_not_continued() {
    let (ours, theirs) = (TestDomain::start().await, TestDomain::start().await);
    let foreign = theirs.bureau.checkpoint().await.unwrap();
    let foreign = Checkpoint::verify(foreign.as_bytes(), theirs.bureau.log_key()).unwrap();
    let error = ours.bureau.checkpoint_since(&foreign).await.unwrap_err();
    assert!(matches!(error, ClientError::Untrusted(_)), "{error}");
}
