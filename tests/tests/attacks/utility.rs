//! What a defence costs those who ask reasonable questions: the share of cells and of units that is released.
//!
//! The truth is another engine's, over the plain files. A cell is a group that has rows. Its units are counted in it, so that
//! somebody in two cells counts twice, and a share of units is one of what the table would have spoken of.

use std::collections::BTreeSet;
use std::path::Path;

use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use weir_client::ClientError;
use weir_tests::{TestDomain, example, manifest, shared_data};

use crate::arena::{NULL, rows};
use crate::defence::Defence;

/// A reasonable question.
struct Analysis {
    name: &'static str,
    /// Statistics, as the operator asks for them.
    ask: &'static str,
    from: &'static str,
    keys: &'static str,
    /// The same groups in the plain files.
    plain_from: &'static str,
    plain_keys: &'static str,
    unit: &'static str,
    shared: bool,
}

const ENCOUNTERS: &str = "encounters";
const ENCOUNTERS_FILE: &str = "diabetic_data_str.parquet";
const MOTOR: &str = "motor_policies";

const ANALYSES: [Analysis; 10] = [
    Analysis {
        name: "flights by carrier and month",
        ask: "COUNT(*) AS n, SUM(distance) AS miles",
        from: "flights",
        keys: "carrier, month",
        plain_from: "flights WHERE tailnum IS NOT NULL",
        plain_keys: "carrier, month",
        unit: "tailnum",
        shared: false,
    },
    Analysis {
        name: "time in the air by airport, carrier and month",
        ask: "COUNT(*) AS n, AVG(air_time) AS minutes",
        from: "flights",
        keys: "origin, carrier, month",
        plain_from: "flights WHERE tailnum IS NOT NULL",
        plain_keys: "origin, carrier, month",
        unit: "tailnum",
        shared: false,
    },
    Analysis {
        name: "seats by kind of engine and carrier",
        ask: "COUNT(*) AS n, AVG(seats) AS seats",
        from: "flights f JOIN planes p ON f.tailnum = p.tailnum",
        keys: "engine, carrier",
        plain_from: "flights f JOIN planes p ON f.tailnum = p.tailnum",
        plain_keys: "engine, carrier",
        unit: "f.tailnum",
        shared: false,
    },
    Analysis {
        name: "a model's kinds of carrier by airport and month",
        ask: "COUNT(*) AS n, AVG(reach) AS reach",
        from: "business(flights)",
        keys: "kind, origin, month",
        plain_from: "flights WHERE tailnum IS NOT NULL",
        plain_keys: "CASE WHEN carrier IN ('AA', 'AS', 'DL', 'HA', 'UA', 'US') THEN 'network' \
                     WHEN carrier IN ('B6', 'F9', 'FL', 'VX', 'WN') THEN 'low-cost' ELSE 'regional' END, origin, month",
        unit: "tailnum",
        shared: false,
    },
    Analysis {
        name: "claims by region and make",
        ask: "COUNT(*) AS n, SUM(claim_nb) AS claims",
        from: MOTOR,
        keys: "region, veh_brand",
        plain_from: "freq",
        plain_keys: "\"Region\", \"VehBrand\"",
        unit: "\"IDpol\"",
        shared: true,
    },
    Analysis {
        name: "exposure by age of driver and bonus",
        ask: "COUNT(*) AS n, SUM(exposure) AS years",
        from: MOTOR,
        keys: "driv_age / 10, bonus_malus / 25",
        plain_from: "freq",
        plain_keys: "CAST(\"DrivAge\" AS BIGINT) / 10, CAST(\"BonusMalus\" AS BIGINT) / 25",
        unit: "\"IDpol\"",
        shared: true,
    },
    Analysis {
        name: "amounts of claims by region and fuel",
        ask: "COUNT(*) AS n, AVG(claim_amount) AS amount",
        from: "motor_policies p JOIN motor_claims c ON p.i_dpol = c.i_dpol",
        keys: "region, veh_gas",
        plain_from: "freq JOIN sev ON freq.\"IDpol\" = sev.\"IDpol\"",
        plain_keys: "\"Region\", \"VehGas\"",
        unit: "freq.\"IDpol\"",
        shared: true,
    },
    Analysis {
        name: "readmission by age",
        ask: "COUNT(*) AS n",
        from: ENCOUNTERS,
        keys: "age, readmitted",
        plain_from: ENCOUNTERS,
        plain_keys: "age, readmitted",
        unit: "patient_nbr",
        shared: true,
    },
    Analysis {
        name: "encounters by race, sex and age",
        ask: "COUNT(*) AS n",
        from: ENCOUNTERS,
        keys: "race, gender, age",
        plain_from: ENCOUNTERS,
        plain_keys: "race, gender, age",
        unit: "patient_nbr",
        shared: true,
    },
    Analysis {
        name: "discharge by kind of admission",
        ask: "COUNT(*) AS n",
        from: ENCOUNTERS,
        keys: "admission_type_id, discharge_disposition_id",
        plain_from: ENCOUNTERS,
        plain_keys: "admission_type_id, discharge_disposition_id",
        unit: "patient_nbr",
        shared: true,
    },
];

