//! The canary test: unmistakable values are planted in the data, then every byte the server sends, logs or writes is
//! searched for them, after good runs and failing ones.

use std::path::{Path, PathBuf};

use prost::Message;
use tonic::Status;
use weir_api::v1::dataset_service_client::DatasetServiceClient;
use weir_api::v1::run_service_client::RunServiceClient;
use weir_api::v1::{
    ApplyRequest, AssessRiskRequest, IssueGrantRequest, RegisterDatasetRequest, Role, RunRequest,
    SampleDatasetRequest,
};
use weir_client::{Client, IdentityFolder, NewKey};

use crate::process::{Served, example, succeeds};
use crate::receiver;

const TEXT: &str = "CANARY-9f41c2";
const FLOAT: f64 = 123_456_789.987_654;
const INTEGER: i32 = 1_122_334_455;

/// Every form in which a planted value might show up.
fn needles() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("the text", TEXT.as_bytes().to_vec()),
        ("the text in lower case", TEXT.to_lowercase().into_bytes()),
        (
            "the text in UTF-16",
            TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        ("the float in digits", b"123456789.98".to_vec()),
        (
            "the float in digits with an exponent",
            b"1.2345678998".to_vec(),
        ),
        ("the float in bytes", FLOAT.to_le_bytes().to_vec()),
        ("the integer in digits", INTEGER.to_string().into_bytes()),
        ("the integer in bytes", INTEGER.to_le_bytes().to_vec()),
    ]
}

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
    { name = "distance", type = "int32", role = "measure", description = "miles" },
    { name = "air_time", type = "float64", role = "sensitive", description = "minutes" },
]
"#;

/// Sixty ordinary vehicles of three trips in two towns, and the planted one.
fn data() -> String {
    let mut csv = "plate,town,distance,air_time\n".to_owned();
    for trip in 0..180 {
        csv += &format!(
            "P{},town {},{},{}\n",
            trip % 60,
            trip % 2,
            100 + trip,
            20 + trip
        );
    }
    csv += &format!("{TEXT}-plate,{TEXT}-town,{INTEGER},{FLOAT}\n");
    csv += &format!("{TEXT}-plate,town 0,{INTEGER},{FLOAT}\n");
    csv
}

const RUNS: [&str; 20] = [
    // Good ones; the planted cell is withheld, or one of many in a sum.
    "SELECT town, COUNT(*) AS n, AVG(distance) AS d FROM trips GROUP BY town",
    "SELECT distance, air_time, COUNT(*) AS n FROM trips GROUP BY distance, air_time",
    "SELECT town, SUM(air_time) AS s FROM trips GROUP BY town HAVING SUM(air_time) > 0 ORDER BY town DESC LIMIT 5",
    "SELECT pace, COUNT(*) AS n FROM pace(trips) GROUP BY pace",
    "SELECT ground_speed_mph, COUNT(*) AS n FROM pace(trips) GROUP BY ground_speed_mph",
    "SELECT town || 'x' AS t, COUNT(*) AS n FROM trips WHERE distance > 1000 GROUP BY 1",
    "SELECT COUNT(*) AS n FROM trips WHERE town LIKE 'C%'",
    // Failing ones.
    "SELECT SUM(CAST(town AS INT)) FROM trips",
    "SELECT town + 1, COUNT(*) FROM trips GROUP BY 1",
    "SELECT SUM(1 / (distance - distance)) FROM trips",
    "SELECT SUM(distance * 1000000000 * 1000000000) AS s, town FROM trips GROUP BY town",
    "SELECT COUNT(*) FROM trips WHERE CAST(town AS DATE) > DATE '2013-01-01'",
    "SELECT exp(distance) AS e, COUNT(*) FROM trips GROUP BY 1",
    "SELECT * FROM trips",
    "SELECT town FROM trips",
    "SELECT MAX(air_time) FROM trips",
    "EXPLAIN ANALYZE SELECT COUNT(*) FROM trips",
    "SELECT plate, COUNT(*) FROM trips GROUP BY plate",
    "SELECT band, COUNT(*) FROM disruption(trips) GROUP BY band",
    "SELECT CASE WHEN town = 5 THEN distance END AS c, COUNT(*) FROM trips GROUP BY 1",
];

