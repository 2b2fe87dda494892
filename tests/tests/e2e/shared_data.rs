//! Real datasets of three departments: registered, two of them joined on the policy, the numbers those of another engine.
//!
//! The files are not part of the repository. `WEIR_SHARED_DATA`, or `shared/data` beside the checkout, holds them: French
//! motor third-party liability policies and claims (CASdatasets), and encounters in 130 US hospitals (UCI).

use std::path::Path;

use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use weir_tests::{TestDomain, manifest, shared_data};

use crate::expected::{Cells, Value, assert_same, cells};

async fn register(domain: &TestDomain, file: &Path, manifest: &str) -> weir_client::v1::Dataset {
    domain.register_file(file, manifest).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_departments_and_a_join_on_the_policy() {
    let Some(folder) = shared_data() else { return };
    let domain = TestDomain::start().await;
    let policies = register(
        &domain,
        &folder.join("freMTPL2freq.parquet"),
        &manifest(
            "motor_policies",
            "policies",
            &[
                "IDpol int64 identifier",
                "ClaimNb int64 measure",
                "Exposure float64 measure",
                "Area string quasi-identifier",
                "VehPower int64 quasi-identifier",
                "VehAge int64 quasi-identifier",
                "DrivAge int64 quasi-identifier",
                "BonusMalus int64 measure",
                "VehBrand string quasi-identifier",
                "VehGas string quasi-identifier",
                "Density int64 quasi-identifier",
                "Region string quasi-identifier",
            ],
        ),
    )
    .await;
    assert_eq!(
        (policies.rows, policies.units),
        (Some(678_013), Some(678_013))
    );
    let claims = register(
        &domain,
        &folder.join("freMTPL2sev.csv"),
        &manifest(
            "motor_claims",
            "policies",
            &["IDpol int64 identifier", "ClaimAmount float64 measure"],
        ),
    )
    .await;
    assert_eq!(claims.rows, Some(26_639));
    check_policies(&domain).await;
    check_join(&domain, &folder).await;
    check_hospitals(&domain, &folder).await;
}

async fn one_row(domain: &TestDomain, sql: &str) -> Vec<f64> {
    let answer = domain.run(sql).await.unwrap();
    let all = cells(&answer.table, 0);
    let values = all.into_values().next().unwrap_or_else(|| panic!("{sql}"));
    values.iter().map(number).collect()
}

async fn check_policies(domain: &TestDomain) {
    let sums = one_row(
        domain,
        "SELECT SUM(claim_nb) AS n, SUM(exposure) AS e FROM motor_policies",
    )
    .await;
    assert_eq!(sums[0], 36_102.0);
    assert!((sums[1] - 358_499.4).abs() < 0.1);
}

async fn check_join(domain: &TestDomain, folder: &Path) {
    let joined = "motor_policies p JOIN motor_claims c ON p.i_dpol = c.i_dpol";
    let rows = one_row(domain, &format!("SELECT COUNT(*) AS n FROM {joined}")).await;
    assert_eq!(rows, [26_444.0]);

    let plain = SessionContext::new();
    let file = |name: &str| folder.join(name).display().to_string();
    plain
        .register_parquet(
            "freq",
            &file("freMTPL2freq.parquet"),
            ParquetReadOptions::default(),
        )
        .await
        .unwrap();
    plain
        .register_csv("sev", &file("freMTPL2sev.csv"), CsvReadOptions::new())
        .await
        .unwrap();
    let expected = plain
        .sql(
            "SELECT \"Region\" AS region, \"VehGas\" AS gas, COUNT(*) AS n, AVG(\"ClaimAmount\") AS amount \
             FROM freq JOIN sev ON freq.\"IDpol\" = sev.\"IDpol\" GROUP BY 1, 2 \
             HAVING COUNT(DISTINCT freq.\"IDpol\") >= 10",
        )
        .await
        .unwrap();
    let expected: Cells = cells(&expected.collect().await.unwrap(), 2);
    let answer = domain
        .run(&format!(
            "SELECT region, veh_gas AS gas, COUNT(*) AS n, AVG(claim_amount) AS amount FROM {joined} GROUP BY 1, 2"
        ))
        .await
        .unwrap();
    let released = cells(&answer.table, 2);
    let kept = expected
        .into_iter()
        .filter(|(key, _)| released.contains_key(key));
    assert_same(&released, &kept.collect());
    // A claim of four million is nearly all of its region's sum: dominance withholds such cells.
    assert!(released.len() > 25, "{}", released.len());
}

async fn check_hospitals(domain: &TestDomain, folder: &Path) {
    use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = folder.join("diabetic_data_str.parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&file).unwrap());
    let columns: Vec<String> = reader
        .unwrap()
        .schema()
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "patient_nbr" => "patient_nbr string identifier".to_owned(),
            "encounter_id" => "encounter_id string identifier".to_owned(),
            other => format!("{other} string quasi-identifier"),
        })
        .collect();
    let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    columns.swap(0, 1);
    let dataset = register(domain, &file, &manifest("encounters", "patients", &columns)).await;
    assert_eq!((dataset.rows, dataset.units), (Some(101_766), Some(71_518)));
    let answer = domain
        .run("SELECT age, readmitted, COUNT(*) AS n FROM encounters GROUP BY 1, 2")
        .await
        .unwrap();
    assert!(answer.cells_released >= 29);
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Number(number) => *number,
        other => panic!("{other:?}"),
    }
}
