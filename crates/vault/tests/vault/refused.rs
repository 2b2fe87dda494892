use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::Int32Type;
use insta::assert_snapshot;
use parquet::arrow::ArrowWriter;
use weir_vault::{Family, Source, VaultError, limits};

use crate::common::{Fixture, TRIPS, TRIPS_CSV};

/// A value that must not come back in any message.
const PLANTED: &str = "PLANTED-VALUE";

const SMALL: &str = r#"
name = "small"
population = "people"
unit = "who"
description = "Small"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "who"
type = "string"
role = "identifier"
description = "Who"

[[column]]
name = "age"
type = "uint8"
role = "quasi-identifier"
description = "How old"

[[column]]
name = "note"
type = "string"
role = "sensitive"
description = "What else"
"#;

/// Tries to register a source that must be refused, beside a snapshot that must not change.
fn refusal(make: impl FnOnce(&Fixture) -> Source) -> VaultError {
    let fixture = Fixture::new();
    fixture.register_csv(TRIPS, TRIPS_CSV);
    let before = fixture.files();
    let source = make(&fixture);
    let error = fixture.stage(SMALL, &source).unwrap_err();
    assert_eq!(fixture.files(), before, "a refused source left a trace");
    assert_eq!(fixture.reopen().files(), before);
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains(PLANTED), "{text}");
    }
    assert_eq!(error.family(), Family::Caller, "{error}");
    error
}

fn csv(bytes: impl AsRef<[u8]>) -> VaultError {
    refusal(|fixture| fixture.write("small.csv", bytes))
}

#[test]
fn bad_csv_is_refused_with_its_place() {
    assert_snapshot!(csv(b"who,age,note\nabe,1,x\nabe,2,PLANTED-VALUE\xff\n"), @"`small.csv`, row 2 (line 3), column `note`: not UTF-8; convert the file to UTF-8");
    assert_snapshot!(csv(b"who,age,n\xffte\nabe,1,x\n"), @"`small.csv`, line 1: not UTF-8; convert the file to UTF-8");
    assert_snapshot!(csv("who,age,note\nabe,1,x\n\nabe,2,PLANTED-VALUE,y\n"), @"`small.csv`, row 2 (line 4): 4 fields where the header has 3; look for a missing or extra delimiter, or an unclosed quote");
    assert_snapshot!(csv("who,age,note\r\nabe,1,x\r\nabe,1\r\n"), @"`small.csv`, row 2 (line 3): 2 fields where the header has 3; look for a missing or extra delimiter, or an unclosed quote");
    assert_snapshot!(csv("who,age,note\nabe,1\n"), @"`small.csv`, row 1 (line 2): 2 fields where the header has 3; look for a missing or extra delimiter, or an unclosed quote");
    assert_snapshot!(csv("who,age,note\nabe,1,\"two\nlines\"\nabe,PLANTED-VALUE,x\n"), @"`small.csv`, row 2 (line 4), column `age`: not a whole number from 0 to 255 (uint8); mend the value, change the column's type, or add the spelling of a missing value to `null_values`");
    assert_snapshot!(csv("who,age,note\nabe,256,PLANTED-VALUE\n"), @"`small.csv`, row 1 (line 2), column `age`: not a whole number from 0 to 255 (uint8); mend the value, change the column's type, or add the spelling of a missing value to `null_values`");
    assert_snapshot!(csv("who,age,note,age\nabe,1,x,2\n"), @"`small.csv`: column `age` appears more than once (positions 2 and 4); rename or remove one");
    assert_snapshot!(csv(""), @"`small.csv`: the file is empty; expected a header and at least one row");
    assert_snapshot!(csv("\n\n"), @"`small.csv`: the file is empty; expected a header and at least one row");
    assert_snapshot!(csv("who,age,note\n"), @"`small.csv`: the file has no rows; nothing to register");
    assert_snapshot!(csv("age,note\n1,x\n"), @"`small.csv`: column `who` (the unit) is not found; add to the file, or take out of the manifest (upper and lower case differ)");
    assert_snapshot!(csv("who\nabe\n"), @"`small.csv`: columns `age`, `note` are not found; add to the file, or take out of the manifest (upper and lower case differ)");
    assert_snapshot!(csv("who,age,note,extra,\nabe,1,x,2,3\n"), @"`small.csv`: columns `extra`, the column without a name at position 5 are not in the manifest; describe in a [[column]], or take out of the file");
    assert_snapshot!(csv("PLANTED-VALUE,1,x\nabe,2,y\n"), @"`small.csv`, line 1: none of the manifest's columns is named here; the first line must be the header, its names separated by commas");
    assert_snapshot!(csv("who,PLANTED-VALUE,x\nabe,2,y\n"), @"`small.csv`: columns `age`, `note` are not found; add to the file, or take out of the manifest (upper and lower case differ)");
    assert_snapshot!(csv("who;age;note\nabe;2;PLANTED-VALUE\n"), @"`small.csv`, line 1: none of the manifest's columns is named here; the first line must be the header, its names separated by commas");
    assert_snapshot!(csv("who,age,note\n,1,PLANTED-VALUE\n,2,x\n"), @"`small.csv`, column `who`: all 2 rows lack a unit identifier; is this the right unit column?");
}

