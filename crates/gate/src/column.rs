//! Which columns may leave. A closed list: what is not on it is refused before any cell is judged.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Schema};

use crate::error::GateError;

/// Most columns of a table, keys and values together.
pub const COLUMNS_MAX: usize = 256;
/// Most bytes of a column's name.
pub const COLUMN_NAME_BYTES_MAX: usize = 256;

/// Checks number, names and kinds of the columns. None of them depends on the data: they follow from the query.
pub(crate) fn check_columns(schema: &Schema) -> Result<(), GateError> {
    let columns = schema.fields().len();
    if columns == 0 {
        return Err(GateError::NoColumn);
    }
    if columns > COLUMNS_MAX {
        return Err(GateError::TooManyColumns {
            columns_max: COLUMNS_MAX,
        });
    }
    let mut names = HashSet::new();
    for field in schema.fields() {
        if field.name().len() > COLUMN_NAME_BYTES_MAX {
            return Err(GateError::ColumnNameTooLong {
                bytes_max: COLUMN_NAME_BYTES_MAX,
            });
        }
        if !names.insert(field.name()) {
            return Err(GateError::ColumnTwice {
                column: field.name().clone(),
            });
        }
        if let Err(kind) = released_type(field.data_type()) {
            return Err(GateError::ColumnKind {
                column: field.name().clone(),
                kind,
            });
        }
    }
    Ok(())
}

/// The type a column leaves with, or in words what it holds when it may not leave.
///
/// Each kind of value has one type outside, whatever the engine held it in. Otherwise the choice of encoding, and the
/// unused entries of a dictionary or of a shared buffer, would leave with the table.
pub(crate) fn released_type(held: &DataType) -> Result<DataType, &'static str> {
    match held {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(DataType::Utf8),
        DataType::Dictionary(_, values) => match values.as_ref() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(DataType::Utf8),
            _ => Err("a dictionary of other than texts"),
        },
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Decimal256(_, _)
        | DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(_, _) => Ok(held.clone()),
        DataType::Null => Err("nothing but nulls of no type"),
        DataType::Float16 | DataType::Decimal32(_, _) | DataType::Decimal64(_, _) => {
            Err("numbers of a rare width")
        }
        DataType::Duration(_) | DataType::Interval(_) => Err("spans of time"),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Err("bytes"),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(_, _)
        | DataType::Struct(_)
        | DataType::Map(_, _)
        | DataType::Union(_, _)
        | DataType::RunEndEncoded(_, _) => Err("lists or records"),
    }
}

/// Whether a value column holds whole numbers.
pub(crate) fn is_integer(held: &DataType) -> bool {
    matches!(
        held,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
    )
}

/// Whether a value column holds numbers, which alone can be rounded.
pub(crate) fn is_number(held: &DataType) -> bool {
    is_integer(held)
        || matches!(
            held,
            DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(_, _)
                | DataType::Decimal256(_, _)
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    fn check(fields: Vec<Field>) -> Result<(), GateError> {
        check_columns(&Schema::new(fields))
    }

    fn number(name: &str) -> Field {
        Field::new(name, DataType::Int64, true)
    }

    #[test]
    fn shapes_that_no_table_has_are_refused() {
        assert_eq!(check(vec![]), Err(GateError::NoColumn));
        assert_eq!(check(vec![number("a")]), Ok(()));
        assert_eq!(
            check(vec![number("a"), number("a")]),
            Err(GateError::ColumnTwice {
                column: "a".to_owned()
            })
        );
    }

    #[test]
    fn columns_and_names_are_bounded() {
        let fields = |count: usize| (0..count).map(|i| number(&i.to_string())).collect();
        assert_eq!(check(fields(COLUMNS_MAX)), Ok(()));
        assert_eq!(
            check(fields(COLUMNS_MAX + 1)),
            Err(GateError::TooManyColumns {
                columns_max: COLUMNS_MAX
            })
        );
        let long = number(&"n".repeat(COLUMN_NAME_BYTES_MAX + 1));
        assert_eq!(
            check(vec![long]),
            Err(GateError::ColumnNameTooLong {
                bytes_max: COLUMN_NAME_BYTES_MAX
            })
        );
    }

    #[test]
    fn kinds_off_the_list_are_refused_in_words() {
        let item = Field::new("item", DataType::Int64, true);
        for held in [
            DataType::List(item.clone().into()),
            DataType::Struct(vec![item].into()),
            DataType::Binary,
            DataType::BinaryView,
            DataType::Null,
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64)),
        ] {
            let error = check(vec![Field::new("col", held, true)])
                .err()
                .map(|error| error.to_string());
            assert!(error.is_some_and(|message| message.starts_with("column `col` holds ")));
        }
    }
}
