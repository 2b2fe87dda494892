//! A domain, what is in it, and the two operators who attack it together.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use weir_client::v1::{RegisterDatasetRequest, Role, RunRequest};
use weir_client::{Client, ClientError};
use weir_tests::{OPERATOR, TestDomain, application};

use crate::defence::Defence;
use crate::people::People;

/// What an attack is given.
#[derive(Clone, Copy)]
pub(crate) struct Trial {
    pub(crate) defence: Defence,
    /// Whether what releases may say is bounded. Where it is not, everything else has to hold by itself.
    pub(crate) has_budgets: bool,
    /// Targets that an attack on a number is tried on.
    pub(crate) tries: usize,
    /// Secrets that an attack on a bit is tried on.
    pub(crate) secrets: usize,
}

/// Where an attack happens.
pub(crate) struct Arena {
    pub(crate) domain: TestDomain,
    partner: Client,
    runs: AtomicUsize,
}

/// What an operator sees of a run.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Seen {
    /// The rows of the answer.
    Table(Vec<Vec<String>>),
    /// The code of a refusal.
    Refused(String),
}

/// The organisation that works together with the first operator.
const PARTNER: &str = "Partner Insurance";
/// Most datasets that one grant covers.
const DATASETS_A_GRANT: usize = 64;

/// What a null is read as.
pub(crate) const NULL: &str = "∅";

impl Trial {
    /// Datasets of `tries` populations.
    pub(crate) fn people(self, seed: u64, size: usize) -> Vec<People> {
        each(self.tries, seed, size)
    }

    /// Datasets of `secrets` populations.
    pub(crate) fn many(self, seed: u64, size: usize) -> Vec<People> {
        each(self.secrets, seed, size)
    }
}

fn each(count: usize, seed: u64, size: usize) -> Vec<People> {
    (0..count)
        .map(|index| People::new(&format!("d{index}"), seed * 1000 + index as u64, size))
        .collect()
}

impl Arena {
    /// A domain with these datasets and models; both operators may read all of it.
    pub(crate) async fn of(trial: Trial, all: &[People], models: &[(&str, Vec<u8>)]) -> Arena {
        let files = all
            .iter()
            .map(|people| (people.name.clone(), people.manifest(), people.csv()));
        Arena::with(trial, files.collect(), models).await
    }

    /// The same with files: name, manifest, CSV.
    pub(crate) async fn with(
        trial: Trial,
        files: Vec<(String, String, String)>,
        models: &[(&str, Vec<u8>)],
    ) -> Arena {
        let domain = trial.defence.domain(trial.has_budgets).await;
        for (name, manifest, csv) in &files {
            register(&domain, name, manifest, csv, false).await;
        }
        for (name, component) in models {
            domain.approved_model(name, component.clone()).await;
        }
        let partner = domain.client(Role::Operator, PARTNER).await;
        for (organisation, client) in [(OPERATOR, &domain.operator), (PARTNER, &partner)] {
            for (index, some) in files.chunks(DATASETS_A_GRANT).enumerate() {
                let text = application(&format!("part {index}"), &columns(some), "");
                domain.grant(client, organisation, &text).await.unwrap();
            }
        }
        Arena {
            domain,
            partner,
            runs: AtomicUsize::new(0),
        }
    }

    /// Another snapshot of a dataset.
    pub(crate) async fn update(&self, name: &str, manifest: &str, csv: &str) {
        register(&self.domain, name, manifest, csv, true).await;
    }

    /// How many runs were asked for.
    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// One run. The two operators take turns, so that no single one of them asked two questions in a row.
    pub(crate) async fn ask(&self, sql: &str) -> Seen {
        self.ask_counted(sql).await.0
    }

    /// The same, and what is said of withheld cells.
    pub(crate) async fn ask_counted(&self, sql: &str) -> (Seen, u64) {
        let turn = self.runs.fetch_add(1, Ordering::Relaxed);
        let client = [&self.domain.operator, &self.partner][turn % 2];
        let request = RunRequest {
            sql: sql.to_owned(),
            ..Default::default()
        };
        match client.run(request, |_| {}).await {
            Ok(answer) => (
                Seen::Table(rows(&answer.table)),
                answer.cells_withheld_at_most,
            ),
            Err(ClientError::Refused { code, message, .. }) => {
                // An attack that is no legal query would count as one that was stopped.
                let is_stopped = [
                    "GATE",
                    "LEDGER",
                    "BUDGET",
                    "RUN",
                    "DP",
                    "COLUMN_NOT_COMPARED",
                ]
                .iter()
                .any(|by| code.starts_with(by));
                assert!(is_stopped, "{sql}\n{code}: {message}");
                (Seen::Refused(code), 0)
            }
            Err(other) => panic!("{sql}\n{other}"),
        }
    }

    /// The number of a query of one cell and one column, if it is shown.
    pub(crate) async fn number(&self, sql: &str) -> Option<f64> {
        match self.ask(sql).await {
            Seen::Table(rows) => rows.first()?.first()?.parse().ok(),
            Seen::Refused(_) => None,
        }
    }

    /// The rows of a query; none where it is refused.
    pub(crate) async fn table(&self, sql: &str) -> Vec<Vec<String>> {
        match self.ask(sql).await {
            Seen::Table(rows) => rows,
            Seen::Refused(_) => Vec::new(),
        }
    }
}

/// The columns of datasets, without the identifier, which is the first.
fn columns(files: &[(String, String, String)]) -> Vec<(&str, Vec<String>)> {
    let of = files.iter().map(|(name, _, csv)| {
        let header = csv.lines().next().unwrap_or_default();
        let readable = header.split(',').skip(1).map(str::to_owned);
        (name.as_str(), readable.collect())
    });
    of.collect()
}

/// The numbers in a column of rows that begin with a key.
pub(crate) fn numbers(rows: &[Vec<String>], begin: &[&str], column: usize) -> Vec<f64> {
    let wanted = rows
        .iter()
        .filter(|row| row.iter().zip(begin).all(|(value, key)| value == key));
    wanted.filter_map(|row| row[column].parse().ok()).collect()
}

async fn register(domain: &TestDomain, name: &str, manifest: &str, csv: &str, update: bool) {
    let file = domain.inbox.join(format!("{name}.csv"));
    std::fs::write(&file, csv).unwrap();
    let request = RegisterDatasetRequest {
        manifest_toml: manifest.to_owned(),
        manifest_name: "manifest.toml".to_owned(),
        source_path: file.display().to_string(),
        update,
    };
    domain
        .bureau
        .register_dataset(request, |_| {})
        .await
        .unwrap();
}

/// The rows of a table as text.
pub(crate) fn rows(batches: &[arrow::record_batch::RecordBatch]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let value = |column: &arrow::array::ArrayRef| match column.is_null(row) {
                true => NULL.to_owned(),
                false => array_value_to_string(column, row).unwrap(),
            };
            all.push(batch.columns().iter().map(value).collect());
        }
    }
    all
}