#[test]
fn a_bad_row_late_in_a_large_file_is_refused_like_an_early_one() {
    let rows: String = (0..100_000).map(|row| format!("u{row},1,x\n")).collect();
    assert_snapshot!(csv(format!("who,age,note\n{rows}abe,{PLANTED},x\n")), @"`small.csv`, row 100001 (line 100002), column `age`: not a whole number from 0 to 255 (uint8); mend the value, change the column's type, or add the spelling of a missing value to `null_values`");
}

#[test]
fn rows_and_values_have_a_limit() {
    let long = "x".repeat(limits::FIELD_BYTES_MAX + 1);
    assert_snapshot!(csv(format!("who,age,note\nabe,1,{long}\n")), @"`small.csv`, row 1 (line 2), column `note`: the value is longer than 1048576 bytes; look for an unclosed quote");
    let unclosed = format!(
        "who,age,note\nabe,1,\"{PLANTED}\n{}",
        "abe,1,x\n".repeat(3 << 20)
    );
    assert_snapshot!(csv(unclosed), @"`small.csv`, row 1 (line 2): the row is longer than 16777216 bytes; look for an unclosed quote");
}

#[test]
fn what_is_neither_csv_nor_parquet_is_called_by_its_name() {
    let file =
        |name: &'static str, bytes: &'static [u8]| refusal(|fixture| fixture.write(name, bytes));
    assert_snapshot!(file("small.csv.gz", b"\x1f\x8b\x08\x00rest"), @"`small.csv.gz`: compressed with gzip; register CSV (UTF-8, with a header), Parquet or Arrow IPC, as a file or as a folder of parts of one format");
    assert_snapshot!(file("small.xlsx", b"PK\x03\x04rest"), @"`small.xlsx`: a ZIP archive or a spreadsheet; register CSV (UTF-8, with a header), Parquet or Arrow IPC, as a file or as a folder of parts of one format");
    assert_snapshot!(file("small.csv", b"\xff\xfew\x00h\x00o\x00"), @"`small.csv`: UTF-16 text; register CSV (UTF-8, with a header), Parquet or Arrow IPC, as a file or as a folder of parts of one format");
    assert_snapshot!(file("small.parquet", b"who,age,note\nabe,1,PLANTED-VALUE\n"), @"`small.parquet`: the Parquet file is damaged or cut short; write it again");
    assert_snapshot!(refusal(|fixture| Source::file(&fixture.path("none.csv"))), @"`none.csv`: no such file; check the path");
}

fn small(who: Vec<Option<&str>>, age: ArrayRef, note: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        ("who", Arc::new(StringArray::from(who)) as ArrayRef, true),
        ("age", age, true),
        ("note", note, true),
    ])
    .unwrap()
}

fn ages(ages: Vec<u8>) -> ArrayRef {
    Arc::new(arrow::array::UInt8Array::from(ages))
}

fn notes(notes: Vec<&str>) -> ArrayRef {
    Arc::new(StringArray::from(notes))
}

fn parquet(batch: &RecordBatch) -> VaultError {
    refusal(|fixture| fixture.write_parquet("small.parquet", batch))
}