const HEAD: &str = "# What the defences cost

Written by `cargo xtask utility`; do not edit. Ten questions that somebody could reasonably ask, under the default policy: the share of cells that are released, and
of the units behind them. A cell is a group that has rows in the plain file, as another engine groups it. The first four are about the flights of this repository; the
others about French motor insurance (678,013 policies) and encounters in US hospitals (71,518 patients), which are not part of it. *Thresholds only* is a domain that
forgets what it released before; the cells of one table are compared with each other all the same.

";

async fn register_flights(domain: &TestDomain) {
    for name in ["flights", "planes"] {
        let manifest = std::fs::read_to_string(example(&format!("{name}.toml"))).unwrap();
        let file = example(&format!("{name}.parquet"));
        domain.register_file(&file, &manifest).await.unwrap();
    }
    let model = std::fs::read(example("models/business/business.wasm")).unwrap();
    domain.approved_model("business", model).await;
}

async fn register_shared(domain: &TestDomain, folder: &Path) {
    let policies = [
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
    ];
    let claims = ["IDpol int64 identifier", "ClaimAmount float64 measure"];
    let file = folder.join(ENCOUNTERS_FILE);
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&file).unwrap());
    let schema = std::sync::Arc::clone(reader.unwrap().schema());
    let names = schema.fields().iter().map(|field| field.name().as_str());
    // The unit's column is the first.
    let mut encounters = vec!["patient_nbr string identifier".to_owned()];
    encounters.extend(
        names
            .filter(|name| *name != "patient_nbr")
            .map(|name| match name {
                "encounter_id" => "encounter_id string identifier".to_owned(),
                other => format!("{other} string quasi-identifier"),
            }),
    );
    let encounters: Vec<&str> = encounters.iter().map(String::as_str).collect();
    for (file, name, population, columns) in [
        ("freMTPL2freq.parquet", MOTOR, "policies", &policies[..]),
        ("freMTPL2sev.csv", "motor_claims", "policies", &claims),
        (ENCOUNTERS_FILE, ENCOUNTERS, "patients", &encounters),
    ] {
        let manifest = manifest(name, population, columns);
        domain
            .register_file(&folder.join(file), &manifest)
            .await
            .unwrap();
    }
}

async fn plain_engine(folder: Option<&Path>) -> SessionContext {
    let plain = SessionContext::new();
    let parquet = |name: &'static str, path: std::path::PathBuf| {
        let plain = plain.clone();
        async move {
            let read =
                plain.register_parquet(name, path.to_str().unwrap(), ParquetReadOptions::default());
            read.await.unwrap();
        }
    };
    parquet("flights", example("flights.parquet")).await;
    parquet("planes", example("planes.parquet")).await;
    if let Some(folder) = folder {
        parquet("freq", folder.join("freMTPL2freq.parquet")).await;
        parquet(ENCOUNTERS, folder.join(ENCOUNTERS_FILE)).await;
        let sev = folder.join("freMTPL2sev.csv").display().to_string();
        plain
            .register_csv("sev", &sev, CsvReadOptions::new())
            .await
            .unwrap();
    }
    plain
}

/// Of the cells and of the units in them, how many there are and how many were released.
#[derive(Default)]
struct Share {
    cells: [usize; 2],
    units: [u64; 2],
}

