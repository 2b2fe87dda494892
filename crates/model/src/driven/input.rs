//! From Arrow columns to the driver's.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use crate::error::ModelError;
use crate::limits::Limits;
use crate::signature::{Input, Signature, ValueType};
use crate::weave::{Column, Layout, ROWS_PER_RUN, input_width};

#[cfg(target_endian = "big")]
compile_error!("columns are copied as they are into WebAssembly's memory, which is little-endian");

/// The number of an enum's case for a string that is none.
const NO_CASE: u32 = u32::MAX;

/// The input columns of a batch.
pub(super) struct Inputs {
    columns: Vec<InputColumn>,
    /// Whether there are strings among them.
    strings: bool,
    string_bytes_max: usize,
    unit_rows_max: usize,
    unit_string_bytes_max: usize,
}

/// Rows of whole units.
pub(crate) struct Piece {
    /// The input columns.
    pub(crate) columns: Vec<ArrayRef>,
    /// At which row each unit begins, and one more for the last end.
    pub(crate) starts: Vec<usize>,
}

impl Piece {
    pub(crate) fn units(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
}

struct InputColumn {
    data: Data,
    width: usize,
    nulls: Option<NullBuffer>,
    optional: bool,
}

enum Data {
    /// Values as the driver reads them.
    Fixed(Buffer),
    Bits(BooleanBuffer),
    Cases(Vec<u32>),
    Strings(StringArray),
}

impl Inputs {
    /// Takes columns of the types that the signature names.
    pub(super) fn new(
        signature: &Signature,
        columns: &[ArrayRef],
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let pairs = signature.inputs.iter().zip(columns);
        let columns = pairs.map(|(input, column)| {
            InputColumn::new(input, column).ok_or_else(|| ModelError::Columns {
                what: format!("column `{}` has another type", input.column),
            })
        });
        Ok(Self {
            strings: signature
                .inputs
                .iter()
                .any(|input| input.ty == ValueType::String),
            columns: columns.collect::<Result<_, _>>()?,
            string_bytes_max: limits.string_input_bytes_max,
            unit_rows_max: limits.unit_rows_max,
            unit_string_bytes_max: limits.unit_string_bytes_max,
        })
    }

    /// Writes the first units, at most so many, and about as many rows as a run of rows has. `starts` are those of
    /// [`Piece`], one unit at least. Returns how many, one at least. A unit with a row that is none of the model's, or
    /// over a limit, is marked to be skipped.
    pub(super) fn write_units(
        &self,
        memory: &mut [u8],
        layout: &Layout,
        starts: &[usize],
        units_max: usize,
    ) -> usize {
        let (first, room) = (starts[0], layout.input_string_bytes as usize);
        let fits = |end: usize, rows_max: u32| {
            end - first <= rows_max as usize
                && (!self.strings || self.string_bytes(first, end) <= room)
        };
        let more = starts[1..].iter().skip(1).take(units_max - 1);
        let units = 1 + more.take_while(|end| fits(**end, ROWS_PER_RUN)).count();
        let places = region(memory, layout.units, 4 * (units + 1));
        for (place, start) in places.as_chunks_mut::<4>().0.iter_mut().zip(starts) {
            *place = ((start - first) as u32).to_le_bytes();
        }
        let skip = region(memory, layout.skip, units);
        if !fits(starts[units], layout.rows) {
            // One unit alone, over a limit: it stays outside.
            skip.fill(1);
            return units;
        }
        let rows = starts[units] - first;
        for (byte, unit) in skip.iter_mut().zip(starts.windows(2)) {
            *byte = u8::from(unit[1] - unit[0] > self.unit_rows_max);
        }
        if self.columns.iter().any(InputColumn::may_fail) {
            self.skip_units(skip, &starts[..=units]);
        }
        for (column, place) in self.columns.iter().zip(&layout.inputs) {
            column.write(memory, place, first, rows, room);
        }
        units
    }

    /// Marks the units that have a row which fails, or strings over the limit.
    fn skip_units(&self, skip: &mut [u8], starts: &[usize]) {
        let (first, end) = (starts[0], starts[starts.len() - 1]);
        let mut failed = vec![0; end - first];
        for column in &self.columns {
            column.skip(&mut failed, first, self.string_bytes_max);
        }
        for (byte, unit) in skip.iter_mut().zip(starts.windows(2)) {
            let (start, end) = (unit[0], unit[1]);
            let fails = self.string_bytes(start, end) > self.unit_string_bytes_max
                || failed[start - first..end - first].contains(&1);
            *byte |= u8::from(fails);
        }
    }

    /// Bytes that the strings of some rows have in the column where they have most.
    fn string_bytes(&self, start: usize, end: usize) -> usize {
        let strings = self.columns.iter().filter_map(|column| match &column.data {
            Data::Strings(strings) => Some(strings.value_offsets()),
            _ => None,
        });
        strings
            .map(|offsets| (offsets[end] - offsets[start]) as usize)
            .max()
            .unwrap_or(0)
    }