#[test]
fn bad_parquet_is_refused_with_its_place() {
    let who = vec![Some(PLANTED)];
    assert_snapshot!(parquet(&small(who.clone(), Arc::new(Int64Array::from(vec![1])), notes(vec!["x"]))), @"`small.parquet`, column `age`: stored as int64, which does not fit uint8 without loss; change the type in the manifest or convert the file");
    assert_snapshot!(parquet(&small(who.clone(), ages(vec![1]), Arc::new(BinaryArray::from(vec![&b"x"[..]])))), @"`small.parquet`, column `note`: stored as raw bytes, which does not fit string without loss; change the type in the manifest or convert the file");
    let nested = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    assert_snapshot!(parquet(&small(who.clone(), ages(vec![1]), Arc::new(nested))), @"`small.parquet`, column `note`: stored as a nested type, which does not fit string without loss; change the type in the manifest or convert the file");
    assert_snapshot!(parquet(&small(who, ages(vec![1]), notes(vec!["x"])).project(&[0, 1]).unwrap()), @"`small.parquet`: column `note` is not found; add to the file, or take out of the manifest (upper and lower case differ)");
    assert_snapshot!(parquet(&small(vec![None], ages(vec![1]), notes(vec!["x"]))), @"`small.parquet`, column `who`: all 1 rows lack a unit identifier; is this the right unit column?");
    assert_snapshot!(parquet(&small(vec![], ages(vec![]), notes(vec![]))), @"`small.parquet`: the file has no rows; nothing to register");
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    let manifest = SMALL.replace("uint8", "float64");
    for bad in [f64::NAN, f64::INFINITY] {
        let fixture = Fixture::new();
        let age = Arc::new(Float64Array::from(vec![1.0, bad]));
        let batch = small(vec![Some("abe"), Some("abe")], age, notes(vec!["x", "y"]));
        let error = fixture
            .stage(&manifest, &fixture.write_parquet("small.parquet", &batch))
            .unwrap_err();
        insta::allow_duplicates! {
            assert_snapshot!(error, @"`small.parquet`, row 2, column `age`: not a finite number (float64); mend the value, or change the column's type");
        }
    }
}

#[test]
fn damaged_parquet_is_refused_at_every_cut_and_never_panics() {
    let fixture = Fixture::new();
    let who = (0..100).map(|_| Some(PLANTED)).collect();
    let batch = small(who, ages(vec![1; 100]), notes(vec![PLANTED; 100]));
    fixture.write_parquet("whole.parquet", &batch);
    let whole = std::fs::read(fixture.path("whole.parquet")).unwrap();
    let before = fixture.files();
    for length in 1..whole.len() {
        let source = fixture.write("cut.parquet", &whole[..length]);
        let error = fixture.stage(SMALL, &source).unwrap_err();
        assert!(
            ["PARQUET_DAMAGED", "SOURCE_COLUMNS_MISSING"].contains(&error.code()),
            "{length}: {error}"
        );
        assert!(!error.to_string().contains(PLANTED));
    }
    for position in 0..whole.len() {
        let mut altered = whole.clone();
        altered[position] ^= 0xff;
        let source = fixture.write("altered.parquet", &altered);
        // Plain Parquet has no checksums, so some alterations are just other values.
        if let Err(error) = fixture.stage(SMALL, &source) {
            assert_ne!(error.family(), Family::Bug, "{position}: {error}");
            assert!(!error.to_string().contains(PLANTED));
        }
    }
    assert_eq!(fixture.files(), before);
}

#[test]
fn encrypted_parquet_and_unknown_compression_are_called_by_their_names() {
    let batch = small(vec![Some("abe")], ages(vec![1]), notes(vec![PLANTED]));
    let encrypted = refusal(|fixture| {
        let key = parquet::encryption::encrypt::FileEncryptionProperties::builder(vec![7; 16])
            .build()
            .unwrap();
        let properties = parquet::file::properties::WriterProperties::builder()
            .with_file_encryption_properties(key)
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        fixture.write("small.parquet", bytes)
    });
    assert_snapshot!(encrypted, @"`small.parquet`: the file is encrypted; write it without encryption");
}
