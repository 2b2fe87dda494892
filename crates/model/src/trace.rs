//! Why a row failed: for models on their author's own machine, over values that are nobody's.
//!
//! Everything else in this crate takes care that a failed row says nothing. This is the one place that tells, so it lives
//! in a module named `danger`, runs rows in instances of its own, and never where data of a domain is: `server` and
//! `inside` do not name it, and a tidy rule sees to that.

use std::ops::Range;

use arrow::array::ArrayRef;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, Val};
use wasmtime::{Engine, ResourceLimiter, Store, WasmBacktrace};

use crate::admit::Admitted;
use crate::error::{ModelError, quoted};
use crate::fresh::InputColumn;
use crate::limits::{Limits, PAGE_BYTES};
use crate::signature::Signature;

/// Frames of a backtrace shown.
const FRAMES_MAX: usize = 32;

/// Runs single rows and tells what happened.
pub struct Tracer {
    pre: InstancePre<Host>,
    row: ComponentExportIndex,
    limits: Limits,
    signature: Signature,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowTrace {
    /// Fuel it took, about one unit per instruction.
    pub fuel: u64,
    /// Pages of memory (64 KiB each) the model had in the end.
    pub memory_pages: u64,
    /// Why it failed; none when it was answered.
    pub failure: Option<RowFailure>,
}

/// Why a row failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFailure {
    /// The reason.
    pub reason: String,
    /// The functions that were at work, innermost first, as `name (at byte …)`.
    pub frames: Vec<String>,
}

