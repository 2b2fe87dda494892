//! The running update as an aggregate function of the engine.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

use super::accumulator::Evidence;
use super::layout::Layout;
use super::unordered::Unordered;
use super::whole::Whole;

/// How rows come to the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rows {
    /// Sorted by unit, ascending, every row with one.
    ByUnit,
    /// In any order, with or without a unit.
    InAnyOrder,
}

/// The function of a unit, of the row's number where rows have some, then as many counted and summed arguments.
pub(crate) fn evidence_of(layout: Layout, rows: Rows) -> Arc<AggregateUDF> {
    let arguments = std::iter::repeat_n(DataType::UInt32, 1 + usize::from(layout.has_numbers()))
        .chain(std::iter::repeat_n(DataType::Boolean, layout.counts))
        .chain(std::iter::repeat_n(DataType::Float64, layout.sums))
        .chain(std::iter::repeat_n(DataType::UInt64, layout.values))
        .collect();
    Arc::new(AggregateUDF::new_from_impl(EvidenceFunction {
        layout,
        rows,
        signature: Signature::exact(arguments, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct EvidenceFunction {
    layout: Layout,
    rows: Rows,
    signature: Signature,
}

impl AggregateUDFImpl for EvidenceFunction {
    fn name(&self) -> &'static str {
        match self.rows {
            Rows::ByUnit => "weir_evidence",
            Rows::InAnyOrder => "weir_evidence_unordered",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.layout.fields()))
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(match self.rows {
            Rows::ByUnit => Box::new(Whole::new(Evidence::new(self.layout, 1))),
            Rows::InAnyOrder => Box::new(Whole::new(Unordered::new(self.layout, 1))),
        })
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(self.layout.state_fields().iter().cloned().collect())
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(match self.rows {
            Rows::ByUnit => Box::new(Evidence::new(self.layout, 0)),
            Rows::InAnyOrder => Box::new(Unordered::new(self.layout, 0)),
        })
    }
}
