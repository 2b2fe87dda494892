use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Float64Array, Int16Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Int32Type, UInt32Type};
use datafusion::prelude::{SessionConfig, SessionContext};
use insta::assert_snapshot;
use weir_vault::{Manifest, ROW_COLUMN, Stage, UNIT_COLUMN, Vault};

use crate::common::{CREATED_UNIX_MS, Fixture, TRIPS, TRIPS_CSV, lines, query_in, session};

const BONUS: &str = r#"
name = "bonus"
population = "drivers"
unit = "driver"
description = "Bonus"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "driver"
header = "Driver"
type = "string"
role = "identifier"
description = "Who"

[[column]]
name = "bonus"
type = "int64"
role = "sensitive"
description = "How much"

[[column]]
name = "kind"
type = "string"
role = "public"
description = "Of what kind"
"#;

/// A manifest with a whole-number unit and one measure.
const COUNTS: &str = r#"
name = "counts"
population = "meters"
unit = "meter"
description = "Counts"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "meter"
type = "int64"
role = "identifier"
description = "Which"

[[column]]
name = "count"
type = "float64"
role = "measure"
description = "How many"
"#;

#[test]
fn csv_comes_back_sorted_by_unit_without_identifiers() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    assert_snapshot!(lines(&fixture.query(&meta.id, "SELECT * FROM t")), @r#"
    0 | 0 | 3 | 1.5 | north | true | 2024-01-02 | 2024-01-02T10:00:00
    0 | 1 | null | null | west, far | null | null | 2024-01-05T10:00:00.500
    1 | 0 | 4 | 2.5 | south | false | 2024-01-03 | 2024-01-03T10:00:00
    1 | 1 | 8 | -6.5 | 中央 | false | 2024-01-08 | 2024-01-08T10:00:00
    2 | 0 | 7 | 5.5 | null | true | 2024-01-07 | 2024-01-07T02:00:00
    "#);
    let schema = fixture.vault.table(&meta.id).unwrap().schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        [
            UNIT_COLUMN,
            ROW_COLUMN,
            "km",
            "fare",
            "place",
            "night",
            "day",
            "started"
        ]
    );
    assert!(!schema.field(0).is_nullable());

    assert_eq!((meta.rows, meta.rows_without_unit, meta.units), (5, 2, 3));
    assert_eq!(
        (meta.dataset.as_str(), meta.population.as_str()),
        ("trips", "drivers")
    );
    assert_eq!(meta.created_unix_ms, CREATED_UNIX_MS);
    assert_eq!(meta, fixture.vault.snapshot(&meta.id).unwrap());
    assert_eq!(meta, fixture.vault.verify(&meta.id).unwrap());
    assert_eq!(fixture.vault.snapshot_ids().unwrap(), [meta.id]);
}

#[test]
fn column_order_and_a_byte_order_mark_do_not_matter() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(
        BONUS,
        "\u{feff}kind,bonus,Driver\r\ncash,1,abe\r\n\r\nfuel,2,abe\r\n",
    );
    assert_eq!(
        lines(&fixture.query(&meta.id, "SELECT * FROM t")),
        "0 | 0 | 1 | cash\n0 | 1 | 2 | fuel"
    );
}

#[test]
fn parquet_is_widened_and_matches_the_same_data_as_csv() {
    let fixture = Fixture::new();
    let kinds = DictionaryArray::<Int32Type>::from_iter(["cash", "fuel", "cash", "cash"]);
    let batch = RecordBatch::try_from_iter([
        ("kind", Arc::new(kinds) as ArrayRef),
        (
            "Driver",
            Arc::new(StringArray::from(vec![
                Some("zoe"),
                None,
                Some("abe"),
                Some("zoe"),
            ])) as ArrayRef,
        ),
        (
            "bonus",
            Arc::new(Int16Array::from(vec![Some(1), Some(2), None, Some(4)])) as ArrayRef,
        ),
    ])
    .unwrap();
    let parquet = fixture.register(BONUS, &fixture.write_parquet("bonus.parquet", &batch));
    let csv = fixture.register_csv(
        BONUS,
        "Driver,bonus,kind\nzoe,1,cash\n,2,fuel\nabe,,cash\nzoe,4,cash\n",
    );
    let sql = "SELECT * FROM t";
    assert_eq!(
        lines(&fixture.query(&parquet.id, sql)),
        lines(&fixture.query(&csv.id, sql))
    );
    assert_eq!(
        (parquet.rows, parquet.rows_without_unit, parquet.units),
        (3, 1, 2)
    );
    assert_ne!(parquet.digest, csv.digest);
}

