//! A vault in a temporary folder, and ways to look at it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use parquet::arrow::ArrowWriter;
use weir_vault::{Manifest, MasterKey, SnapshotMeta, Source, Staged, Vault, VaultError};

/// When everything in these tests happens.
pub(crate) const CREATED_UNIX_MS: i64 = 1_700_000_000_000;

/// A manifest with all kinds of columns.
pub(crate) const TRIPS: &str = r#"
name = "trips"
population = "drivers"
unit = "driver"
description = "Trips"
source = "made up"
licence = "CC0-1.0"
null_values = ["", "NA"]

[[column]]
name = "driver"
type = "string"
role = "identifier"
description = "Who drove"

[[column]]
name = "phone"
type = "string"
role = "identifier"
description = "How to reach them"

[[column]]
name = "km"
type = "int32"
role = "measure"
description = "How far"

[[column]]
name = "fare"
type = "float64"
role = "measure"
description = "How much"

[[column]]
name = "place"
type = "string"
role = "quasi-identifier"
description = "Where to"

[[column]]
name = "night"
type = "bool"
role = "public"
description = "Whether at night"

[[column]]
name = "day"
type = "date"
role = "public"
description = "When"

[[column]]
name = "started"
type = "timestamp"
role = "public"
description = "When exactly"
"#;

pub(crate) const TRIPS_CSV: &str = "\
driver,phone,km,fare,place,night,day,started
zoe,555-0101,3,1.5,north,true,2024-01-02,2024-01-02T10:00:00Z
abe,555-0102,4,2.5,south,false,2024-01-03,2024-01-03T10:00:00Z
,555-0103,5,3.5,east,false,2024-01-04,2024-01-04T10:00:00Z
zoe,555-0101,NA,,\"west, far\",,,2024-01-05 10:00:00.5
NA,555-0104,6,4.5,north,0,2024-01-06,
kim,555-0105,7,5.5,,1,2024-01-07,2024-01-07T10:00:00+08:00
abe,555-0102,8,-6.5,中央,0,2024-01-08,2024-01-08T10:00:00Z
";

/// A folder with a vault in it, and room for files beside it.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) vault: Vault,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::create(&folder.path().join("master.key")).unwrap();
        let vault = Vault::create(&folder.path().join("vault"), master).unwrap();
        Self { folder, vault }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn master(&self) -> MasterKey {
        MasterKey::load(&self.path("master.key")).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Source {
        fs::write(self.path(name), bytes).unwrap();
        Source::file(&self.path(name))
    }

    pub(crate) fn write_parquet(&self, name: &str, batch: &RecordBatch) -> Source {
        let file = fs::File::create(self.path(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        Source::file(&self.path(name))
    }

    pub(crate) fn stage(&self, manifest: &str, source: &Source) -> Result<Staged, VaultError> {
        let manifest = Manifest::from_toml(manifest, "manifest.toml").unwrap();
        self.vault
            .ingest(&manifest, source, CREATED_UNIX_MS, &mut |_| {
                ControlFlow::Continue(())
            })
    }

    pub(crate) fn register(&self, manifest: &str, source: &Source) -> SnapshotMeta {
        self.stage(manifest, source).unwrap().commit().unwrap()
    }

    pub(crate) fn register_csv(&self, manifest: &str, csv: &str) -> SnapshotMeta {
        let source = self.write("source.csv", csv);
        self.register(manifest, &source)
    }

    /// Closes the vault and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { folder, vault } = self;
        drop(vault);
        let master = MasterKey::load(&folder.path().join("master.key")).unwrap();
        let vault = Vault::open(&folder.path().join("vault"), master).unwrap();
        Self { folder, vault }
    }

    /// Every file of the vault with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path("vault"), &self.path("vault"), &mut files);
        files
    }

    /// All rows the query returns, `t` being the snapshot.
    pub(crate) fn query(&self, id: &str, sql: &str) -> RecordBatch {
        query_in(session(2), &[("t", &self.vault, id)], sql)
    }
}

/// A session as `weir-inside` has it: no round-robin exchange, which would tear units apart.
pub(crate) fn session(partitions: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions);
    SessionContext::new_with_config(config.with_round_robin_repartition(false))
}

pub(crate) fn query_in(
    session: SessionContext,
    tables: &[(&str, &Vault, &str)],
    sql: &str,
) -> RecordBatch {
    for (name, vault, id) in tables {
        session
            .register_table(*name, vault.table(id).unwrap())
            .unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let frame = session.sql(sql).await.unwrap();
        let schema = Arc::new(frame.schema().as_arrow().clone());
        concat_batches(&schema, &frame.collect().await.unwrap()).unwrap()
    })
}

/// Rows as text, one line each, for comparing.
pub(crate) fn lines(batch: &RecordBatch) -> String {
    let options = arrow::util::display::FormatOptions::new().with_null("null");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let line = |row| {
        columns
            .iter()
            .map(|column| column.value(row).to_string())
            .collect::<Vec<_>>()
            .join(" | ")
    };
    (0..batch.num_rows())
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Copies a folder over another.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
