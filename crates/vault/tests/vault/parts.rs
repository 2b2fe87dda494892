//! Folders of parts, and Arrow IPC.

use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use insta::assert_snapshot;
use weir_vault::{Family, Manifest, Resources, Source, VaultError};

use crate::common::{CREATED_UNIX_MS, Fixture, lines, query_in, session};

const CALLS: &str = r#"
name = "calls"
population = "people"
unit = "who"
description = "Calls"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "who"
type = "string"
role = "identifier"
description = "Who"

[[column]]
name = "minutes"
type = "int32"
role = "measure"
description = "How long"

[[column]]
name = "place"
type = "string"
role = "public"
description = "Where"
"#;

/// A value that must not come back in any message.
const PLANTED: &str = "PLANTED-VALUE";

fn folder(fixture: &Fixture, files: &[(&str, &[u8])]) -> Source {
    let folder = fixture.path("calls");
    fs::create_dir(&folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    Source::file(&folder)
}

fn refusal(files: &[(&str, &[u8])]) -> VaultError {
    let fixture = Fixture::new();
    let before = fixture.files();
    let source = folder(&fixture, files);
    let error = fixture.stage(CALLS, &source).unwrap_err();
    assert_eq!(fixture.files(), before, "a refused source left a trace");
    assert_eq!(error.family(), Family::Caller);
    assert!(!format!("{error} {error:?}").contains(PLANTED));
    error
}

#[test]
fn a_folder_is_one_dataset_in_the_order_of_its_names() {
    let fixture = Fixture::new();
    let source = folder(
        &fixture,
        &[
            ("b.csv", b"minutes,place,who\n3,east,zoe\n4,,abe\n"),
            ("a.csv", b"who,minutes,place\nzoe,1,north\nabe,2,south"),
            ("c.csv", b"place,who,minutes\n"),
            ("_SUCCESS", b""),
            (".hidden", b"\x00"),
        ],
    );
    let meta = fixture.register(CALLS, &source);
    assert_eq!((meta.rows, meta.units), (4, 2));
    assert_snapshot!(lines(&fixture.query(&meta.id, "SELECT * FROM t")), @"
    0 | 0 | 1 | north
    0 | 1 | 3 | east
    1 | 0 | 2 | south
    1 | 1 | 4 | null
    ");
}

#[test]
fn a_bad_part_is_named_with_the_row_in_it() {
    let good: (&str, &[u8]) = ("a.csv", b"who,minutes,place\nabe,1,x\n");
    assert_snapshot!(refusal(&[]), @"`calls`: the folder has no files in it (names that begin with `.` or `_` do not count)");
    assert_snapshot!(refusal(&[good, ("b.csv", b"who,minutes,place\nabe,1,x\n\nabe,PLANTED-VALUE,x\n")]), @"`calls/b.csv`, row 2 (line 4), column `minutes`: not a whole number of 32 bits (int32); mend the value, change the column's type, or add the spelling of a missing value to `null_values`");
    assert_snapshot!(refusal(&[good, ("b.csv", b"who,minutes\nabe,1\n")]), @"`calls/b.csv`: column `place` is not found; add to the file, or take out of the manifest (upper and lower case differ)");
    assert_snapshot!(refusal(&[good, ("b.csv", b"")]), @"`calls/b.csv`: the file is empty; expected a header and at least one row");
    assert_snapshot!(refusal(&[good, ("b.parquet", b"PAR1PLANTED-VALUE")]), @"`calls/b.parquet`: of another format than the parts before it; register CSV (UTF-8, with a header), Parquet or Arrow IPC, as a file or as a folder of parts of one format");
    assert_snapshot!(refusal(&[good, ("b.csv", b"who,minutes,place\nabe,1,\"PLANTED-VALUE\n")]), @"`calls/b.csv`: the quotes do not pair up, so some quoted field has no end; close it, and double a quote that is part of a text");
    assert_snapshot!(refusal(&[("a.csv", b"who,minutes,place\n")]), @"`calls`: the file has no rows; nothing to register");
}

#[cfg(unix)]
#[test]
fn a_link_or_a_folder_among_the_parts_is_refused() {
    for link in [true, false] {
        let fixture = Fixture::new();
        let source = folder(&fixture, &[("a.csv", b"who,minutes,place\nabe,1,x\n")]);
        fs::write(
            fixture.path("elsewhere"),
            "who,minutes,place\nPLANTED-VALUE,1,x\n",
        )
        .unwrap();
        let part = fixture.path("calls/b.csv");
        if link {
            std::os::unix::fs::symlink(fixture.path("elsewhere"), part).unwrap();
        } else {
            fs::create_dir(part).unwrap();
        }
        assert_eq!(
            fixture.stage(CALLS, &source).unwrap_err().code(),
            "SOURCE_FORMAT"
        );
    }
}

#[test]
fn neither_memory_nor_threads_change_a_snapshot() {
    let fixture = Fixture::new();
    let rows: String = (0..60_000_u64)
        .map(|row| {
            format!(
                "p{},{row},\"a \"\"place\"\",\n{row}\"\n",
                row * 7919 % 1_013
            )
        })
        .collect();
    let source = fixture.write("calls.csv", format!("who,minutes,place\n{rows}"));
    let manifest = Manifest::from_toml(CALLS, "calls.toml").unwrap();
    let mut expected: Option<RecordBatch> = None;
    for (sort_bytes, threads) in [
        (1 << 30, 1),
        (1 << 30, 3),
        (1 << 20, 1),
        (300_000, 4),
        (1, 2),
    ] {
        let resources = Resources {
            sort_bytes,
            threads,
        };
        let mut go_on = |_| ControlFlow::Continue(());
        let staged =
            fixture
                .vault
                .ingest_with(&manifest, &source, CREATED_UNIX_MS, resources, &mut go_on);
        let meta = staged.unwrap().commit().unwrap();
        // One partition: the rows as they are stored.
        let tables = [("t", &fixture.vault, meta.id.as_str())];
        let found = query_in(session(1), &tables, "SELECT * FROM t");
        assert_eq!(found.num_rows(), 60_000);
        assert_eq!(*expected.get_or_insert(found.clone()), found);
    }
}

fn batch() -> RecordBatch {
    let who: ArrayRef = Arc::new(StringArray::from_iter(
        (0..500).map(|row| (row % 9 != 0).then(|| format!("p{}", row % 50))),
    ));
    let minutes: ArrayRef = Arc::new(Int32Array::from_iter(
        (0..500).map(|row| (row % 7 != 0).then_some(row)),
    ));
    let place: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..500).map(|row| format!("place {}", row % 4)),
    ));
    RecordBatch::try_from_iter_with_nullable([
        ("who", who, true),
        ("minutes", minutes, true),
        ("place", place, true),
    ])
    .unwrap()
}

