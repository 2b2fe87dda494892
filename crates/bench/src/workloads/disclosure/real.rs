//! Real data, and the table that is made of each: the sum of a value by two keys.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Schema};
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use parquet::arrow::ArrowWriter;
use weir_catalogue::Manifest;

use crate::bench::Bench;
use crate::error::{BenchError, Result, failed};
use crate::plain::TABLE;

/// See `examples/flights/README.md` for source and licence.
const FLIGHTS: &[u8] = include_bytes!("../../../../../examples/flights/flights.parquet");
const MANIFEST: &str = include_str!("../../../../../examples/flights/flights.toml");

/// Where files are that are no part of the repository, unless `WEIR_SHARED_DATA` says so.
const SHARED: &str = "../shared/data";

/// Public data that the repository does not have, by licence or by size.
struct Shared {
    name: &'static str,
    says: &'static str,
    source: &'static str,
    licence: &'static str,
    /// Its files, which `rows` knows as `a` and `b`.
    files: &'static [&'static str],
    /// Makes of the files what Weir registers and ACRO reads.
    rows: &'static str,
    keys: [&'static str; 2],
    value: &'static str,
    unit: &'static str,
}

const ALL_SHARED: [Shared; 5] = [
    Shared {
        name: "policies",
        says: "Claims by brand and region, of motor policies by policy",
        source: "freMTPL2freq of the R package CASdatasets",
        licence: "GPL-2.0-or-later",
        files: &["freMTPL2freq.parquet"],
        rows: r#"SELECT "VehBrand" AS brand, "Region" AS region, CAST("ClaimNb" AS BIGINT) AS claims, "IDpol" AS policy FROM a"#,
        keys: ["brand", "region"],
        value: "claims",
        unit: "policy",
    },
    Shared {
        name: "claims",
        says: "What claims cost by brand and region, of motor policies by policy",
        source: "freMTPL2freq and freMTPL2sev of the R package CASdatasets",
        licence: "GPL-2.0-or-later",
        files: &["freMTPL2freq.parquet", "freMTPL2sev.csv"],
        rows: r#"SELECT "VehBrand" AS brand, "Region" AS region, CAST("ClaimAmount" AS DOUBLE) AS amount, a."IDpol" AS policy FROM a JOIN b ON a."IDpol" = b."IDpol" ORDER BY policy, amount"#,
        keys: ["brand", "region"],
        value: "amount",
        unit: "policy",
    },
    Shared {
        name: "encounters",
        says: "Days in hospital by age and specialty, of encounters by patient",
        source: "Diabetes 130-US hospitals, UCI 296",
        licence: "CC-BY-4.0",
        files: &["diabetic_data_str.parquet"],
        rows: r#"SELECT age, medical_specialty AS specialty, CAST(time_in_hospital AS BIGINT) AS days, patient_nbr AS patient FROM a"#,
        keys: ["age", "specialty"],
        value: "days",
        unit: "patient",
    },
    Shared {
        name: "bookings",
        says: "Nights by market and month, of hotel bookings by agent",
        source: "Hotel booking demand datasets, Data in Brief 22 (2019)",
        licence: "CC-BY-4.0",
        files: &["hotel_bookings.parquet"],
        rows: r#"SELECT market_segment AS market, arrival_date_month AS month, stays_in_week_nights AS nights, CAST(agent AS BIGINT) AS agent FROM a"#,
        keys: ["market", "month"],
        value: "nights",
        unit: "agent",
    },
    Shared {
        name: "electricity",
        says: "Revenue by state and month, of utilities",
        source: "EIA.csv of the R package sdcMicro",
        licence: "GPL-2.0-only",
        files: &["sdc/EIA.csv"],
        rows: r#"SELECT "STATE" AS state, CAST("MONTH" AS VARCHAR) AS month, CAST("TOTREVENUE" AS BIGINT) AS revenue, "UTILITYID" AS utility FROM a"#,
        keys: ["state", "month"],
        value: "revenue",
        unit: "utility",
    },
];

/// Real data, and what is asked of it.
pub(super) struct Real {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) manifest: Manifest,
    /// A Parquet file.
    pub(super) file: Vec<u8>,
    pub(super) keys: [&'static str; 2],
    pub(super) value: &'static str,
    pub(super) unit: &'static str,
}