/// Registrations that fail at a planted value.
fn bad_files() -> Vec<(&'static str, Vec<u8>)> {
    let line = |line: &str| format!("plate,town,distance,air_time\na,b,1,2\n{line}\n").into_bytes();
    vec![
        ("type.csv", line(&format!("c,d,{TEXT},3"))),
        ("float.csv", line(&format!("c,d,{FLOAT},3"))),
        ("overflow.csv", line(&format!("c,d,{INTEGER}000,3"))),
        ("ragged.csv", line(&format!("{TEXT},{INTEGER}"))),
        (
            "utf8.csv",
            [line(&format!("{TEXT},d,1,")).as_slice(), b"\xff"].concat(),
        ),
        (
            "truncated.parquet",
            [b"PAR1".as_slice(), TEXT.as_bytes(), b"PAR1"].concat(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_value_is_in_anything_that_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let (webhook, told) = receiver::start();
    let metrics = receiver::free_address();
    // Every rule holds at the first event, so that each alert there is is looked at.
    let settings = format!(
        "[metrics]\nlisten = \"{metrics}\"\n[alerts.webhook]\nurl = \"http://{webhook}/\"\n\
         [alerts.rules.refusal_burst]\ncount = 1\ncooldown_minutes = 0\n\
         [alerts.rules.near_threshold]\ncount = 1\ncells_max = 1000\ncooldown_minutes = 0\n\
         [alerts.rules.quota_spike]\ncells_min = 1\nfactor = 1\n\
         [alerts.rules.off_hours]\nenabled = true\nfrom_hour = 0\nto_hour = 1\n"
    );
    let served = Served::start_with(folder.path(), &inbox, &settings);
    let administrator = IdentityFolder::load(&served.administrator).unwrap();
    let bureau = Client::connect(&administrator).await.unwrap();
    let operator = operator(&bureau, &administrator).await;
    let mut sent = Sent::default();

    register(&bureau, &inbox, "trips.csv", data().as_bytes(), &mut sent).await;
    assert_eq!(sent.answers, 1, "the planted data is registered");
    for (name, content) in bad_files() {
        register(&bureau, &inbox, name, &content, &mut sent).await;
    }
    assert_eq!(sent.answers, 1, "the bad files are not");
    for model in ["pace", "disruption"] {
        let component = std::fs::read(example(&format!("models/{model}/{model}.wasm"))).unwrap();
        let submitted = operator.submit_model(model, component).await.unwrap();
        bureau
            .approve_model(model, &submitted.digest)
            .await
            .unwrap();
    }
    grant(&bureau, &operator).await;
    for sql in RUNS {
        run(&operator, sql, &mut sent).await;
    }
    assert!(
        sent.answers > 8 && sent.refusals > 10,
        "{} answers, {} refusals",
        sent.answers,
        sent.refusals
    );
    look_around(&bureau, &mut sent).await;
    for client in [&bureau, &operator] {
        look_into_the_catalogue(client, &mut sent).await;
    }
    let alerts = bureau.list_alerts(false, 0).await.unwrap();
    assert!(alerts.len() > RUNS.len() / 2, "{} alerts", alerts.len());
    alerts.iter().for_each(|alert| sent.answer(alert));
    let shown = receiver::get(metrics, "/metrics");
    assert!(shown.contains("weir_runs_total") && shown.contains("weir_alerts_open"));
    sent.bytes.extend(shown.into_bytes());
    let begun = std::time::Instant::now();
    while !find(&told.lock().unwrap(), b"alert.raised") {
        assert!(begun.elapsed().as_secs() < 20, "the webhook was not told");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    sent.bytes.extend(told.lock().unwrap().iter());
    let (domain, log) = (served.domain.clone(), served.output.clone());
    served.stop();

    write_reports(&domain, &mut sent);
    sent.search("what the server sent");
    let lines = std::fs::read(&log).unwrap();
    assert!(
        lines
            .windows(8)
            .any(|text| text == b"RUN_FAIL" || text == b"SQL_FUNC"),
        "the server did log"
    );
    search(&lines, "the server's output");
    let files = files(&domain);
    assert!(files.iter().any(|file| file.ends_with("registry.sqlite")));
    for file in files {
        search(&std::fs::read(&file).unwrap(), &file.display().to_string());
    }
    // The search itself can find: the source, outside the domain, holds all of it.
    let source = std::fs::read(inbox.join("trips.csv")).unwrap();
    assert!(find(&source, TEXT.as_bytes()) && find(&source, b"123456789.98"));
}

/// Bytes that came from the server.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    answers: usize,
    refusals: usize,
}

impl Sent {
    fn answer(&mut self, message: &impl Message) {
        self.bytes.extend(message.encode_to_vec());
    }

    fn refusal(&mut self, status: &Status) {
        self.refusals += 1;
        self.bytes.extend(format!("{status:?}").into_bytes());
        self.bytes.extend(status.message().as_bytes());
        self.bytes.extend(status.details());
    }

    fn search(&self, place: &str) {
        search(&self.bytes, place);
    }
}

fn search(bytes: &[u8], place: &str) {
    for (what, needle) in needles() {
        assert!(!find(bytes, &needle), "{what} is in {place}");
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

async fn operator(bureau: &Client, administrator: &IdentityFolder) -> Client {
    let key = NewKey::generate().unwrap();
    let issued = bureau
        .issue_identity(weir_api::v1::IssueIdentityRequest {
            signing_request_pem: key.signing_request_pem,
            role: Role::Operator.into(),
            organisation: "Acme".to_owned(),
            person: "li".to_owned(),
            valid_days: 1,
            request_key: String::new(),
        })
        .await
        .unwrap();
    let identity = IdentityFolder {
        certificate_pem: issued.certificate_pem,
        key_pem: key.key_pem,
        ..administrator.clone()
    };
    Client::connect(&identity).await.unwrap()
}

/// The operator may read every column of the planted data.
async fn grant(bureau: &Client, operator: &Client) {
    let text = "scenario = \"canaries\"\npurpose = \"a test\"\ndays = 1\nsecurity = [\"a test\"]\n\
                models = \"any-vetted\"\n[datasets]\ntrips = [\"town\", \"distance\", \"air_time\"]\n";
    let request = ApplyRequest {
        text: text.to_owned(),
        ..ApplyRequest::default()
    };
    let applied = operator.apply(request).await.unwrap();
    let request = IssueGrantRequest {
        id: applied.id,
        digest: applied.digest,
        ..IssueGrantRequest::default()
    };
    bureau.issue_grant(request).await.unwrap();
}

async fn register(bureau: &Client, inbox: &Path, name: &str, content: &[u8], sent: &mut Sent) {
    let file = inbox.join(name);
    std::fs::write(&file, content).unwrap();
    let request = RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "trips.toml".to_owned(),
        source_path: file.display().to_string(),
        update: false,
    };
    let call = DatasetServiceClient::new(bureau.channel())
        .register_dataset(request)
        .await;
    let mut steps = match call {
        Ok(steps) => steps.into_inner(),
        Err(status) => return sent.refusal(&status),
    };
    loop {
        match steps.message().await {
            Ok(Some(message)) => sent.answer(&message),
            Ok(None) => break sent.answers += 1,
            Err(status) => break sent.refusal(&status),
        }
    }
}

async fn run(operator: &Client, sql: &str, sent: &mut Sent) {
    let request = RunRequest {
        sql: sql.to_owned(),
        run_id: String::new(),
        snapshots: Vec::new(),
        grant: String::new(),
    };
    let mut steps = RunServiceClient::new(operator.channel())
        .run(request)
        .await
        .unwrap()
        .into_inner();
    loop {
        match steps.message().await {
            Ok(Some(message)) => sent.answer(&message),
            Ok(None) => break sent.answers += 1,
            Err(status) => break sent.refusal(&status),
        }
    }
}

/// Everything else that can be asked for.
async fn look_around(bureau: &Client, sent: &mut Sent) {
    bureau
        .list_datasets()
        .await
        .unwrap()
        .iter()
        .for_each(|dataset| sent.answer(dataset));
    bureau
        .list_models()
        .await
        .unwrap()
        .iter()
        .for_each(|model| sent.answer(model));
    bureau
        .list_releases(0)
        .await
        .unwrap()
        .iter()
        .for_each(|release| sent.answer(release));
    sent.bytes
        .extend(bureau.checkpoint().await.unwrap().into_bytes());
    let mut index = 0;
    while let Ok(receipt) = bureau.receipt(index).await {
        sent.bytes.extend(receipt.into_bytes());
        index += 1;
    }
    assert!(index > RUNS.len() as u64);
}

/// Quality, risk, a sample and the export, as whoever may ask for them.
async fn look_into_the_catalogue(client: &Client, sent: &mut Sent) {
    sent.answer(&client.quality("trips").await.unwrap());
    let request = AssessRiskRequest {
        dataset: "trips".to_owned(),
        columns: ["town", "distance", "air_time"].map(str::to_owned).to_vec(),
        size: 3,
    };
    if let Ok(risk) = client.assess_risk(request, |_| {}).await {
        sent.answer(&risk);
    }
    let request = SampleDatasetRequest {
        dataset: "trips".to_owned(),
        rows: 1_000,
        seed: 1,
        format: 0,
    };
    sent.bytes
        .extend(client.sample_dataset(request).await.unwrap());
    sent.bytes
        .extend(client.export_catalogue().await.unwrap().into_bytes());
}

/// Each report in each format.
fn write_reports(domain: &Path, sent: &mut Sent) {
    let (log, key) = (domain.join("log"), domain.join("log.vkey"));
    let year = chrono::Utc::now().format("%Y").to_string();
    for kind in ["operation", "security"] {
        for format in ["md", "csv", "html"] {
            let args = [
                "report",
                kind,
                "--year",
                &year,
                "--log",
                log.to_str().unwrap(),
                "--key",
                key.to_str().unwrap(),
                "--format",
                format,
            ];
            let report = succeeds(None, &args);
            assert!(report.contains("Acme"), "{report}");
            sent.bytes.extend(report.into_bytes());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}
