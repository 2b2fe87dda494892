//! Tables without keys: one group, there from the start.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

/// The evidence of a table without keys.
#[derive(Debug)]
pub(super) struct Whole<G>(G);

impl<G: GroupsAccumulator> Whole<G> {
    /// Of evidence that has its one group already: a table of no rows is one cell of no units.
    pub(super) fn new(groups: G) -> Self {
        Self(groups)
    }
}

impl<G: GroupsAccumulator + std::fmt::Debug + Sync> Accumulator for Whole<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |units| units.len());
        self.0.update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state = self.0.state(EmitTo::All)?;
        let scalars = state
            .iter()
            .map(|column| ScalarValue::try_from_array(column, 0));
        scalars.collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |column| column.len());
        self.0.merge_batch(states, &vec![0; rows], 1)
    }
}