#[test]
fn one_population_has_one_id_per_unit_across_datasets_and_restarts() {
    let fixture = Fixture::new();
    let trips = fixture.register_csv(TRIPS, TRIPS_CSV);
    let fixture = fixture.reopen();
    let bonus = fixture.register_csv(
        BONUS,
        "Driver,bonus,kind\nnew,0,cash\nabe,10,cash\nzoe,20,fuel\n",
    );
    let joined = query_in(
        session(2),
        &[
            ("trips", &fixture.vault, &trips.id),
            ("bonus", &fixture.vault, &bonus.id),
        ],
        "SELECT km, bonus FROM trips JOIN bonus ON trips.weir_unit = bonus.weir_unit ORDER BY km NULLS LAST",
    );
    assert_eq!(lines(&joined), "3 | 20\n4 | 10\n8 | 10\nnull | 20");
}

#[test]
fn other_populations_number_their_own_units() {
    let fixture = Fixture::new();
    fixture.register_csv(TRIPS, TRIPS_CSV);
    let firms = BONUS.replace("\"drivers\"", "\"firms\"");
    let meta = fixture.register_csv(&firms, "Driver,bonus,kind\nkim,1,cash\n");
    assert_eq!(
        lines(&fixture.query(&meta.id, "SELECT weir_unit FROM t")),
        "0"
    );
}

#[test]
fn a_number_and_its_digits_are_one_unit() {
    let fixture = Fixture::new();
    let csv = fixture.register_csv(COUNTS, "meter,count\n7,1\n0012,2\n");
    let text = COUNTS.replace("\"int64\"", "\"string\"");
    let as_text = fixture.register_csv(&text, "meter,count\n12,3\n7,4\n");
    assert_eq!(
        lines(&fixture.query(&csv.id, "SELECT * FROM t")),
        "0 | 1.0\n1 | 2.0"
    );
    assert_eq!(
        lines(&fixture.query(&as_text.id, "SELECT * FROM t")),
        "0 | 4.0\n1 | 3.0"
    );
}

#[test]
fn a_large_dataset_is_cut_at_unit_boundaries_and_scanned_in_order() {
    let fixture = Fixture::new();
    // Every third row belongs to unit 5, so that one unit alone is larger than a file's target.
    let rows = 200_000_i64;
    let meters = Int64Array::from_iter_values(
        (0..rows).map(|row| if row % 3 == 0 { 5 } else { row * 7919 % 997 }),
    );
    let counts = Float64Array::from_iter_values((0..rows).map(|row| row as f64));
    let batch = RecordBatch::try_from_iter([
        ("meter", Arc::new(meters.clone()) as ArrayRef),
        ("count", Arc::new(counts)),
    ])
    .unwrap();
    let meta = fixture.register(COUNTS, &fixture.write_parquet("counts.parquet", &batch));
    assert_eq!(meta.units, 997);

    let parts = fixture
        .files()
        .keys()
        .filter(|name| name.ends_with(".parquet"))
        .count();
    assert!((3..=7).contains(&parts), "{parts} files");

    let sql = "SELECT weir_unit, count FROM t WHERE count >= 0";
    for partitions in [1, 2, 3, 16] {
        let session = session(partitions);
        session
            .register_table("t", fixture.vault.table(&meta.id).unwrap())
            .unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let streams = runtime.block_on(async {
            session
                .sql(sql)
                .await
                .unwrap()
                .collect_partitioned()
                .await
                .unwrap()
        });
        let mut seen = std::collections::HashSet::new();
        let mut total = 0;
        for partition in streams {
            let mut last: Option<(u32, f64)> = None;
            let mut units = std::collections::HashSet::new();
            for batch in &partition {
                let unit = batch.column(0).as_primitive::<UInt32Type>();
                let count = batch
                    .column(1)
                    .as_primitive::<arrow::datatypes::Float64Type>();
                for row in 0..batch.num_rows() {
                    let now = (unit.value(row), count.value(row));
                    // Units ascend, and a unit's rows keep the order of the file.
                    assert!(
                        last.is_none_or(|last| last < now),
                        "{last:?} before {now:?}"
                    );
                    last = Some(now);
                    units.insert(now.0);
                }
                total += batch.num_rows();
            }
            assert!(seen.is_disjoint(&units), "a unit is in two partitions");
            seen.extend(units);
        }
        assert_eq!((total as i64, seen.len()), (rows, 997));
    }
}

