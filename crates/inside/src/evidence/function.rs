//! The running update as an aggregate function of the engine.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

use super::accumulator::{Evidence, Layout, Whole};

/// The function of a unit, then as many counted and summed arguments.
pub(crate) fn evidence_of(counts: usize, sums: usize) -> Arc<AggregateUDF> {
    let arguments = std::iter::once(DataType::UInt32)
        .chain(std::iter::repeat_n(DataType::Boolean, counts))
        .chain(std::iter::repeat_n(DataType::Float64, sums))
        .collect();
    Arc::new(AggregateUDF::new_from_impl(EvidenceFunction {
        layout: Layout { counts, sums },
        signature: Signature::exact(arguments, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct EvidenceFunction {
    layout: Layout,
    signature: Signature,
}

impl AggregateUDFImpl for EvidenceFunction {
    fn name(&self) -> &'static str {
        "weir_evidence"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.layout.fields()))
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Whole::new(self.layout)))
    }

    fn state_fields(&self, _args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(self.layout.fields().iter().cloned().collect())
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Evidence::new(self.layout)))
    }
}