/// The batch with its texts as dictionaries, in two batches of one file.
fn arrow_bytes(is_file: bool, compression: Option<CompressionType>) -> Vec<u8> {
    let plain = batch();
    let dictionary = DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into());
    let place = cast(plain.column(2), &dictionary).unwrap();
    let fields = vec![
        plain.schema().field(0).clone(),
        plain.schema().field(1).clone(),
        Field::new("place", dictionary, true),
    ];
    let columns = vec![plain.column(0).clone(), plain.column(1).clone(), place];
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let pieces = [batch.slice(0, 200), batch.slice(200, 300)];
    let mut bytes = Vec::new();
    if is_file {
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
        pieces.iter().for_each(|piece| writer.write(piece).unwrap());
        writer.finish().unwrap();
    } else {
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
        pieces.iter().for_each(|piece| writer.write(piece).unwrap());
        writer.finish().unwrap();
    }
    bytes
}

const COMPRESSIONS: [Option<CompressionType>; 3] = [
    None,
    Some(CompressionType::LZ4_FRAME),
    Some(CompressionType::ZSTD),
];

#[test]
fn arrow_holds_the_same_rows_as_parquet() {
    let fixture = Fixture::new();
    let parquet = fixture.write_parquet("calls.parquet", &batch());
    let meta = fixture.register(CALLS, &parquet);
    let expected = fixture.query(&meta.id, "SELECT * FROM t");
    assert_eq!(meta.rows_without_unit, 56);
    for is_file in [true, false] {
        for compression in COMPRESSIONS {
            let source = fixture.write("calls", arrow_bytes(is_file, compression));
            let meta = fixture.register(CALLS, &source);
            assert_eq!(fixture.query(&meta.id, "SELECT * FROM t"), expected);
        }
    }
}

#[test]
fn arrow_that_was_cut_is_refused_at_every_length() {
    let fixture = Fixture::new();
    for is_file in [true, false] {
        let bytes = arrow_bytes(is_file, None);
        for length in (8..bytes.len()).step_by(61).chain([bytes.len() - 1]) {
            let source = fixture.write("calls.arrow", &bytes[..length]);
            let error = fixture.stage(CALLS, &source).unwrap_err();
            assert_eq!(error.code(), "ARROW_DAMAGED", "{length} bytes: {error}");
        }
    }
    let source = fixture.write("calls.arrow", "who,minutes,place\n");
    assert_snapshot!(fixture.stage(CALLS, &source).unwrap_err(), @"`calls.arrow`: the Arrow file is damaged or cut short; write it again");
}

