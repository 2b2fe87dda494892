//! Traces: what an OpenTelemetry collector hears of runs over data with planted values.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use weir_tests::{EXACT_POLICY, TestDomain, add_settings};

const CANARY: &str = "CANARY-9f41c2";
const NUMBER: u32 = 1_122_334_455;

const MANIFEST: &str = r#"
name = "trips"
population = "vehicles"
unit = "plate"
description = "made up"
source = "made up"
licence = "CC0-1.0"
column = [
    { name = "plate", type = "string", role = "identifier", description = "which vehicle" },
    { name = "town", type = "string", role = "quasi-identifier", description = "where" },
    { name = "distance", type = "int64", role = "measure", description = "miles" },
]
"#;

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_hears_names_and_codes_and_no_value() {
    let collector = Collector::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let domain = TestDomain::start_with(|folder| {
        std::fs::write(folder.policy(), EXACT_POLICY).unwrap();
        add_settings(
            folder,
            &format!("[traces]\nendpoint = \"http://{address}\"\n"),
        );
    })
    .await;
    let mut csv = "plate,town,distance\n".to_owned();
    for trip in 0..180 {
        csv += &format!("P{},town {},{trip}\n", trip % 60, trip % 2);
    }
    csv += &format!("{CANARY},{CANARY}-town,{NUMBER}\n");
    domain
        .register_bytes("trips.csv", csv.as_bytes(), MANIFEST)
        .await
        .unwrap();

    let released = [
        "SELECT town, COUNT(*) AS n, AVG(distance) AS d FROM trips GROUP BY town".to_owned(),
        format!("SELECT COUNT(*) AS n FROM trips WHERE town <> '{CANARY}-town'"),
    ];
    for sql in &released {
        domain.run(sql).await.unwrap();
    }
    let refused = [
        format!("SELECT * FROM trips WHERE town = '{CANARY}'"),
        format!("SELECT \"{CANARY}\", COUNT(*) FROM trips GROUP BY 1"),
        format!("SELECT COUNT(*) FROM {CANARY}"),
        format!("this is no SQL {NUMBER}"),
    ];
    for sql in &refused {
        domain.refusal(sql).await;
    }
    // Stopping sends what waits.
    domain.stop().await;

    let got = collector.0.lock().unwrap().clone();
    let bytes: Vec<u8> = got.iter().flat_map(Message::encode_to_vec).collect();
    for needle in [
        CANARY.to_owned(),
        CANARY.to_lowercase(),
        NUMBER.to_string(),
        "town".to_owned(),
        "SELECT".to_owned(),
    ] {
        assert!(
            !bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes()),
            "{needle}"
        );
    }
    let resources = got.iter().flat_map(|request| &request.resource_spans);
    let mut names = BTreeSet::new();
    let mut codes = Vec::new();
    let (mut runs, mut outcomes) = (0, Vec::new());
    for of_resource in resources {
        let resource = of_resource.resource.as_ref().unwrap();
        let said: Vec<_> = resource
            .attributes
            .iter()
            .map(|one| one.key.as_str())
            .collect();
        assert_eq!(said, ["service.name"]);
        for span in of_resource
            .scope_spans
            .iter()
            .flat_map(|scope| &scope.spans)
        {
            assert!(span.events.is_empty() && span.links.is_empty());
            names.insert(span.name.clone());
            runs += usize::from(span.name == "run");
            for one in &span.attributes {
                let Some(Value::StringValue(text)) =
                    one.value.as_ref().and_then(|value| value.value.clone())
                else {
                    panic!("{one:?}");
                };
                match one.key.as_str() {
                    "weir.run" => assert!(uuid::Uuid::try_parse(&text).is_ok(), "{text}"),
                    "weir.outcome" => outcomes.push(text),
                    "weir.code" => codes.push(text),
                    other => panic!("`{other}` is not on the list"),
                }
            }
        }
    }
    assert_eq!(runs, released.len() + refused.len());
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| *outcome == "released")
            .count(),
        released.len()
    );
    assert_eq!(codes.len(), refused.len(), "{codes:?}");
    assert!(codes.iter().all(|code| {
        code.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    }));
    for stage in [
        "checking the query",
        "computing inside the domain",
        "judging each cell at the gate",
        "finishing outside",
    ] {
        assert!(names.contains(stage), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_up_nobody() {
    let domain = TestDomain::start_with(|folder| {
        add_settings(folder, "[traces]\nendpoint = \"http://127.0.0.1:9\"\n");
    })
    .await;
    for _ in 0..20 {
        domain.refusal("SELECT * FROM nothing").await;
    }
    domain.stop().await;
}
