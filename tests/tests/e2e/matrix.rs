//! Who may make which call: every one of the contract by every role, as the server answers it.

use std::fmt::Write as _;

use prost::Message;
use prost_types::FileDescriptorSet;
use rcgen::ExtendedKeyUsagePurpose;
use tonic::client::Grpc;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};
use weir_client::v1::{FILE_DESCRIPTOR_SET, IssueIdentityRequest, RevokeIdentityRequest, Role};
use weir_client::{Client, IdentityFolder, NewKey};
use weir_tests::{TestDomain, issue_to};

use crate::wire::forged;

const ROLES: [(&str, Role); 4] = [
    ("bureau", Role::Bureau),
    ("provider", Role::Provider),
    ("operator", Role::Operator),
    ("auditor", Role::Auditor),
];

/// Messages as bytes: no request has to be written for a call to be made.
#[derive(Debug, Clone, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        tonic::codegen::Bytes::from(item).iter().for_each(|byte| {
            prost::bytes::BufMut::put_u8(target, *byte);
        });
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = prost::bytes::Buf::remaining(source);
        Ok(Some(
            prost::bytes::Buf::copy_to_bytes(source, length).to_vec(),
        ))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// Service and method of each call.
fn calls() -> Vec<(String, String)> {
    let described = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let services = described.file.iter().flat_map(|file| &file.service);
    let calls = services.flat_map(|service| {
        let methods = service.method.iter();
        methods.map(|method| (service.name().to_owned(), method.name().to_owned()))
    });
    let mut calls: Vec<_> = calls.collect();
    calls.sort();
    calls
}

/// What a call with an empty message comes to: nothing, or the refusal.
pub(crate) async fn call(
    client: &Client,
    (service, method): &(String, String),
    message: Vec<u8>,
) -> Result<(), Status> {
    let mut grpc = Grpc::new(client.channel());
    grpc.ready().await.unwrap();
    let path = PathAndQuery::try_from(format!("/weir.v1.{service}/{method}")).unwrap();
    let request = Request::new(tokio_stream::iter([message]));
    let answer = grpc.streaming(request, path, Bytes).await?;
    let mut messages = answer.into_inner();
    while messages.message().await?.is_some() {}
    Ok(())
}

/// The stable code of a refusal, which its details carry.
pub(crate) fn is(status: &Status, code: &str) -> bool {
    String::from_utf8_lossy(status.details()).contains(code)
}

/// Every call by every role, with an empty message: whether the role may make it.
pub(crate) async fn tried() -> String {
    let domain = TestDomain::start().await;
    let mut clients = Vec::new();
    for (_, role) in ROLES {
        clients.push(domain.client(role, "Somebody").await);
    }
    let mut table = format!("{:<17} {:<21}", "service", "call");
    for (name, _) in ROLES {
        write!(table, " {name:<8}").unwrap();
    }
    for one in calls() {
        write!(
            table,
            "\n{:<17} {:<21}",
            one.0.trim_end_matches("Service"),
            one.1
        )
        .unwrap();
        for client in &clients {
            let refused = call(client, &one, Vec::new()).await.err();
            let may = !refused.is_some_and(|status| is(&status, "ROLE_NOT_ALLOWED"));
            write!(table, " {:<8}", if may { "yes" } else { "-" }).unwrap();
        }
    }
    let lines: Vec<_> = table.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// A certificate of the domain's authority that the registry does not know, that was revoked or that has expired opens
/// nothing, whatever it says of itself: not one call.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_open_to_a_certificate_that_is_not_accepted() {
    let domain = TestDomain::start().await;
    let mut turned_away = Vec::new();
    for (name, role) in ROLES {
        let of = ("Somebody", name);
        let identity = issue_to(&domain.bureau, &domain.administrator, role, of).await;
        turned_away.push((
            "IDENTITY_REVOKED",
            Client::connect(&identity).await.unwrap(),
        ));
        let revoke = RevokeIdentityRequest {
            person: name.to_owned(),
            organisation: "Somebody".to_owned(),
            reason: "a test".to_owned(),
            ..Default::default()
        };
        domain.bureau.revoke_identity(revoke).await.unwrap();
        let short = short_lived(&domain, role, name).await;
        turned_away.push(("IDENTITY_EXPIRED", Client::connect(&short).await.unwrap()));
    }
    let unknown = forged(&domain, (-1, 1), ExtendedKeyUsagePurpose::ClientAuth);
    turned_away.push(("IDENTITY_UNKNOWN", Client::connect(&unknown).await.unwrap()));
    domain.clock.set_ahead(chrono::TimeDelta::days(2));
    for (code, client) in turned_away {
        for one in calls() {
            let refused = call(&client, &one, Vec::new()).await.unwrap_err();
            assert!(is(&refused, code), "{one:?}: {refused}");
        }
    }
    // Nor did any of it change anything: nobody but the administrator did.
    assert_eq!(domain.bureau.who_am_i().await.unwrap().person, "wang");
}

/// An identity that lives for a day.
async fn short_lived(domain: &TestDomain, role: Role, name: &str) -> IdentityFolder {
    let key = NewKey::generate().unwrap();
    let issued = domain.bureau.issue_identity(IssueIdentityRequest {
        signing_request_pem: key.signing_request_pem,
        role: role.into(),
        organisation: "Shortly".to_owned(),
        person: name.to_owned(),
        valid_days: 1,
        request_key: String::new(),
    });
    let issued = issued.await.unwrap();
    IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        authority_pem: issued.authority_pem,
        ..domain.administrator.clone()
    }
}

/// What is no message, and what is too large for one, is refused, and the server goes on.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_oversized_messages_are_refused() {
    let domain = TestDomain::start().await;
    let large = vec![b'x'; 3 * 1024 * 1024];
    for one in calls() {
        // A field that never ends; a length beyond the message; a wire type that does not exist.
        for broken in [vec![0xff; 32], vec![0x0a, 0x7f], vec![0x0f, 0x01]] {
            assert!(call(&domain.bureau, &one, broken).await.is_err(), "{one:?}");
        }
        let refused = call(&domain.bureau, &one, large.clone()).await;
        assert!(refused.is_err(), "{one:?}");
    }
    assert_eq!(domain.bureau.who_am_i().await.unwrap().person, "wang");
}
