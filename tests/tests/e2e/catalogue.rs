//! The catalogue through the contract: quality, risk, samples, export, feedback, and what an operator must not see.

use std::path::Path;

use weir_client::v1::{self, AssessRiskRequest, FeedbackKind, FileFeedbackRequest, Role};
use weir_tests::{TestDomain, example, refusal};

/// Values that stand in the data alone: one unit's town, delay and day.
const PLANTED: [&str; 3] = ["Zzyzx", "1734591", "1931-07-19"];

const MANIFEST: &str = r#"name = "trips"
population = "vehicles"
unit = "plate"
description = "Trips"
source = "test"
licence = "CC0-1.0"
time_column = "day"
update_frequency = "daily"

[[rule]]
left = "low"
relation = "at-most"
right = "high"
description = "low is not above high"

[[column]]
name = "plate"
type = "string"
role = "identifier"
description = "Plate"

[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Town"
domain = ["A", "B"]

[[column]]
name = "low"
type = "int64"
role = "quasi-identifier"
description = "Low"
bounds = { min = 0, max = 100 }

[[column]]
name = "high"
type = "int64"
role = "measure"
description = "High"

[[column]]
name = "day"
type = "date"
role = "quasi-identifier"
description = "Day"
"#;

/// 300 vehicles that are alike and one that is not.
fn trips() -> String {
    let mut csv = "plate,town,low,high,day\n".to_owned();
    for trip in 0..600 {
        let (plate, town) = (trip / 2, ["A", "B"][trip % 2]);
        csv += &format!(
            "plate {plate},{town},{},50,2024-01-0{}\n",
            trip % 2,
            1 + trip % 2
        );
    }
    csv + &format!("plate x,{},{},1,{}\n", PLANTED[0], PLANTED[1], PLANTED[2])
}

async fn domain_with_trips() -> TestDomain {
    let domain = TestDomain::start().await;
    domain
        .register_bytes("trips.csv", trips().as_bytes(), MANIFEST)
        .await
        .unwrap();
    domain
}

fn risk_of(columns: &[&str]) -> AssessRiskRequest {
    AssessRiskRequest {
        dataset: "trips".to_owned(),
        columns: columns.iter().map(ToString::to_string).collect(),
        size: 0,
    }
}

fn sample_of(rows: u64, format: v1::SampleFormat) -> v1::SampleDatasetRequest {
    v1::SampleDatasetRequest {
        dataset: "trips".to_owned(),
        rows,
        seed: 7,
        format: format.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bureau_sees_exact_quality_and_an_operator_coarse_shares() {
    let domain = domain_with_trips().await;
    let exact = domain.bureau.quality("trips").await.unwrap();
    assert!(!exact.coarse);
    assert_eq!(exact.rows, Some(601));
    let town = &exact.columns[1];
    assert_eq!((town.missing, town.outside), (Some(0), Some(1)));
    let distinct = town.distinct.unwrap();
    assert_eq!((distinct.count, distinct.exact), (3, true));
    assert_eq!(
        (exact.rules[0].checked, exact.rules[0].broken),
        (Some(601), Some(1))
    );
    assert!(exact.age_days.unwrap() > 365);
    let coarse = domain.operator.quality("trips").await.unwrap();
    assert!(coarse.coarse);
    assert_eq!(coarse.rows, None);
    assert_eq!(coarse.distinct_rows, None);
    assert_eq!(coarse.age_days, None);
    assert_eq!(coarse.overdue, Some(false));
    assert!(coarse.columns.iter().all(|column| column.name != "plate"));
    for column in &coarse.columns {
        assert_eq!(
            (column.missing, column.outside, column.distinct),
            (None, None, None)
        );
        assert_eq!(column.uniqueness, None);
        // One row of 601 does not show.
        assert_eq!(column.completeness, 1.0);
        assert!(column.validity.is_none_or(|validity| validity == 1.0));
    }
    assert_eq!(coarse.rules[0].checked, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_hears_nothing_of_a_dataset_with_few_units() {
    let domain = TestDomain::start().await;
    let few: String = trips()
        .lines()
        .take(100)
        .map(|line| format!("{line}\n"))
        .collect();
    domain
        .register_bytes("trips.csv", few.as_bytes(), MANIFEST)
        .await
        .unwrap();
    let coarse = domain.operator.quality("trips").await.unwrap();
    assert!(coarse.columns.is_empty() && coarse.rules.is_empty());
    assert_eq!(
        domain.bureau.quality("trips").await.unwrap().columns.len(),
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_linkage_risk_is_the_bureaus_and_is_logged() {
    let domain = domain_with_trips().await;
    let mut steps = 0;
    let risk = domain
        .bureau
        .assess_risk(risk_of(&[]), |_| steps += 1)
        .await
        .unwrap();
    assert!(steps > 0);
    assert_eq!((risk.units, risk.rows), (301, 601));
    let whole = risk.whole.unwrap();
    assert_eq!(whole.columns, ["town", "low", "day"]);
    assert_eq!((whole.k, whole.unique_units), (1, 1));
    // Single columns single the one out; pairs do so only because their parts do.
    let minimal: Vec<_> = risk
        .combinations
        .iter()
        .map(|found| (found.columns.len(), found.unique_units, found.minimal_units))
        .collect();
    assert_eq!(minimal[..3], [(1, 1, Some(1)); 3]);
    assert!(
        minimal[3..]
            .iter()
            .all(|found| found.1 == 1 && found.2 == Some(0))
    );
    let named = domain
        .bureau
        .assess_risk(risk_of(&["high"]), |_| {})
        .await
        .unwrap();
    assert_eq!(named.combinations.len(), 1);
    let unknown = domain.bureau.assess_risk(risk_of(&["plate"]), |_| {}).await;
    assert!(refusal(&unknown.unwrap_err()).starts_with("RISK_COLUMN_UNKNOWN: `plate`"));
    let refused = domain.operator.assess_risk(risk_of(&[]), |_| {}).await;
    assert_eq!(refused.unwrap_err().code(), "ROLE_NOT_ALLOWED");
    let (folder, _guard) = domain.stop().await;
    assert_eq!(logged(&folder.log(), "risk_assessed"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_needs_no_vault_and_repeats() {
    let domain = domain_with_trips().await;
    let before = domain
        .operator
        .sample_dataset(sample_of(1_000, v1::SampleFormat::Csv))
        .await
        .unwrap();
    std::fs::remove_dir_all(domain.folder.vault().join("snapshots")).unwrap();
    std::fs::remove_dir_all(domain.folder.vault().join("keys")).unwrap();
    let after = domain
        .operator
        .sample_dataset(sample_of(1_000, v1::SampleFormat::Csv))
        .await
        .unwrap();
    assert_eq!(before, after);
    let text = String::from_utf8(after).unwrap();
    assert_eq!(text.lines().next(), Some("plate,town,low,high,day"));
    assert_eq!(text.lines().count(), 1_001);
    let parquet = domain
        .operator
        .sample_dataset(sample_of(10, v1::SampleFormat::Parquet))
        .await
        .unwrap();
    assert!(parquet.starts_with(b"PAR1"));
    let none = domain
        .operator
        .sample_dataset(sample_of(0, v1::SampleFormat::Csv))
        .await;
    assert_eq!(none.unwrap_err().code(), "SAMPLE_ROWS");
}

/// What operators develop against registers like the real thing.
#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_the_flights_can_be_registered() {
    let domain = TestDomain::start().await;
    let manifest = std::fs::read_to_string(example("flights.toml")).unwrap();
    domain
        .register_file(&example("flights.parquet"), &manifest)
        .await
        .unwrap();
    let request = v1::SampleDatasetRequest {
        dataset: "flights".to_owned(),
        ..sample_of(500, v1::SampleFormat::Parquet)
    };
    let sample = domain.operator.sample_dataset(request).await.unwrap();
    let other = TestDomain::start().await;
    let registered = other
        .register_bytes("sample.parquet", &sample, &manifest)
        .await
        .unwrap();
    assert_eq!(registered.rows, Some(500));
    let quality = other.bureau.quality("flights").await.unwrap();
    for column in &quality.columns {
        assert!(
            column.outside.is_none_or(|outside| outside == 0),
            "{}",
            column.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_exported_to_everyone() {
    let domain = domain_with_trips().await;
    let document = domain.operator.export_catalogue().await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["@type"], "dcat:Catalog");
    assert_eq!(document["dcat:dataset"][0]["dct:identifier"], "trips");
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_filed_answered_once_and_shown_to_its_own() {
    let domain = domain_with_trips().await;
    let request = |text: &str| FileFeedbackRequest {
        dataset: "trips".to_owned(),
        kind: FeedbackKind::Objection.into(),
        text: text.to_owned(),
    };
    let filed = domain
        .operator
        .file_feedback(request("who said that this may be offered?"))
        .await
        .unwrap();
    assert_eq!(filed.answer, None);
    for (text, code) in [
        ("  ", "FEEDBACK_TEXT"),
        (&*"x".repeat(4_097), "FEEDBACK_TEXT"),
    ] {
        let refused = domain.operator.file_feedback(request(text)).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let elsewhere = FileFeedbackRequest {
        dataset: "none".to_owned(),
        ..request("x")
    };
    let refused = domain.operator.file_feedback(elsewhere).await;
    assert_eq!(refused.unwrap_err().code(), "DATASET_UNKNOWN");
    let other = domain.client(Role::Operator, "Other Company").await;
    assert!(other.list_feedback("").await.unwrap().is_empty());
    assert_eq!(domain.bureau.list_feedback("trips").await.unwrap().len(), 1);
    assert!(
        domain
            .bureau
            .list_feedback("none")
            .await
            .unwrap()
            .is_empty()
    );
    let by_operator = domain.operator.answer_feedback(&filed.id, "mine").await;
    assert_eq!(by_operator.unwrap_err().code(), "ROLE_NOT_ALLOWED");
    let answered = domain
        .bureau
        .answer_feedback(&filed.id, "the Transport Department did")
        .await
        .unwrap();
    assert_eq!(
        answered.answer.as_deref(),
        Some("the Transport Department did")
    );
    let again = domain.bureau.answer_feedback(&filed.id, "another").await;
    assert_eq!(again.unwrap_err().code(), "FEEDBACK_ANSWERED");
    let unknown = domain.bureau.answer_feedback("none", "another").await;
    assert_eq!(unknown.unwrap_err().code(), "FEEDBACK_UNKNOWN");
    let seen = domain.operator.list_feedback("").await.unwrap();
    assert_eq!(seen, [answered]);
    let (folder, _guard) = domain.stop().await;
    assert_eq!(logged(&folder.log(), "feedback_filed"), 1);
    assert_eq!(logged(&folder.log(), "feedback_answered"), 1);
    // The log holds digests of what was said, not the words.
    assert_eq!(logged(&folder.log(), "who said that"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_catalogue_carries_a_value() {
    let domain = domain_with_trips().await;
    let mut seen = String::new();
    for client in [&domain.operator, &domain.bureau] {
        seen += &format!("{:?}", client.quality("trips").await);
        seen += &format!("{:?}", client.dataset("trips").await);
        seen += &format!("{:?}", client.export_catalogue().await);
        let sample = client
            .sample_dataset(sample_of(5_000, v1::SampleFormat::Csv))
            .await;
        seen += &String::from_utf8(sample.unwrap()).unwrap();
        seen += &format!("{:?}", client.assess_risk(risk_of(&[]), |_| {}).await);
    }
    for planted in PLANTED {
        assert!(!seen.contains(planted), "{planted}");
        assert!(trips().contains(planted));
    }
    // Days since 1970 of the planted day.
    assert!(!seen.contains("-14045"));
}

/// How often a text stands in the log's entries.
fn logged(log: &Path, text: &str) -> usize {
    let mut found = 0;
    let mut folders = vec![log.join("tile/entries")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let hits = bytes
                .windows(text.len())
                .filter(|at| *at == text.as_bytes());
            found = found.max(hits.count());
        }
    }
    found
}