    /// Writes rows from `first` on, `rows` at most: fewer where their strings do not fit. Returns how many, one at
    /// least. Rows with a value that is none of the model's type are marked to be skipped.
    pub(super) fn write(
        &self,
        memory: &mut [u8],
        layout: &Layout,
        first: usize,
        rows: usize,
    ) -> usize {
        let room = layout.input_string_bytes as usize;
        let strings = self.columns.iter().filter_map(|column| match &column.data {
            Data::Strings(strings) => Some(strings),
            _ => None,
        });
        let fitting = strings.map(|strings| {
            let offsets = &strings.value_offsets()[first..=first + rows];
            let start = offsets[0];
            offsets.partition_point(|offset| (offset - start) as usize <= room) - 1
        });
        // A first row whose string does not fit at all is over the limit, and goes alone.
        let rows = fitting.min().unwrap_or(rows).max(1).min(rows);
        region(memory, layout.skip, rows).fill(0);
        for (column, place) in self.columns.iter().zip(&layout.inputs) {
            column.write(memory, place, first, rows, room);
            column.skip(
                region(memory, layout.skip, rows),
                first,
                self.string_bytes_max,
            );
        }
        rows
    }
}

impl InputColumn {
    fn new(input: &Input, column: &ArrayRef) -> Option<Self> {
        Some(Self {
            data: data(&input.ty, column)?,
            width: input_width(&input.ty) as usize,
            nulls: column
                .nulls()
                .filter(|nulls| nulls.null_count() > 0)
                .cloned(),
            optional: input.optional,
        })
    }

    fn write(&self, memory: &mut [u8], place: &Column, first: usize, rows: usize, room: usize) {
        if self.optional {
            let presence = region(memory, place.presence, rows);
            match &self.nulls {
                None => presence.fill(1),
                Some(nulls) => {
                    let valid = nulls.inner().slice(first, rows);
                    for (byte, valid) in presence.iter_mut().zip(&valid) {
                        *byte = u8::from(valid);
                    }
                }
            }
        }
        let values = region(memory, place.values, (rows + 1) * self.width);
        match &self.data {
            Data::Fixed(buffer) => values[..rows * self.width].copy_from_slice(
                &buffer.as_slice()[first * self.width..(first + rows) * self.width],
            ),
            Data::Bits(bits) => {
                for (byte, bit) in values.iter_mut().zip(&bits.slice(first, rows)) {
                    *byte = u8::from(bit);
                }
            }
            Data::Cases(cases) => {
                let (words, _) = values.as_chunks_mut::<4>();
                for (word, case) in words.iter_mut().zip(&cases[first..first + rows]) {
                    *word = case.to_le_bytes();
                }
            }
            Data::Strings(strings) => {
                let offsets = &strings.value_offsets()[first..=first + rows];
                let (start, end) = (offsets[0], offsets[rows]);
                let (words, _) = values.as_chunks_mut::<4>();
                for (word, offset) in words.iter_mut().zip(offsets) {
                    *word = (place.strings + (offset - start) as u32).to_le_bytes();
                }
                let bytes = &strings.value_data()[start as usize..end as usize];
                if bytes.len() <= room {
                    region(memory, place.strings, bytes.len()).copy_from_slice(bytes);
                }
            }
        }
    }

    /// Whether a row can fail by this column without a call.
    fn may_fail(&self) -> bool {
        let strings = matches!(self.data, Data::Cases(_) | Data::Strings(_));
        strings || self.nulls.is_some() && !self.optional
    }

    /// Marks the rows that fail by this column without a call.
    fn skip(&self, skip: &mut [u8], first: usize, string_bytes_max: usize) {
        if let Some(nulls) = self.nulls.as_ref().filter(|_| !self.optional) {
            for (position, byte) in skip.iter_mut().enumerate() {
                *byte |= u8::from(nulls.is_null(first + position));
            }
        }
        let valid = |row: usize| self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        match &self.data {
            Data::Cases(cases) => {
                for (position, byte) in skip.iter_mut().enumerate() {
                    let row = first + position;
                    *byte |= u8::from(cases[row] == NO_CASE && valid(row));
                }
            }
            Data::Strings(strings) => {
                let offsets = &strings.value_offsets()[first..=first + skip.len()];
                // Strings that are within the limit together are so each.
                if (offsets[skip.len()] - offsets[0]) as usize <= string_bytes_max {
                    return;
                }
                for (position, byte) in skip.iter_mut().enumerate() {
                    let bytes = (offsets[position + 1] - offsets[position]) as usize;
                    *byte |= u8::from(bytes > string_bytes_max && valid(first + position));
                }
            }
            Data::Fixed(_) | Data::Bits(_) => {}
        }
    }
}

/// A piece of the driver's memory. The layout lies within it.
fn region(memory: &mut [u8], at: u32, bytes: usize) -> &mut [u8] {
    &mut memory[at as usize..at as usize + bytes]
}

fn data(ty: &ValueType, column: &ArrayRef) -> Option<Data> {
    macro_rules! fixed {
        ($ty:ty) => {
            Data::Fixed(column.as_primitive_opt::<$ty>()?.values().inner().clone())
        };
    }
    Some(match ty {
        ValueType::Bool => Data::Bits(column.as_boolean_opt()?.values().clone()),
        ValueType::S8 => fixed!(Int8Type),
        ValueType::S16 => fixed!(Int16Type),
        ValueType::S32 => fixed!(Int32Type),
        ValueType::S64 => fixed!(Int64Type),
        ValueType::U8 => fixed!(UInt8Type),
        ValueType::U16 => fixed!(UInt16Type),
        ValueType::U32 => fixed!(UInt32Type),
        ValueType::U64 => fixed!(UInt64Type),
        ValueType::F32 => fixed!(Float32Type),
        ValueType::F64 => fixed!(Float64Type),
        ValueType::String => Data::Strings(column.as_string_opt()?.clone()),
        ValueType::Enum(domain) => {
            let cases: HashMap<&str, u32> =
                domain.cases.iter().map(String::as_str).zip(0..).collect();
            let strings: &StringArray = column.as_string_opt()?;
            let case = |row| cases.get(strings.value(row)).copied().unwrap_or(NO_CASE);
            Data::Cases((0..strings.len()).map(case).collect())
        }
    })
}
