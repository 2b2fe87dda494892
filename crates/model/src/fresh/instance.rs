//! Instances of a component that answer one row and are thrown away.

use wasmtime::component::{Component, ComponentExportIndex, Func, InstancePre, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, Store,
    Trap,
};

use crate::error::{ModelError, quoted};
use crate::limits::Limits;

/// Bytes of a dirty memory that are set back by copying instead of by asking the kernel. Small models stay below it.
const KEEP_RESIDENT_BYTES: usize = 128 << 10;
/// Bytes of the runtime's own record of one instance: grows with functions and globals, both limited.
const INSTANCE_BYTES_MAX: usize = 2 << 20;

/// Lets an engine keep a pool of instances, with address space for every one that may live at once.
pub(crate) fn pool(config: &mut Config, limits: &Limits) {
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
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
}

/// A compiled component.
pub(crate) struct FreshModel {
    pre: InstancePre<Host>,
    row: ComponentExportIndex,
}

impl FreshModel {
    /// Compiles a component that exports a function under a name.
    pub(crate) fn compile(
        engine: &Engine,
        component: &[u8],
        export: &str,
    ) -> Result<Self, ModelError> {
        let compile = |error: wasmtime::Error| ModelError::Compile {
            reason: quoted(&error.to_string()),
        };
        let component = Component::from_binary(engine, component).map_err(compile)?;
        let pre = Linker::new(engine)
            .instantiate_pre(&component)
            .map_err(compile)?;
        let row = component
            .get_export_index(None, export)
            .ok_or(ModelError::Runtime {
                what: "an admitted model without its function",
            })?;
        Ok(Self { pre, row })
    }

    /// Makes one instance, to see whether it starts.
    pub(crate) fn trial(&self, limits: &Limits) -> Result<(), ModelError> {
        match self.instance(limits, 1) {
            Ok(_) => Ok(()),
            Err(Failure::Model) => Err(ModelError::Start {
                fuel: limits.start_fuel,
            }),
            Err(Failure::Weir(error)) => Err(error),
        }
    }

    /// A fresh instance in a store of its own, fuelled for some rows. It shares nothing with any other.
    pub(super) fn instance(&self, limits: &Limits, rows: u64) -> Result<Instance, Failure> {
        let mut store = Store::new(self.pre.engine(), Host::new(limits));
        store.limiter(|host| host);
        store.set_hostcall_fuel(answer_bytes_max(limits));
        set_fuel(&mut store, limits.start_fuel)?;
        let instance = match self.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) if error.is::<Trap>() && !store.data().failed => return Err(Failure::Model),
            Err(error) => return Err(lacking(&error)),
        };
        let row = instance.get_func(&mut store, self.row).ok_or(NO_ROW)?;
        set_fuel(&mut store, limits.row_fuel.saturating_mul(rows))?;
        Ok(Instance { store, row })
    }
}

const NO_ROW: Failure = Failure::Weir(ModelError::Runtime {
    what: "an instance without `row`",
});

/// An instance that has answered nothing yet.
pub(super) struct Instance {
    store: Store<Host>,
    row: Func,
}

impl Instance {
    /// Calls `row` and gives up the instance. Whatever the model does wrong, traps, fuel, stack, a wild pointer, an
    /// invalid string or enum, is [`Failure::Model`], without distinction.
    pub(super) fn call(
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
pub(super) enum Failure {
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
