//! Limits that take more than a comparison to check.

use wasmparser::{ElementItems, ElementSectionReader, MemoryType};

use super::shape::invalid;
use crate::error::ModelError;
use crate::limits::Limits;

/// Bounds the depth of types within types, before anything reads them: readers call themselves once per level, and the
/// stack they have is not endless.
///
/// A level that holds another begins with one of two bytes, a count, and the kind of its first declaration. There are no
/// more levels than places that look so; names and numbers rarely do.
pub(crate) fn check_nesting(types: &[u8], limits: &Limits) -> Result<(), ModelError> {
    let places = (0..types.len()).filter(|place| may_begin_level(&types[*place..]));
    at_most(
        "levels of types within types, or what looks like one",
        places.count() as u64,
        limits.type_nesting_max as u64,
    )
}

/// Whether a component type or an instance type that declares something may begin here.
fn may_begin_level(bytes: &[u8]) -> bool {
    const COMPONENT_TYPE: u8 = 0x41;
    const INSTANCE_TYPE: u8 = 0x42;
    const DECLARATION_KIND_MAX: u8 = 0x04;
    const COUNT_BYTES_MAX: usize = 5;
    let Some((&(COMPONENT_TYPE | INSTANCE_TYPE), rest)) = bytes.split_first() else {
        return false;
    };
    let count = rest.iter().take(COUNT_BYTES_MAX);
    let more = count.take_while(|byte| **byte & 0x80 != 0).count();
    rest.get(more + 1)
        .is_some_and(|kind| *kind <= DECLARATION_KIND_MAX)
}

/// A segment that is longer than any table may be fills none.
pub(super) fn check_elements(
    segments: &ElementSectionReader<'_>,
    limits: &Limits,
) -> Result<(), ModelError> {
    at_most(
        "element segments",
        segments.count().into(),
        limits.segments_max.into(),
    )?;
    for segment in segments.clone() {
        let elements = match segment.map_err(invalid)?.items {
            ElementItems::Functions(functions) => functions.count(),
            ElementItems::Expressions(_, expressions) => expressions.count(),
        };
        at_most(
            "elements in one segment",
            elements.into(),
            limits.table_elements_max as u64,
        )?;
    }
    Ok(())
}

/// A declared maximum beyond the limit is refused too: the model would count on memory that it never gets.
pub(super) fn check_memory(memory: &MemoryType, limits: &Limits) -> Result<(), ModelError> {
    at_most(
        "pages of memory at the start (64 KiB each)",
        memory.initial,
        limits.memory_pages_max,
    )?;
    match memory.maximum {
        Some(maximum) => at_most(
            "pages of memory at most (64 KiB each)",
            maximum,
            limits.memory_pages_max,
        ),
        None => Ok(()),
    }
}

pub(crate) fn at_most(what: &'static str, actual: u64, limit: u64) -> Result<(), ModelError> {
    if actual > limit {
        return Err(ModelError::Limit {
            what,
            actual,
            limit,
        });
    }
    Ok(())
}