impl Share {
    fn told(&self) -> String {
        let percent = |part: f64, whole: f64| 100.0 * part / whole;
        format!(
            "{:.1} % of cells, {:.1} % of units",
            percent(self.cells[1] as f64, self.cells[0] as f64),
            percent(self.units[1] as f64, self.units[0] as f64)
        )
    }
}

/// Runs an analysis and compares the groups that come back with those there are.
async fn share(
    domain: &TestDomain,
    plain: &SessionContext,
    of: &Analysis,
) -> Result<Share, String> {
    let keys = of.keys.split(", ").count();
    let Analysis {
        ask,
        from,
        keys: group,
        plain_from,
        plain_keys,
        unit,
        ..
    } = of;
    let sql = format!(
        "SELECT {group}, {ask} FROM {from} GROUP BY {}",
        positions(keys)
    );
    let answer = match domain.run(&sql).await {
        Ok(answer) => rows(&answer.table),
        Err(ClientError::Refused { code, .. }) => return Err(code),
        Err(other) => panic!("{sql}\n{other}"),
    };
    let shown = |row: &&Vec<String>| row[keys..].iter().any(|value| value != NULL);
    let released: BTreeSet<&[String]> = answer
        .iter()
        .filter(shown)
        .map(|row| &row[..keys])
        .collect();
    let sql = format!(
        "SELECT {plain_keys}, COUNT(DISTINCT {unit}) FROM {plain_from} GROUP BY {}",
        positions(keys)
    );
    let groups = rows(&plain.sql(&sql).await.unwrap().collect().await.unwrap());
    let mut share = Share::default();
    for group in &groups {
        let units: u64 = group[keys].parse().unwrap();
        share.cells[0] += 1;
        share.units[0] += units;
        if released.contains(&group[..keys]) {
            share.cells[1] += 1;
            share.units[1] += units;
        }
    }
    assert_eq!(
        share.cells[1],
        released.len(),
        "{sql}: a group that the plain engine does not have"
    );
    Ok(share)
}

fn positions(keys: usize) -> String {
    (1..=keys)
        .map(|at| at.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// One column of the report: an entry for each analysis.
async fn column(defence: Defence, folder: Option<&Path>) -> Vec<String> {
    let domain = defence.domain(true).await;
    register_flights(&domain).await;
    if let Some(folder) = folder {
        register_shared(&domain, folder).await;
    }
    let plain = plain_engine(folder).await;
    let mut entries = Vec::new();
    for analysis in &ANALYSES {
        if analysis.shared && folder.is_none() {
            continue;
        }
        let entry = match share(&domain, &plain, analysis).await {
            Ok(share) => share.told(),
            Err(code) => format!("refused: `{code}`"),
        };
        println!("{}, {}: {entry}", analysis.name, defence.title());
        entries.push(entry);
    }
    entries
}

/// Writes `UTILITY.md`. The analyses of one column run in one domain, one after the other: what the ledger remembers of the
/// first is part of the price of the last.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute: run it with `cargo xtask utility`"]
async fn utility() {
    let folder = shared_data();
    let mut columns = Vec::new();
    for defence in Defence::ALL {
        columns.push(match defence.is_there() {
            true => column(defence, folder.as_deref()).await,
            false => vec!["not built".to_owned(); ANALYSES.len()],
        });
    }
    if folder.is_none() {
        println!("nothing is written: six of the ten analyses need data that is absent");
        return;
    }
    let titles = Defence::ALL.map(Defence::title);
    let mut page = format!(
        "{HEAD}| analysis | query | {} |\n|---|---|---|---|---|\n",
        titles.join(" | ")
    );
    for (
        index,
        Analysis {
            name,
            ask,
            from,
            keys,
            ..
        },
    ) in ANALYSES.iter().enumerate()
    {
        let query = format!("`SELECT {keys}, {ask} FROM {from} GROUP BY {keys}`");
        let entries: Vec<&str> = columns
            .iter()
            .map(|column| column[index].as_str())
            .collect();
        page += &format!("| {name} | {query} | {} |\n", entries.join(" | "));
    }
    std::fs::write(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks/UTILITY.md"),
        page,
    )
    .unwrap();
}