impl Real {
    /// What is bundled, and what is there of the rest; what is not is noted.
    pub(super) fn all(bench: &Bench<'_>) -> Result<Vec<Self>> {
        let folder = std::env::var_os("WEIR_SHARED_DATA");
        let folder = folder.map_or_else(|| PathBuf::from(SHARED), PathBuf::from);
        let mut all = vec![Self::flights()?];
        for shared in ALL_SHARED {
            let files = shared.files.iter().map(|file| folder.join(file));
            let files: Vec<PathBuf> = files.collect();
            match files.iter().all(|file| file.exists()) {
                true => all.push(bench.runtime.block_on(shared.read(&files))?),
                false => bench.skip(&format!(
                    "{} ({}) are left out: `{}` is not in `{SHARED}`, nor where `WEIR_SHARED_DATA` says",
                    shared.name,
                    shared.source,
                    shared.files.join("`, `")
                )),
            }
        }
        Ok(all)
    }

    fn flights() -> Result<Self> {
        Ok(Self {
            name: "flights",
            says: "Miles flown by carrier and airport, of flights by aircraft",
            manifest: read(MANIFEST, "flights.toml")?,
            file: FLIGHTS.to_vec(),
            keys: ["carrier", "origin"],
            value: "distance",
            unit: "tailnum",
        })
    }

    pub(super) fn sql(&self) -> String {
        let ([first, second], value) = (self.keys, self.value);
        format!(
            "SELECT {first} AS k0, {second} AS k1, SUM({value}) AS n0 FROM {TABLE} GROUP BY 1, 2"
        )
    }
}

impl Shared {
    async fn read(&self, files: &[PathBuf]) -> Result<Real> {
        let what = "reading real data";
        let context = SessionContext::new();
        for (name, file) in ["a", "b"].iter().zip(files) {
            register(&context, name, file).await?;
        }
        let rows = context.sql(self.rows).await.map_err(failed(what))?;
        let batches = rows.collect().await.map_err(failed(what))?;
        let Some(schema) = batches.first().map(|batch| batch.schema()) else {
            return Err(failed(what)(format!("{} have no rows", self.name)));
        };
        let mut file = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut file, schema.clone(), None).map_err(failed(what))?;
        for batch in &batches {
            writer.write(batch).map_err(failed(what))?;
        }
        writer.close().map_err(failed(what))?;
        Ok(Real {
            name: self.name,
            says: self.says,
            manifest: self.manifest(&schema)?,
            file,
            keys: self.keys,
            value: self.value,
            unit: self.unit,
        })
    }

    fn manifest(&self, schema: &Schema) -> Result<Manifest> {
        let Self {
            name,
            says,
            source,
            licence,
            unit,
            ..
        } = self;
        let mut text = format!(
            "name = \"{name}\"\npopulation = \"{name}\"\nunit = \"{unit}\"\ndescription = \"{says}\"\n\
             source = \"{source}\"\nlicence = \"{licence}\"\n"
        );
        for field in schema.fields() {
            let (column, kind) = (field.name(), kind(field.data_type()));
            let role = match column == unit {
                true => "identifier",
                false => "measure",
            };
            let _ = write!(
                text,
                "\n[[column]]\nname = \"{column}\"\ntype = \"{kind}\"\nrole = \"{role}\"\ndescription = \"{column}\"\n"
            );
        }
        read(&text, &format!("{name}.toml"))
    }
}

const fn kind(of: &DataType) -> &'static str {
    match of {
        DataType::Int64 => "int64",
        DataType::Float64 => "float64",
        _ => "string",
    }
}

async fn register(context: &SessionContext, name: &str, file: &Path) -> Result<()> {
    let path = file.to_string_lossy();
    let registered = match file.extension().is_some_and(|of| of == "csv") {
        true => {
            let read = CsvReadOptions::new();
            context.register_csv(name, &*path, read).await
        }
        false => {
            let read = ParquetReadOptions::default();
            context.register_parquet(name, &*path, read).await
        }
    };
    registered.map_err(|error| BenchError::file(file, error))
}

fn read(text: &str, name: &str) -> Result<Manifest> {
    Manifest::from_toml(text, name).map_err(failed("reading a manifest"))
}
