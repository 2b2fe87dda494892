//! Rows of one's own to try a model on: a CSV or Parquet file with a column for each input.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches, partition};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use weir_model::{Model, Signature, danger};

use crate::error::CliError;

/// Rows in a unit, one unit after the other, where nothing says which rows belong together.
const UNIT_ROWS: [usize; 5] = [1, 2, 3, 4, 5];

/// Reads at most `rows` rows with a column for each input of the model.
pub(super) fn read(file: &Path, model: &Model, rows: usize) -> Result<RecordBatch, CliError> {
    let unreadable = |reason: String| CliError::File {
        file: file.to_owned(),
        reason,
    };
    let parquet = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
    match parquet {
        true => File::open(file)
            .map_err(|error| error.to_string())
            .and_then(|open| from_parquet(open, rows)),
        false => from_csv(file, model.signature(), rows),
    }
    .map_err(unreadable)
}

/// As [`read`], from the bytes of a Parquet file that `name` stands for in messages.
pub(super) fn parquet(bytes: Vec<u8>, name: &str, rows: usize) -> Result<RecordBatch, CliError> {
    from_parquet(Bytes::from(bytes), rows).map_err(|reason| CliError::File {
        file: name.into(),
        reason,
    })
}

/// The columns that the model reads, of its types.
pub(super) fn bound(
    batch: &RecordBatch,
    file: &Path,
    model: &Model,
) -> Result<Vec<ArrayRef>, CliError> {
    let binding = model.bind(batch.schema_ref())?;
    let columns = binding.columns().iter();
    columns
        .map(|bound| {
            cast(batch.column(bound.index), &bound.data_type).map_err(|error| CliError::File {
                file: file.to_owned(),
                reason: error.to_string(),
            })
        })
        .collect()
}

/// Which rows each unit has: those next to each other with the same value in a column, or a few at a time.
pub(super) fn units(
    batch: &RecordBatch,
    column: Option<&str>,
    file: &Path,
) -> Result<Vec<Range<usize>>, CliError> {
    let rows = batch.num_rows();
    let Some(column) = column else {
        let mut start = 0;
        let lengths = UNIT_ROWS.iter().cycle().map(|length| {
            start += length;
            start - length..start.min(rows)
        });
        return Ok(lengths.take_while(|unit| !unit.is_empty()).collect());
    };
    let failed = |reason: String| CliError::File {
        file: file.to_owned(),
        reason,
    };
    let values = batch.column_by_name(column).ok_or_else(|| {
        failed(format!(
            "there is no column `{column}`, which names the units"
        ))
    })?;
    let parts = partition(&[Arc::clone(values)]).map_err(|error| failed(error.to_string()))?;
    Ok(parts.ranges())
}

fn from_parquet(source: impl ChunkReader + 'static, rows: usize) -> Result<RecordBatch, String> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(source).map_err(|error| error.to_string())?;
    let schema = Arc::clone(builder.schema());
    let reader = builder.with_limit(rows).build();
    let batches = reader
        .map_err(|error| error.to_string())?
        .collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(|error| error.to_string())?;
    concat_batches(&schema, &batches).map_err(|error| error.to_string())
}

/// Columns that the model reads are of its types; the others are text, and not looked at.
fn from_csv(file: &Path, signature: &Signature, rows: usize) -> Result<RecordBatch, String> {
    let open = || File::open(file).map_err(|error| error.to_string());
    let format = Format::default().with_header(true);
    let (header, _) = format
        .infer_schema(open()?, Some(0))
        .map_err(|error| error.to_string())?;
    let wanted = danger::schema_of(signature);
    let fields: Vec<Field> = header
        .fields()
        .iter()
        .map(|field| {
            let ty = wanted.field_with_name(field.name().trim());
            let ty = ty.map_or(DataType::Utf8, |field| field.data_type().clone());
            Field::new(field.name().trim(), ty, true)
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let reader = ReaderBuilder::new(Arc::clone(&schema))
        .with_header(true)
        .with_bounds(0, rows)
        .build(open()?)
        .map_err(|error| error.to_string())?;
    let batches = reader.collect::<Result<Vec<_>, _>>();
    let batches = batches.map_err(|error| error.to_string())?;
    concat_batches(&schema, &batches).map_err(|error| error.to_string())
}
