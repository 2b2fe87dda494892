//! Why a row failed: for models on their author's own machine, over values that are nobody's.
//!
//! Everything else in this crate takes care that a failed row says nothing. This is the one place that tells, so it lives
//! in a module named `danger`, runs rows in instances of its own, and never where data of a domain is: `server` and
//! `inside` do not name it, and a tidy rule sees to that.

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
        config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(FRAMES_MAX));
        let engine = Engine::new(&config).map_err(lacking)?;
        let component = Component::from_binary(&engine, admitted.bytes()).map_err(compile)?;
        let pre = Linker::new(&engine)
            .instantiate_pre(&component)
            .map_err(compile)?;
        let row = component
            .get_export_index(None, "row")
            .ok_or(ModelError::Runtime {
                what: "an admitted model without `row`",
            })?;
        Ok(Self {
            pre,
            row,
            limits: limits.clone(),
            signature: admitted.signature().clone(),
        })
    }

    /// Runs each row in an instance of its own. `columns` are as for [`Evaluator`](crate::Evaluator).
    ///
    /// # Errors
    /// [`ModelError::Runtime`] when the columns are not of the model's types, [`ModelError::Environment`].
    pub fn trace(
        &self,
        columns: &[ArrayRef],
        rows: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<RowTrace>, ModelError> {
        let inputs = self.signature.inputs.iter().zip(columns);
        let inputs: Vec<InputColumn> = inputs
            .map(|(input, column)| InputColumn::new(input, column, &self.limits))
            .collect::<Result<_, _>>()?;
        rows.into_iter().map(|row| self.row(&inputs, row)).collect()
    }

    fn row(&self, inputs: &[InputColumn], row: usize) -> Result<RowTrace, ModelError> {
        let mut params = Vec::with_capacity(inputs.len());
        for (input, declared) in inputs.iter().zip(&self.signature.inputs) {
            match input.value(row) {
                Some(value) => params.push(value),
                None => return Ok(self.not_called(&declared.column, &declared.ty.to_string())),
            }
        }
        self.call(&params)
    }

    /// A row whose values are none of the model's types fails without a call.
    fn not_called(&self, column: &str, ty: &str) -> RowTrace {
        RowTrace {
            fuel: 0,
            memory_pages: 0,
            failure: Some(RowFailure {
                reason: format!(
                    "not called: `{column}` is null, too long, or no value of `{ty}` (take `option<{ty}>` to be given nulls)"
                ),
                frames: Vec::new(),
            }),
        }
    }

    fn call(&self, params: &[Val]) -> Result<RowTrace, ModelError> {
        let mut store = Store::new(self.pre.engine(), Host::new(&self.limits));
        store.limiter(|host| host);
        fuel(&mut store, self.limits.start_fuel)?;
        let outcome = self.pre.instantiate(&mut store).and_then(|instance| {
            store.set_fuel(self.limits.row_fuel)?;
            let function = instance.get_func(&mut store, self.row);
            let mut result = [Val::Bool(false)];
            match function {
                Some(function) => function.call(&mut store, params, &mut result),
                None => Ok(()),
            }
        });
        let left = store.get_fuel().unwrap_or_default();
        Ok(RowTrace {
            fuel: self.limits.row_fuel.saturating_sub(left),
            memory_pages: store.data().memory_bytes as u64 / PAGE_BYTES,
            failure: outcome.err().map(|error| RowFailure::of(&error)),
        })
    }
}

fn fuel(store: &mut Store<Host>, fuel: u64) -> Result<(), ModelError> {
    store.set_fuel(fuel).map_err(|_| ModelError::Runtime {
        what: "an engine without metering",
    })
}

impl RowFailure {
    fn of(error: &wasmtime::Error) -> Self {
        let trap = error.downcast_ref::<wasmtime::Trap>();
        let reason = match trap {
            Some(wasmtime::Trap::OutOfFuel) => {
                "out of fuel: the row takes more instructions than one row may".to_owned()
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