impl Tracer {
    /// Compiles the component as it was admitted, without weaving.
    ///
    /// # Errors
    /// [`ModelError::Compile`], [`ModelError::Environment`].
    pub fn new(admitted: &Admitted, limits: &Limits) -> Result<Self, ModelError> {
        let lacking = |error: wasmtime::Error| ModelError::Environment {
            what: format!(
                "the WebAssembly engine did not start: {}",
                quoted(&error.to_string())
            ),
        };
        let compile = |error: wasmtime::Error| ModelError::Compile {
            reason: quoted(&error.to_string()),
        };
        let mut config = crate::runtime::config(limits, true);
        // What is not woven has nothing else that makes NaN canonical.
        config.cranelift_nan_canonicalization(true);
        config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(FRAMES_MAX));
        let engine = Engine::new(&config).map_err(lacking)?;
        let component = Component::from_binary(&engine, admitted.bytes()).map_err(compile)?;
        let pre = Linker::new(&engine)
            .instantiate_pre(&component)
            .map_err(compile)?;
        let row = component
            .get_export_index(None, admitted.signature().grain().export())
            .ok_or(ModelError::Runtime {
                what: "an admitted model without its function",
            })?;
        Ok(Self {
            pre,
            row,
            limits: limits.clone(),
            signature: admitted.signature().clone(),
        })
    }

    /// Runs each row in an instance of its own; for a model over units, as a unit of one row. `columns` are as for
    /// [`Evaluator`](crate::Evaluator).
    ///
    /// # Errors
    /// [`ModelError::Runtime`] when the columns are not of the model's types, [`ModelError::Environment`].
    pub fn trace(
        &self,
        columns: &[ArrayRef],
        rows: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<RowTrace>, ModelError> {
        self.trace_units(columns, rows.into_iter().map(|row| row..row + 1))
    }

    /// Runs each unit, given as its rows, in an instance of its own. A model over rows is given the first of them.
    ///
    /// # Errors
    /// As [`Tracer::trace`].
    pub fn trace_units(
        &self,
        columns: &[ArrayRef],
        units: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<Vec<RowTrace>, ModelError> {
        let inputs = self.signature.inputs.iter().zip(columns);
        let inputs: Vec<InputColumn> = inputs
            .map(|(input, column)| InputColumn::new(input, column, &self.limits))
            .collect::<Result<_, _>>()?;
        let units = units.into_iter();
        match &self.signature.rows {
            None => units
                .map(|rows| match self.params(&inputs, rows.start) {
                    Ok(params) => self.call(&params, 1),
                    Err(reason) => Ok(not_called(reason)),
                })
                .collect(),
            Some(declared) => units
                .map(|rows| self.unit(&inputs, &declared.fields, rows))
                .collect(),
        }
    }

    fn unit(
        &self,
        inputs: &[InputColumn],
        fields: &[String],
        rows: Range<usize>,
    ) -> Result<RowTrace, ModelError> {
        if let Some(reason) = self.over(inputs, &rows) {
            return Ok(not_called(reason));
        }
        let mut list = Vec::with_capacity(rows.len());
        for row in rows.clone() {
            match self.params(inputs, row) {
                Ok(params) => list.push(Val::Record(fields.iter().cloned().zip(params).collect())),
                Err(reason) => {
                    let place = row - rows.start + 1;
                    return Ok(not_called(format!("{reason}, in row {place} of the unit")));
                }
            }
        }
        self.call(&[Val::List(list)], rows.len() as u64)
    }

    /// Why a unit is too large to be called with.
    fn over(&self, inputs: &[InputColumn], rows: &Range<usize>) -> Option<String> {
        let limits = &self.limits;
        if rows.len() > limits.unit_rows_max {
            return Some(format!(
                "the unit has {} rows, the limit is {} (`unit_rows_max`)",
                rows.len(),
                limits.unit_rows_max
            ));
        }
        let mut columns = inputs.iter().zip(&self.signature.inputs);
        columns.find_map(|(input, declared)| {
            let bytes = input.string_bytes(rows.clone());
            (bytes > limits.unit_string_bytes_max).then(|| {
                format!(
                    "`{}` has {bytes} bytes in the unit, the limit is {} (`unit_string_bytes_max`)",
                    declared.column, limits.unit_string_bytes_max
                )
            })
        })
    }

    /// The values of a row, or why it fails without a call.
    fn params(&self, inputs: &[InputColumn], row: usize) -> Result<Vec<Val>, String> {
        let inputs = inputs.iter().zip(&self.signature.inputs);
        inputs
            .map(|(input, declared)| {
                let name = &declared.column;
                input.value(row).ok_or_else(|| match input.string_bytes(row..row + 1) {
                    bytes if bytes > self.limits.string_input_bytes_max => format!(
                        "`{name}` has {bytes} bytes, the limit is {} (`string_input_bytes_max`)",
                        self.limits.string_input_bytes_max
                    ),
                    _ if input.is_null(row) => format!(
                        "`{name}` is null (take `option<{}>` to be given nulls)",
                        declared.ty
                    ),
                    _ => format!("`{name}` is no case of the enum `{}`", declared.ty),
                })
            })
            .collect()
    }

    /// Calls the model on the fuel of some rows.
    fn call(&self, params: &[Val], rows: u64) -> Result<RowTrace, ModelError> {
        let allowed = self.limits.row_fuel.saturating_mul(rows);
        let mut store = Store::new(self.pre.engine(), Host::new(&self.limits));
        store.limiter(|host| host);
        fuel(&mut store, self.limits.start_fuel)?;
        let outcome = self.pre.instantiate(&mut store).and_then(|instance| {
            store.set_fuel(allowed)?;
            let function = instance.get_func(&mut store, self.row);
            let mut result = [Val::Bool(false)];
            match function {
                Some(function) => function.call(&mut store, params, &mut result),
                None => Ok(()),
            }
        });
        let left = store.get_fuel().unwrap_or_default();
        Ok(RowTrace {
            fuel: allowed.saturating_sub(left),
            memory_pages: store.data().memory_bytes as u64 / PAGE_BYTES,
            failure: outcome.err().map(|error| RowFailure::of(&error, allowed)),
        })
    }
}

/// A row whose values are none of the model's fails without a call.
fn not_called(reason: String) -> RowTrace {
    RowTrace {
        fuel: 0,
        memory_pages: 0,
        failure: Some(RowFailure {
            reason: format!("not called: {reason}"),
            frames: Vec::new(),
        }),
    }
}

fn fuel(store: &mut Store<Host>, fuel: u64) -> Result<(), ModelError> {
    store.set_fuel(fuel).map_err(|_| ModelError::Runtime {
        what: "an engine without metering",
    })
}

impl RowFailure {
    fn of(error: &wasmtime::Error, allowed: u64) -> Self {
        let trap = error.downcast_ref::<wasmtime::Trap>();
        let reason = match trap {
            Some(wasmtime::Trap::OutOfFuel) => {
                format!("out of fuel: it takes more than {allowed} units (`row_fuel`)")
            }
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let frames = backtrace.map_or_else(Vec::new, |backtrace| {
            backtrace.frames().iter().map(frame).collect()
        });
        Self {
            reason: quoted(&reason),
            frames,
        }
    }
}

fn frame(frame: &wasmtime::FrameInfo) -> String {
    let name = match frame.func_name() {
        Some(name) => quoted(name),
        None => format!("function {}", frame.func_index()),
    };
    match frame.module_offset() {
        Some(offset) => format!("{name} (at byte {offset:#x})"),
        None => name,
    }
}

/// Remembers how far memory grew.
struct Host {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements_max: usize,
}

impl Host {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes_max(),
            table_elements_max: limits.table_elements_max,
        }
    }
}

impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let may = desired <= self.memory_bytes_max && maximum.is_none_or(|max| desired <= max);
        if may {
            self.memory_bytes = self.memory_bytes.max(desired);
        }
        Ok(may)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements_max && maximum.is_none_or(|max| desired <= max))
    }
}
