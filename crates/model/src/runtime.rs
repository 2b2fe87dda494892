//! The engine, compiled models, and fresh instances of them.

use std::sync::Arc;

use arrow::datatypes::{Field, Fields, Schema};
use wasmtime::component::{Component, ComponentExportIndex, Func, InstancePre, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, ResourceLimiter,
    Store, Trap,
};

use crate::admit::Admitted;
use crate::bind::Binding;
use crate::error::{ModelError, quoted};
use crate::limits::Limits;
use crate::signature::Signature;

/// Bytes of a dirty memory that are set back by copying instead of by asking the kernel. Small models stay below it.
const KEEP_RESIDENT_BYTES: usize = 128 << 10;
/// Bytes of the runtime's own record of one instance: grows with functions and globals, both limited.
const INSTANCE_BYTES_MAX: usize = 2 << 20;

/// The compiler and the pool of instances. One per process suffices; it is cheap to clone and safe to share.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    limits: Arc<Limits>,
}

impl Runtime {
    /// Prepares the engine: deterministic (canonical NaN, no threads, no relaxed SIMD), metered, with address space
    /// reserved for every instance that may live at once.
    ///
    /// # Errors
    /// [`ModelError::Environment`] when the machine has not that much address space.
    pub fn new(limits: &Limits) -> Result<Self, ModelError> {
        let engine = Engine::new(&config(limits)).map_err(|error| ModelError::Environment {
            what: format!(
                "the WebAssembly engine did not start: {}",
                quoted(&error.to_string())
            ),
        })?;
        Ok(Self {
            engine,
            limits: Arc::new(limits.clone()),
        })
    }

    /// Compiles an admitted model and makes one instance as a trial, so that what cannot start is refused here and not
    /// at its first row.
    ///
    /// # Errors
    /// [`ModelError::Start`] when preparing an instance traps or runs out of fuel, [`ModelError::Compile`] when the
    /// compiler gives up, [`ModelError::Environment`] when the machine has no room.
    pub fn compile(&self, admitted: &Admitted) -> Result<Model, ModelError> {
        let compile = |error: wasmtime::Error| ModelError::Compile {
            reason: quoted(&error.to_string()),
        };
        let component = Component::from_binary(&self.engine, admitted.bytes()).map_err(compile)?;
        let pre = Linker::new(&self.engine)
            .instantiate_pre(&component)
            .map_err(compile)?;
        let row = component
            .get_export_index(None, "row")
            .ok_or(ModelError::Runtime {
                what: "an admitted model without `row`",
            })?;
        let model = Model(Arc::new(Compiled {
            digest: admitted.digest().to_owned(),
            signature: admitted.signature().clone(),
            limits: Arc::clone(&self.limits),
            pre,
            row,
        }));
        match model.instance() {
            Ok(_) => Ok(model),
            Err(Failure::Model) => Err(ModelError::Start {
                fuel: self.limits.start_fuel,
            }),
            Err(Failure::Weir(error)) => Err(error),
        }
    }
}

fn config(limits: &Limits) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.instances_max)
        .total_core_instances(limits.instances_max)
        .total_memories(limits.instances_max)
        .total_tables(limits.instances_max.saturating_mul(limits.tables_max))
        .max_core_instances_per_component(1)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .max_tables_per_component(limits.tables_max)
        .max_tables_per_module(limits.tables_max)
        .table_elements(limits.table_elements_max)
        .max_memory_size(limits.memory_bytes_max())
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .consume_fuel(true)
        .max_wasm_stack(limits.stack_bytes_max)
        .cranelift_nan_canonicalization(true)
        .cranelift_opt_level(OptLevel::Speed)
        .relaxed_simd_deterministic(true)
        .wasm_relaxed_simd(false)
        .wasm_simd(true)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .shared_memory(false)
        .concurrency_support(false)
        // A trap's trace would be thrown away: a failed row says nothing.
        .wasm_backtrace_max_frames(None);
    config
}

/// A compiled model. Cheap to clone, safe to share between threads.
#[derive(Clone)]
pub struct Model(Arc<Compiled>);

struct Compiled {
    digest: String,
    signature: Signature,
    limits: Arc<Limits>,
    pre: InstancePre<Host>,
    row: ComponentExportIndex,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("digest", &self.0.digest)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// SHA-256 of the component as 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// What the model takes and returns.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// The columns of an answer, in order. All are nullable: a failed row is null in each. An enum is a string column;
    /// its closed domain is in the signature's [`Output`](crate::Output).
    pub fn output_fields(&self) -> Fields {
        let outputs = self.0.signature.outputs.iter();
        outputs
            .map(|output| Field::new(&output.column, output.ty.arrow_type(), true))
            .collect()
    }

