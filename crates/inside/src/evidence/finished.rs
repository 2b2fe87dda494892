//! Evidence in two halves: where the engine splits an aggregate, as it does for grouping sets, the first half finishes each
//! group and the second takes the result over. Partial counts of units cannot be added, so a group comes once or the run
//! ends.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StructArray};
use datafusion::arrow::compute::interleave;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::logical_expr::EmitTo;

use super::layout::Layout;

/// Groups that the first half has finished.
#[derive(Debug, Default)]
pub(super) struct Finished {
    batches: Vec<Vec<ArrayRef>>,
    /// By group: which batch, and which row of it.
    places: Vec<Option<(usize, usize)>>,
}

/// What the first half hands over, of what it would end in.
pub(super) fn state(evidence: &ArrayRef) -> Result<Vec<ArrayRef>> {
    match evidence.as_struct_opt() {
        Some(evidence) => Ok(evidence.columns().to_vec()),
        None => internal_err!("evidence is a record"),
    }
}

impl Finished {
    /// Whether this is a second half.
    pub(super) fn is_used(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Takes groups over.
    pub(super) fn take_over(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total: usize,
    ) -> Result<()> {
        self.places.resize(total, None);
        for (row, group) in groups.iter().enumerate() {
            let place = &mut self.places[*group];
            if place.is_some() {
                // The first half lets go of groups before they are finished only where it runs out of memory.
                return Err(DataFusionError::ResourcesExhausted(
                    "evidence did not fit".to_owned(),
                ));
            }
            *place = Some((self.batches.len(), row));
        }
        self.batches.push(states.to_vec());
        Ok(())
    }

    /// The evidence of the first groups, or of all.
    pub(super) fn evaluate(&mut self, emit_to: EmitTo, layout: Layout) -> Result<ArrayRef> {
        let Some(places) = emit_to
            .take_needed(&mut self.places)
            .into_iter()
            .collect::<Option<Vec<_>>>()
        else {
            return internal_err!("a group was never finished");
        };
        let columns = (0..layout.fields().len())
            .map(|at| {
                let of_all: Vec<&dyn Array> = self
                    .batches
                    .iter()
                    .map(|batch| batch[at].as_ref())
                    .collect();
                interleave(&of_all, &places)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(StructArray::try_new(
            layout.fields(),
            columns,
            None,
        )?))
    }

    pub(super) fn size(&self) -> usize {
        let arrays = self.batches.iter().flatten();
        arrays
            .map(|array| array.get_array_memory_size())
            .sum::<usize>()
            + self.places.capacity() * size_of::<Option<(usize, usize)>>()
    }
}