#[test]
fn joins_and_groups_by_unit_are_right_across_partitions() {
    // Two datasets of one population, cut at different units: what one has in its first partition the other has in its
    // second. An engine that took both for partitioned alike would lose pairs.
    let fixture = Fixture::new();
    let skewed: String = (0..60_000)
        .map(|row| format!("{},1\n", row % 600))
        .collect();
    let tail: String = (0..90_000)
        .map(|row| format!("{},1\n", 300 + row % 700))
        .collect();
    let left = fixture.register_csv(COUNTS, &format!("meter,count\n{skewed}"));
    let right = fixture.register_csv(COUNTS, &format!("meter,count\n{tail}"));
    for partitions in [1, 2, 3] {
        let config = SessionConfig::new()
            .with_target_partitions(partitions)
            .set_usize(
                "datafusion.optimizer.hash_join_single_partition_threshold",
                0,
            )
            .set_usize(
                "datafusion.optimizer.hash_join_single_partition_threshold_rows",
                0,
            );
        let tables = [
            ("l", &fixture.vault, left.id.as_str()),
            ("r", &fixture.vault, right.id.as_str()),
        ];
        let sql = "SELECT count(*), count(DISTINCT unit), sum(pairs) FROM (
            SELECT l.weir_unit AS unit, count(*) AS pairs FROM l JOIN r ON l.weir_unit = r.weir_unit GROUP BY l.weir_unit)";
        let joined = query_in(SessionContext::new_with_config(config), &tables, sql);
        // Units 300 to 599 are in both: 100 rows each on the left, 128 or 129 on the right.
        let right_rows: i64 = (0..90_000).filter(|row| row % 700 < 300).count() as i64;
        assert_eq!(lines(&joined), format!("300 | 300 | {}", right_rows * 100));
    }
}

#[test]
fn the_plan_is_ordered_prunes_and_shows_no_secret() {
    let fixture = Fixture::new();
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    let plan = fixture.query(
        &meta.id,
        "EXPLAIN VERBOSE SELECT km FROM t WHERE km > 3 ORDER BY weir_unit",
    );
    let plan = lines(&plan);
    assert!(
        !plan.contains("SortExec: expr=[weir_unit") || plan.contains("output_ordering=[weir_unit"),
        "{plan}"
    );
    assert!(plan.contains("predicate=km"), "{plan}");
    let folder = fixture.folder.path().to_string_lossy().into_owned();
    assert!(!plan.contains(&folder), "{plan}");
    let table = fixture.vault.table(&meta.id).unwrap();
    assert_eq!(
        format!("{table:?}"),
        format!("SealedTable {{ id: {:?}, .. }}", meta.id)
    );
}

#[test]
fn a_range_of_units_reads_only_its_files() {
    let fixture = Fixture::new();
    let csv: String = (0..100_000).map(|row| format!("{},1\n", row / 2)).collect();
    let meta = fixture.register_csv(COUNTS, &format!("meter,count\n{csv}"));
    let counted = fixture.query(
        &meta.id,
        "SELECT count(count) FROM t WHERE weir_unit BETWEEN 10 AND 12",
    );
    assert_eq!(lines(&counted), "6");
    let analysed = fixture.query(
        &meta.id,
        "EXPLAIN ANALYZE SELECT count(count) FROM t WHERE weir_unit < 3",
    );
    let text = lines(&analysed);
    assert!(
        text.contains("files_ranges_pruned_statistics=4 total → 1 matched"),
        "{text}"
    );
}

