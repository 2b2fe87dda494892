//! Where things are in the driver's own memory, which the model cannot name.

use super::flows::{PIECE_BYTES, PIECES_MAX};
use crate::limits::{Limits, PAGE_BYTES};
use crate::signature::{Grain, Signature, ValueType};

/// Rows per call into WebAssembly. Their columns stay in the first-level cache, and a call is paid once for all.
pub(crate) const ROWS_PER_RUN: u32 = 1_024;
/// Bytes per tracked piece of the model's memory. A copy of one and what spills over it is a few instructions.
pub(super) const LINE_BYTES: u32 = 64;
pub(super) const LINE_BITS: i32 = 6;
/// The widest store is 16 bytes: one that begins in a line reaches at most 15 into the next.
pub(super) const SPILL_BYTES: u32 = 16;
/// Space for the strings of one column of one run.
const STRINGS_BYTES: u64 = 128 << 10;
/// The most the driver's memory may have, in bytes. Only what is touched is used.
const DRIVER_BYTES_MAX: u64 = 1 << 30;

/// Index of the first row not yet answered.
pub(crate) const PROGRESS: u32 = 0;
/// Number of lines in the list of dirty ones.
pub(super) const DIRTY_COUNT: u32 = 8;
const HEADER_BYTES: u64 = 64;

/// One column in the driver's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Address of one byte per row, 1 where a value is there; read for optional columns.
    pub(crate) presence: u32,
    /// Address of the values. For strings going in: addresses of beginnings, and one more for the last end. For strings
    /// coming out: address and length.
    pub(crate) values: u32,
    /// Space for the bytes of strings going in.
    pub(crate) strings: u32,
}

/// The whole memory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Address of one byte per row or unit, 1 where the model is not to be called.
    pub(crate) skip: u32,
    pub(crate) inputs: Vec<Column>,
    pub(crate) outputs: Vec<Column>,
    /// Address of the first row of each unit, and one more for the last end; for models over units.
    pub(crate) units: u32,
    /// Rows that the input columns have room for.
    pub(crate) rows: u32,
    /// Bytes of each input's `strings`.
    pub(crate) input_string_bytes: u32,
    /// Space for the bytes of strings coming out.
    pub(super) output_strings: u32,
    /// Beyond this address a run ends, because the strings of one more row may not fit.
    pub(super) output_strings_full: u32,
    /// What the pieces of the model's memory that are set back after every row hold at its beginning.
    pub(super) pieces: u32,
    /// Lines of the model's memory.
    pub(super) lines: u32,
    /// Numbers of dirty lines.
    pub(super) list: u32,
    /// What each of them held, with what may spill over it, before it was marked.
    pub(super) log: u32,
    /// One byte per line, 1 where the row has stored. Last, so that a line beyond the model's memory is either beyond
    /// this memory too, or in the unused rest of its last page.
    pub(super) dirty: u32,
    /// Pages of the driver's memory.
    pub(super) pages: u64,
}

impl Layout {
    /// Lays out the memory for a signature; nothing when it would be out of all proportion.
    pub(super) fn new(signature: &Signature, limits: &Limits, tracked_bytes: u64) -> Option<Self> {
        let mut next = Cursor(HEADER_BYTES);
        let items = u64::from(ROWS_PER_RUN);
        let string_bytes = STRINGS_BYTES.max(limits.string_input_bytes_max as u64);
        // One unit may have more rows and longer strings than a whole run of rows; what is not touched is not used.
        let (rows, input_string_bytes) = match signature.grain() {
            Grain::Row => (items, string_bytes),
            Grain::Unit => (
                items.max(limits.unit_rows_max as u64),
                string_bytes.max(limits.unit_string_bytes_max as u64),
            ),
        };
        let skip = next.take(items);
        let units = next.take(4 * (items + 1));
        let inputs = signature.inputs.iter().map(|input| Column {
            presence: next.take(rows),
            values: next.take(input_width(&input.ty).saturating_mul(rows + 1)),
            strings: match input.ty {
                ValueType::String => next.take(input_string_bytes),
                _ => 0,
            },
        });
        let inputs = inputs.collect();
        let outputs = signature.outputs.iter().map(|output| Column {
            presence: next.take(items),
            values: next.take(output_width(&output.ty) * items),
            strings: 0,
        });
        let outputs: Vec<Column> = outputs.collect();
        let per_row = (outputs.len() as u64).saturating_mul(limits.string_output_bytes_max as u64);
        let output_strings = next.take(STRINGS_BYTES.saturating_add(per_row));
        let lines = tracked_bytes / u64::from(LINE_BYTES);
        let layout = Self {
            skip,
            units,
            rows: u32::try_from(rows).ok()?,
            inputs,
            outputs,
            input_string_bytes: u32::try_from(input_string_bytes).ok()?,
            output_strings,
            output_strings_full: output_strings.saturating_add(STRINGS_BYTES as u32),
            pieces: next.take(PIECE_BYTES * PIECES_MAX as u64),
            lines: u32::try_from(lines).ok()?,
            list: next.take(4 * lines),
            log: next.take(u64::from(LINE_BYTES + SPILL_BYTES) * lines),
            dirty: next.take(lines),
            pages: next.0.div_ceil(PAGE_BYTES),
        };
        (next.0 <= DRIVER_BYTES_MAX).then_some(layout)
    }
}

/// The next free address. Saturates: what does not fit is found out at the end.
struct Cursor(u64);

impl Cursor {
    fn take(&mut self, bytes: u64) -> u32 {
        let at = self.0.next_multiple_of(16);
        self.0 = at.saturating_add(bytes).min(u64::MAX / 2);
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

/// Bytes of one value going in. The number of an enum's case takes four.
pub(crate) fn input_width(ty: &ValueType) -> u64 {
    match ty {
        ValueType::Bool | ValueType::S8 | ValueType::U8 => 1,
        ValueType::S16 | ValueType::U16 => 2,
        ValueType::S32 | ValueType::U32 | ValueType::F32 => 4,
        ValueType::S64 | ValueType::U64 | ValueType::F64 => 8,
        ValueType::Enum(_) | ValueType::String => 4,
    }
}

/// Bytes of one value coming out. A string is its address and length.
pub(crate) fn output_width(ty: &ValueType) -> u64 {
    match ty {
        ValueType::String => 8,
        other => input_width(other),
    }
}