#[test]
fn changed_arrow_bytes_never_panic_and_leave_nothing() {
    let fixture = Fixture::new();
    let before = fixture.files();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut refused = 0;
    for round in 0..900_usize {
        let mut bytes = arrow_bytes(round % 2 == 0, COMPRESSIONS[round % 3]);
        for _ in 0..1 + random() % 4 {
            let at = (random() % bytes.len() as u64) as usize;
            // Lengths and offsets are what decoders trust: big ones, small ones, and single bits.
            match random() % 4 {
                0 => bytes[at] ^= 1 << (random() % 8),
                1 => bytes[at] = 0xff,
                2 => bytes[at] = 0x7f,
                _ => {
                    let end = (at + 8).min(bytes.len());
                    bytes[at..end].copy_from_slice(&random().to_le_bytes()[..end - at]);
                }
            }
        }
        let source = fixture.write("calls.arrow", bytes);
        match fixture.stage(CALLS, &source) {
            Ok(staged) => drop(staged),
            Err(error) => {
                assert_ne!(error.family(), Family::Bug, "round {round}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused}");
    fs::remove_file(fixture.path("calls.arrow")).unwrap();
    assert_eq!(fixture.files(), before);
}

const TRIPS_OF_TWO: &str = r#"
name = "rides"
description = "Rides"
source = "made up"
licence = "CC0-1.0"

[[unit]]
column = "vehicle"
population = "vehicles"

[[unit]]
column = "driver"
population = "people"

[[unit]]
column = "passenger"
population = "people"

[[column]]
name = "driver"
type = "string"
role = "identifier"
description = "Who drove"

[[column]]
name = "km"
type = "int32"
role = "measure"
description = "How far"

[[column]]
name = "vehicle"
type = "int64"
role = "identifier"
description = "In what"

[[column]]
name = "passenger"
type = "string"
role = "identifier"
description = "Whom"
"#;

#[test]
fn a_row_may_be_about_several_units() {
    let fixture = Fixture::new();
    let csv = "driver,km,vehicle,passenger\nann,1,70,bob\nbob,2,60,cy\n,3,70,ann\nann,4,,dan\neve,5,60,\n";
    let meta = fixture.register_csv(TRIPS_OF_TWO, csv);
    assert_eq!((meta.rows, meta.rows_without_unit, meta.units), (4, 1, 2));
    let units: Vec<_> = meta
        .unit_columns
        .iter()
        .map(|unit| (unit.name.as_str(), unit.population.as_str(), unit.units))
        .collect();
    assert_eq!(
        units,
        [
            ("weir_unit", "vehicles", 2),
            ("weir_unit_2", "people", 3),
            ("weir_unit_3", "people", 3)
        ]
    );
    // `dan` is named by a row that is left out, and so has no id.
    assert_snapshot!(lines(&fixture.query(&meta.id, "SELECT * FROM t")), @"
    0 | 0 | 1 | 0 | 1
    0 | null | 0 | 1 | 3
    1 | 1 | 2 | 0 | 2
    1 | 3 | null | 1 | 5
    ");
    let rows = fixture.query(&meta.id, "SELECT weir_unit_2 FROM t");
    assert!(rows.schema().field(0).is_nullable());

    // The same people in a dataset of their own.
    let calls = fixture.register_csv(CALLS, "who,minutes,place\neve,1,x\nann,2,y\nzoe,3,z\n");
    let found = fixture.query(&calls.id, "SELECT weir_unit FROM t ORDER BY minutes");
    let ids = found
        .column(0)
        .as_primitive::<arrow::datatypes::UInt32Type>();
    assert_eq!(ids.values(), &[3, 0, 4]);

    for secret in ["ann", "bob", "eve"] {
        let planted = format!("{secret},");
        for (name, bytes) in fixture.files() {
            let found = bytes
                .windows(planted.len())
                .any(|bytes| bytes == planted.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
    }
}

#[test]
fn every_population_of_a_dataset_is_held_while_it_is_registered() {
    let fixture = Fixture::new();
    let source = fixture.write("rides.csv", "driver,km,vehicle,passenger\nann,1,70,bob\n");
    let staged = fixture.stage(TRIPS_OF_TWO, &source).unwrap();
    let calls = fixture.write("calls.csv", "who,minutes,place\nann,2,y\n");
    let busy = fixture.stage(CALLS, &calls).unwrap_err();
    assert_eq!(busy.code(), "POPULATION_BUSY");
    // What was refused holds nothing: not even the population it could have had.
    assert_eq!(
        fixture.stage(TRIPS_OF_TWO, &source).unwrap_err().code(),
        "POPULATION_BUSY"
    );
    drop(staged);
    fixture.register(CALLS, &calls);
    fixture.register(TRIPS_OF_TWO, &source);
}
