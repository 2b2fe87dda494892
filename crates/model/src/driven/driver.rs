//! One instance of a woven module, and batches run on it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use wasmtime::{Global, Instance, Memory, Store, Trap, TypedFunc};

use super::input::{Inputs, Piece};
use super::output::Outputs;
use super::pristine::Pristine;
use super::{DrivenModel, WRONG_EXPORT, export, lacking, set_fuel};
use crate::error::ModelError;
use crate::runtime::{Model, Permit};
use crate::tier::Isolation;
use crate::weave::{Layout, PROGRESS, ROWS_PER_RUN, names};

/// A started instance.
pub(crate) struct Driver {
    store: Store<()>,
    run: TypedFunc<(u32, u32), ()>,
    restore: TypedFunc<(), ()>,
    memory: Memory,
    layout: Arc<Layout>,
    /// Fuel of one row, where the model is metered.
    row_fuel: Option<u64>,
    stateful: bool,
    /// What is compared when checking.
    state: (Option<Memory>, Vec<Global>),
    pristine: Option<Pristine>,
    /// Held for as long as the instance lives.
    _permit: Permit,
}

impl Driver {
    pub(super) fn new(
        mut store: Store<()>,
        instance: &Instance,
        model: &DrivenModel,
        row_fuel: Option<u64>,
        permit: Permit,
    ) -> Result<Self, ModelError> {
        let globals = (0..model.globals)
            .map(|position| {
                let name = format!("{}{position}", names::GLOBAL);
                instance.get_global(&mut store, &name).ok_or(WRONG_EXPORT)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            run: export(instance, &mut store, names::RUN)?,
            restore: export(instance, &mut store, names::RESTORE)?,
            memory: instance
                .get_memory(&mut store, names::DRIVER_MEMORY)
                .ok_or(WRONG_EXPORT)?,
            state: (
                instance.get_memory(&mut store, names::MODEL_MEMORY),
                globals,
            ),
            layout: Arc::clone(&model.layout),
            row_fuel,
            stateful: model.tier.isolation == Isolation::Restored,
            pristine: None,
            store,
            _permit: permit,
        })
    }

    /// Answers a batch. With `checking`, row by row, each followed by a comparison of all state.
    pub(crate) fn evaluate(
        &mut self,
        model: &Model,
        columns: &[ArrayRef],
        rows: usize,
        checking: bool,
    ) -> Result<StructArray, ModelError> {
        let limits = model.limits();
        let signature = model.signature();
        let inputs = Inputs::new(signature, columns, limits)?;
        let mut outputs = Outputs::new(model, rows);
        let layout = Arc::clone(&self.layout);
        let rows_max = if checking { 1 } else { ROWS_PER_RUN as usize };
        if checking && self.pristine.is_none() {
            self.pristine = Some(Pristine::of(&mut self.store, &self.state));
        }
        let mut first = 0;
        while first < rows {
            let memory = self.memory.data_mut(&mut self.store);
            let taken = inputs.write(memory, &layout, first, rows_max.min(rows - first));
            self.chunk(taken as u32, |_| 1, &mut outputs)?;
            self.compare(checking)?;
            first += taken;
        }
        outputs.finish(model.output_fields())
    }

    /// Answers units. With `checking`, unit by unit, each followed by a comparison of all state.
    pub(crate) fn evaluate_units(
        &mut self,
        model: &Model,
        pieces: &[Piece],
        checking: bool,
    ) -> Result<StructArray, ModelError> {
        let units = pieces.iter().map(Piece::units).sum();
        let mut outputs = Outputs::new(model, units);
        let layout = Arc::clone(&self.layout);
        let units_max = if checking { 1 } else { ROWS_PER_RUN as usize };
        if checking && self.pristine.is_none() {
            self.pristine = Some(Pristine::of(&mut self.store, &self.state));
        }
        for piece in pieces {
            let inputs = Inputs::new(model.signature(), &piece.columns, model.limits())?;
            let mut starts = piece.starts.as_slice();
            while starts.len() > 1 {
                let memory = self.memory.data_mut(&mut self.store);
                let taken = inputs.write_units(memory, &layout, starts, units_max);
                let rows = |unit: u32| (starts[unit as usize + 1] - starts[unit as usize]) as u64;
                self.chunk(taken as u32, rows, &mut outputs)?;
                self.compare(checking)?;
                starts = &starts[taken..];
            }
        }
        outputs.finish(model.output_fields())
    }

    fn compare(&mut self, checking: bool) -> Result<(), ModelError> {
        match &self.pristine {
            Some(pristine) if checking => pristine.compare(&mut self.store, &self.state),
            _ => Ok(()),
        }
    }

    /// Answers the rows or units that are in the driver's memory. `rows` says for how many rows' fuel each may run.
    fn chunk(
        &mut self,
        items: u32,
        rows: impl Fn(u32) -> u64,
        outputs: &mut Outputs,
    ) -> Result<(), ModelError> {
        let (mut first, mut end) = (0, items);
        while first < items {
            let least = (first..end).map(&rows).min().unwrap_or(1);
            let (done, trapped) = self.run(first..end, least)?;
            let memory = self.memory.data(&self.store);
            outputs.take(memory, &self.layout, first as usize..done as usize)?;
            let alone = done == first;
            first = done;
            end = items;
            if trapped {
                if alone && least < rows(first) {
                    end = first + 1;
                } else if alone {
                    outputs.fail();
                    first += 1;
                }
                self.restore()?;
            } else if alone {
                return Err(ModelError::Runtime {
                    what: "a run without progress",
                });
            }
        }
        Ok(())
    }

    /// Runs rows or units on the fuel of some rows; returns before which it stopped, and whether by a trap.
    fn run(&mut self, rows: Range<u32>, fuel_rows: u64) -> Result<(u32, bool), ModelError> {
        self.write_progress(rows.start)?;
        if let Some(fuel) = self.row_fuel {
            set_fuel(&mut self.store, fuel.saturating_mul(fuel_rows))?;
        }
        let trapped = match self.run.call(&mut self.store, (rows.start, rows.end)) {
            Ok(()) => false,
            Err(error) if error.is::<Trap>() => true,
            Err(error) => return Err(lacking(&error)),
        };
        let done = self.read_progress()?;
        match (rows.start..=rows.end).contains(&done) {
            true => Ok((done, trapped)),
            false => Err(ModelError::Runtime {
                what: "progress out of range",
            }),
        }
    }

    fn write_progress(&mut self, row: u32) -> Result<(), ModelError> {
        self.memory
            .write(&mut self.store, PROGRESS as usize, &row.to_le_bytes())
            .map_err(|_| WRONG_EXPORT)
    }

    fn read_progress(&self) -> Result<u32, ModelError> {
        let mut bytes = [0; 4];
        self.memory
            .read(&self.store, PROGRESS as usize, &mut bytes)
            .map_err(|_| WRONG_EXPORT)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Sets everything back after a row that ended by a trap.
    fn restore(&mut self) -> Result<(), ModelError> {
        if !self.stateful {
            return Ok(());
        }
        if self.row_fuel.is_some() {
            set_fuel(&mut self.store, u64::MAX)?;
        }
        self.restore
            .call(&mut self.store, ())
            .map_err(|_| ModelError::Runtime {
                what: "a state that could not be restored",
            })
    }
}
