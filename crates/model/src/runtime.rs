//! The engines, and compiled models.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Fields, Schema};
use wasmtime::{Config, Engine, Module, OptLevel};

use crate::admit::Admitted;
use crate::bind::Binding;
use crate::cache::Cache;
use crate::driven::DrivenModel;
use crate::error::{ModelError, quoted};
use crate::fresh::FreshModel;
use crate::limits::Limits;
use crate::signature::{Domain, Signature};
use crate::tier::{Isolation, Tier};

/// The compiler, and the count of instances. One per process suffices; it is cheap to clone and safe to share.
#[derive(Clone)]
pub struct Runtime(Arc<Engines>);

pub(crate) struct Engines {
    pub(crate) limits: Limits,
    /// For models whose cost has no bound: every instruction burns fuel.
    pub(crate) metered: Engine,
    /// For those whose cost is known.
    pub(crate) bounded: Engine,
    /// For fresh instances. It reserves address space for all of them, so it is made when first needed.
    fresh: Mutex<Option<Engine>>,
    cache: Option<Cache>,
    instances: AtomicU32,
}

impl Runtime {
    /// Prepares the engine: deterministic (canonical NaN, no threads, no relaxed SIMD) and bounded.
    ///
    /// # Errors
    /// [`ModelError::Environment`] when the machine cannot run WebAssembly.
    pub fn new(limits: &Limits) -> Result<Self, ModelError> {
        Self::start(limits, None)
    }

    /// As [`new`](Self::new), and keeps woven models compiled in a folder, so that they are not compiled again by the next
    /// process. Files there are believed only if they were authenticated with the key; give it to nobody else. Nothing
    /// that is wrong with the folder or a file in it is an error: the model is then compiled. The folder's contents may be
    /// removed at any time.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_cache(limits: &Limits, folder: &Path, key: &[u8; 32]) -> Result<Self, ModelError> {
        Self::start(limits, Some(Cache::new(folder, key)))
    }

    fn start(limits: &Limits, cache: Option<Cache>) -> Result<Self, ModelError> {
        let woven = |metered: bool| {
            let mut config = config(limits, metered);
            // The driver has memories of its own beside the model's. Models may have one: admission sees to that.
            config.wasm_multi_memory(true);
            engine(&config)
        };
        Ok(Self(Arc::new(Engines {
            limits: limits.clone(),
            metered: woven(true)?,
            bounded: woven(false)?,
            fresh: Mutex::new(None),
            cache,
            instances: AtomicU32::new(0),
        })))
    }

    /// Compiles an admitted model and makes one instance as a trial, so that what cannot start is refused here and not
    /// at its first row.
    ///
    /// # Errors
    /// [`ModelError::Start`] when preparing an instance traps or runs out of fuel, [`ModelError::Compile`] when the
    /// compiler gives up, [`ModelError::Environment`] when the machine has no room.
    pub fn compile(&self, admitted: &Admitted) -> Result<Model, ModelError> {
        let driven = DrivenModel::compile(&self.0, admitted)?;
        let tier = match &driven {
            Some(driven) => driven.tier(),
            None => Tier {
                isolation: Isolation::Fresh,
                row_cost_max: None,
            },
        };
        let model = Model(Arc::new(Compiled {
            digest: admitted.digest().to_owned(),
            signature: admitted.signature().clone(),
            dictionaries: admitted
                .signature()
                .outputs
                .iter()
                .map(|output| output.domain().map(Domain::column))
                .collect(),
            component: admitted.bytes().to_vec(),
            engines: Arc::clone(&self.0),
            tier,
            driven,
            fresh: OnceLock::new(),
        }));
        match &model.0.driven {
            Some(driven) => driven.instance(&model.0.engines).map(drop)?,
            None => model.fresh()?.trial(model.limits())?,
        }
        Ok(model)
    }
}

impl Engines {
    /// The engine of fresh instances.
    pub(crate) fn fresh(&self) -> Result<Engine, ModelError> {
        let mut made = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*made {
            return Ok(engine.clone());
        }
        let mut config = config(&self.limits, true);
        config.cranelift_nan_canonicalization(true);
        crate::fresh::pool(&mut config, &self.limits);
        let engine = engine(&config)?;
        *made = Some(engine.clone());
        Ok(engine)
    }

    /// Compiles a woven module, or loads it where it was compiled before.
    pub(crate) fn module(&self, engine: &Engine, bytes: &[u8]) -> Result<Module, wasmtime::Error> {
        match &self.cache {
            Some(cache) => cache.module(engine, bytes),
            None => Module::new(engine, bytes),
        }
    }

    /// Counts a woven instance; it is counted off when the permit is dropped.
    pub(crate) fn permit(self: &Arc<Self>) -> Result<Permit, ModelError> {
        let max = self.limits.instances_max;
        self.instances
            .try_update(Ordering::AcqRel, Ordering::Acquire, |alive| {
                (alive < max).then_some(alive + 1)
            })
            .map_err(|alive| ModelError::Environment {
                what: format!("{alive} instances are in use, the limit is {max}"),
            })?;
        Ok(Permit(Arc::clone(self)))
    }
}

/// The right to one instance.
pub(crate) struct Permit(Arc<Engines>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::AcqRel);
    }
}

fn engine(config: &Config) -> Result<Engine, ModelError> {
    Engine::new(config).map_err(|error| ModelError::Environment {
        what: format!(
            "the WebAssembly engine did not start: {}",
            quoted(&error.to_string())
        ),
    })
}

/// What all engines have in common: the features that admission allows, and nothing that differs between machines.
pub(crate) fn config(limits: &Limits, metered: bool) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(metered)
        .memory_init_cow(true)
        .memory_may_move(false)
        .max_wasm_stack(limits.stack_bytes_max)
        // Weaving makes NaN canonical where its bits can be told: everywhere would cost as much as the arithmetic.
        .cranelift_nan_canonicalization(false)
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
    dictionaries: Vec<Option<ArrayRef>>,
    component: Vec<u8>,
    engines: Arc<Engines>,
    tier: Tier,
    driven: Option<DrivenModel>,
    fresh: OnceLock<FreshModel>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("digest", &self.0.digest)
            .field("tier", &self.0.tier)
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

    /// How rows are kept apart and how their cost is bounded: what the analysis of the code found.
    pub fn tier(&self) -> Tier {
        self.0.tier
    }

    /// The columns of an answer, in order. All are nullable: a failed row is null in each. An enum is a dictionary
    /// column of its cases; its closed domain is in the signature's [`Output`](crate::Output).
    pub fn output_fields(&self) -> Fields {
        let outputs = self.0.signature.outputs.iter();
        outputs
            .map(|output| Field::new(&output.column, output.ty.output_type(), true))
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

    /// For each output that is an enum, its cases as a column, the same one for every batch.
    pub(crate) fn dictionaries(&self) -> &[Option<ArrayRef>] {
        &self.0.dictionaries
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.engines.limits
    }

    pub(crate) fn engines(&self) -> &Arc<Engines> {
        &self.0.engines
    }

    pub(crate) fn driven(&self) -> Option<&DrivenModel> {
        self.0.driven.as_ref()
    }

    /// The component as it was submitted, compiled when first asked for.
    pub(crate) fn fresh(&self) -> Result<&FreshModel, ModelError> {
        if let Some(fresh) = self.0.fresh.get() {
            return Ok(fresh);
        }
        let fresh = FreshModel::compile(
            &self.0.engines.fresh()?,
            &self.0.component,
            self.0.signature.grain().export(),
        )?;
        Ok(self.0.fresh.get_or_init(|| fresh))
    }
}