    /// Binds the model to a dataset's columns by name.
    ///
    /// A nullable column may feed a parameter that takes no null: a row with a null there fails without a call, and is
    /// null in every output, like any failed row.
    ///
    /// # Errors
    /// [`ModelError::MissingColumn`], [`ModelError::ColumnType`] when the column's type does not widen to the
    /// parameter's without loss, [`ModelError::OutputExists`] when the dataset has a column of an output's name.
    pub fn bind(&self, schema: &Schema) -> Result<Binding, ModelError> {
        Binding::new(self, schema)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// A fresh instance in a store of its own, fuelled for one row. It shares nothing with any other.
    pub(crate) fn instance(&self) -> Result<Instance, Failure> {
        let compiled = &*self.0;
        let limits = &*compiled.limits;
        let mut store = Store::new(compiled.pre.engine(), Host::new(limits));
        store.limiter(|host| host);
        store.set_hostcall_fuel(answer_bytes_max(limits));
        set_fuel(&mut store, limits.start_fuel)?;
        let instance = match compiled.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) if error.is::<Trap>() && !store.data().failed => return Err(Failure::Model),
            Err(error) => return Err(lacking(&error)),
        };
        let row = instance.get_func(&mut store, compiled.row).ok_or(NO_ROW)?;
        set_fuel(&mut store, limits.row_fuel)?;
        Ok(Instance { store, row })
    }
}

const NO_ROW: Failure = Failure::Weir(ModelError::Runtime {
    what: "an instance without `row`",
});

/// An instance that has answered nothing yet.
pub(crate) struct Instance {
    store: Store<Host>,
    row: Func,
}

impl Instance {
    /// Calls `row` and gives up the instance. Whatever the model does wrong, traps, fuel, stack, a wild pointer, an
    /// invalid string or enum, is [`Failure::Model`], without distinction.
    pub(crate) fn call(
        mut self,
        params: &[wasmtime::component::Val],
    ) -> Result<wasmtime::component::Val, Failure> {
        let mut result = [wasmtime::component::Val::Bool(false)];
        match self.row.call(&mut self.store, params, &mut result) {
            Ok(()) => {
                let [value] = result;
                Ok(value)
            }
            Err(error) if self.store.data().failed || error.is::<wasmtime::OutOfMemory>() => {
                Err(lacking(&error))
            }
            Err(_) => Err(Failure::Model),
        }
    }
}

/// Why there is no answer.
pub(crate) enum Failure {
    /// By the model's own doing. The row is null; there is no more to say.
    Model,
    /// By no doing of the model's.
    Weir(ModelError),
}

fn lacking(error: &wasmtime::Error) -> Failure {
    Failure::Weir(ModelError::Environment {
        what: format!("no room for an instance: {}", quoted(&error.to_string())),
    })
}

fn set_fuel(store: &mut Store<Host>, fuel: u64) -> Result<(), Failure> {
    store.set_fuel(fuel).map_err(|_| {
        Failure::Weir(ModelError::Runtime {
            what: "an engine without metering",
        })
    })
}

/// Bytes the host may copy out of an instance for one answer: every string at its limit, in the widest encoding, and the
/// names of fields and cases.
fn answer_bytes_max(limits: &Limits) -> usize {
    let per_output = 2 * limits.string_output_bytes_max + 4 * limits.name_bytes_max + 256;
    per_output.saturating_mul(limits.outputs_max + 1)
}

/// The host's side of an instance: what it may still grow to.
pub(crate) struct Host {
    memory_bytes_max: usize,
    table_elements_max: usize,
    failed: bool,
}

impl Host {
    fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes_max(),
            table_elements_max: limits.table_elements_max,
            failed: false,
        }
    }
}

/// Growth past a limit is answered `-1`, as WebAssembly defines. Growth within the limits that the machine cannot give
/// must not be answered so, or a row's result would depend on how busy the machine is: it ends the run instead.
impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.memory_bytes_max && maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Asked for more than 4 GiB: the one refusal that comes before `memory_growing` is asked.
        if error.to_string() == "memory growth exceeds memory type's limits" {
            return Ok(());
        }
        self.failed = true;
        Err(error)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements_max && maximum.is_none_or(|maximum| desired <= maximum))
    }
}