#[test]
fn nothing_planted_lies_in_the_clear() {
    let fixture = Fixture::new();
    fixture.register_csv(TRIPS, TRIPS_CSV);
    fixture.register_csv(
        BONUS,
        "Driver,bonus,kind\nPLANTED-UNIT,8675309,PLANTED-VALUE\n",
    );
    for (name, bytes) in fixture.files() {
        // Short words would turn up in random bytes by chance.
        for planted in [
            "555-0101",
            "west, far",
            "中央",
            "nowhere",
            "PLANTED-UNIT",
            "PLANTED-VALUE",
            "weir_unit",
            "started",
        ] {
            let found = bytes
                .windows(planted.len())
                .any(|window| window == planted.as_bytes());
            assert!(!found, "`{planted}` in {name}");
        }
        let number = 8_675_309_i64.to_le_bytes();
        assert!(
            !bytes.windows(8).any(|window| window == number),
            "the number in {name}"
        );
    }
}

#[test]
fn progress_is_reported_and_can_cancel() {
    let fixture = Fixture::new();
    let csv: String = (0..100_000).map(|row| format!("{row},1\n")).collect();
    let source = fixture.write("source.csv", format!("meter,count\n{csv}"));
    let manifest = Manifest::from_toml(COUNTS, "counts.toml").unwrap();
    let mut heard = Vec::new();
    let staged = fixture
        .vault
        .ingest(&manifest, &source, CREATED_UNIX_MS, &mut |progress| {
            heard.push(progress);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(staged.meta().units, 100_000);
    drop(staged);
    let last = heard.last().unwrap();
    assert_eq!(
        (last.stage, last.rows_read, last.rows_sealed),
        (Stage::Seal, 100_000, 100_000)
    );
    assert_eq!(last.bytes_read, last.bytes_total);
    assert!(heard.is_sorted_by_key(|progress| (progress.rows_read, progress.rows_sealed)));

    let before = fixture.files();
    for cancel_at in 0..heard.len() {
        let mut calls = 0;
        let cancelled = fixture
            .vault
            .ingest(&manifest, &source, CREATED_UNIX_MS, &mut |_| {
                calls += 1;
                if calls > cancel_at {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        assert_eq!(cancelled.unwrap_err().code(), "REGISTRATION_CANCELLED");
        assert_eq!(fixture.files(), before);
    }
}

#[test]
fn a_population_has_one_registration_at_a_time() {
    let fixture = Fixture::new();
    let source = fixture.write("source.csv", TRIPS_CSV);
    let staged = fixture.stage(TRIPS, &source).unwrap();
    assert_snapshot!(fixture.stage(TRIPS, &source).unwrap_err(), @"population `drivers`: another registration is under way; try again when it has ended");
    fixture.register_csv(COUNTS, "meter,count\n1,1\n");
    drop(staged);
    let source = fixture.write("source.csv", TRIPS_CSV);
    fixture.register(TRIPS, &source);
}

#[test]
fn a_vault_opens_once_with_its_own_key() {
    let fixture = Fixture::new();
    let folder = fixture.path("vault");
    assert_eq!(
        Vault::open(&folder, fixture.master()).unwrap_err().code(),
        "VAULT_IN_USE"
    );
    assert_eq!(
        Vault::create(&folder, fixture.master()).unwrap_err().code(),
        "VAULT_EXISTS"
    );
    assert_eq!(
        Vault::open(&fixture.path("none"), fixture.master())
            .unwrap_err()
            .code(),
        "VAULT_MISSING"
    );
    let other = weir_vault::MasterKey::create(&fixture.path("other.key")).unwrap();
    let Fixture {
        folder: kept,
        vault,
    } = fixture;
    drop(vault);
    let wrong = Vault::open(&folder, other).unwrap_err();
    assert_eq!(wrong.code(), "MASTER_KEY_WRONG");
    let message = wrong
        .to_string()
        .replace(&*folder.to_string_lossy(), "VAULT");
    assert_snapshot!(message, @"`VAULT`: the master key is not the one this vault was sealed with; check which key file belongs to it");
    drop(kept);
}
