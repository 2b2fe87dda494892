//! The host's side of a woven module: compiling it, moving columns in and out, and running batches.
//!
//! # Fuel, exactly
//!
//! Each call of `run` gets the fuel of *one* row, however many rows it is given. Rows that it completed took less
//! together than one may take alone, so their answers stand. Where it runs dry or traps in the middle, everything is
//! restored and the run is begun again at the row it stopped at; only a row that fails as the *first* of its run has
//! failed. So whether a row fails is decided by that row beginning a run with its full fuel, wherever in a batch it
//! stands: a row that was completed after others would have been completed first as well, with more fuel.
//!
//! A unit may take as much as all its rows, so units differ in what they may take. A run then gets the least that any of
//! its units may take. What it completes is well within its own; a unit that fails first in a run on less than it may
//! take is run once more, alone and with all of it.

mod driver;
mod input;
mod output;
mod pristine;
mod values;

use std::sync::Arc;

use wasmtime::{Instance, InstancePre, Linker, Store, Trap, TypedFunc, WasmParams, WasmResults};

use crate::admit::Admitted;
use crate::core::{CoreModule, Effects, cost_max};
use crate::error::{ModelError, quoted};
use crate::runtime::Engines;
use crate::signature::ValueType;
use crate::tier::{Isolation, Tier};
use crate::weave::{Layout, Woven, called, names, weave};
pub(crate) use driver::Driver;
pub(crate) use input::Piece;

/// A compiled woven module.
pub(crate) struct DrivenModel {
    pre: InstancePre<()>,
    layout: Arc<Layout>,
    tier: Tier,
    globals: usize,
}

const WRONG_EXPORT: ModelError = ModelError::Runtime {
    what: "a woven module without its exports",
};
const UNREADABLE: ModelError = ModelError::Runtime {
    what: "an admitted module that does not read",
};

impl DrivenModel {
    /// Weaves and compiles a model; nothing when it is to run in fresh instances.
    pub(crate) fn compile(
        engines: &Engines,
        admitted: &Admitted,
    ) -> Result<Option<Self>, ModelError> {
        let Some(parts) = admitted.parts() else {
            return Ok(None);
        };
        let signature = admitted.signature();
        let inputs = signature.inputs.iter().map(|input| &input.ty);
        let mut types = inputs.chain(signature.outputs.iter().map(|output| &output.ty));
        if !parts.utf8 && types.any(|ty| *ty == ValueType::String) {
            return Ok(None);
        }
        let bytes = admitted.bytes().get(parts.module.clone());
        let mut module = CoreModule::read(bytes.unwrap_or_default()).map_err(|_| UNREADABLE)?;
        let called = called(&module, parts, signature);
        module.keep_reached(&called).map_err(|_| UNREADABLE)?;
        let effects = Effects::of(&module).map_err(|_| UNREADABLE)?;
        if effects.tables_or_segments {
            return Ok(None);
        }
        let Some(woven) = weave(&module, parts, &effects, signature, &engines.limits) else {
            return Ok(None);
        };
        let cost = cost(&module, &woven, engines)?;
        Self::build(engines, woven, cost).map(Some)
    }

    fn build(engines: &Engines, woven: Woven, cost: Option<u64>) -> Result<Self, ModelError> {
        let engine = match cost {
            Some(_) => &engines.bounded,
            None => &engines.metered,
        };
        let compile = |error: wasmtime::Error| ModelError::Compile {
            reason: quoted(&error.to_string()),
        };
        let module = engines.module(engine, &woven.bytes).map_err(compile)?;
        let pre = Linker::new(engine)
            .instantiate_pre(&module)
            .map_err(compile)?;
        let isolation = match woven.stateful {
            true => Isolation::Restored,
            false => Isolation::Pure,
        };
        Ok(Self {
            pre,
            layout: Arc::new(woven.layout),
            tier: Tier {
                isolation,
                row_cost_max: cost,
            },
            globals: woven.globals,
        })
    }

    pub(crate) fn tier(&self) -> Tier {
        self.tier
    }

    /// An instance, started and ready for its first row.
    pub(crate) fn instance(&self, engines: &Arc<Engines>) -> Result<Driver, ModelError> {
        let permit = engines.permit()?;
        let limits = &engines.limits;
        let metered = self.tier.row_cost_max.is_none();
        let mut store = Store::new(self.pre.module().engine(), ());
        let fuel = |store: &mut Store<()>, fuel| match metered {
            true => set_fuel(store, fuel),
            false => Ok(()),
        };
        let started = |error: wasmtime::Error| match error.is::<Trap>() {
            true => ModelError::Start {
                fuel: limits.start_fuel,
            },
            false => lacking(&error),
        };
        fuel(&mut store, limits.start_fuel)?;
        let instance = self.pre.instantiate(&mut store).map_err(started)?;
        let reserve: TypedFunc<(), i32> = export(&instance, &mut store, names::RESERVE)?;
        if reserve
            .call(&mut store, ())
            .map_err(|error| lacking(&error))?
            == 0
        {
            return Err(ModelError::Environment {
                what: "no room for a model's memory".to_owned(),
            });
        }
        if instance.get_func(&mut store, names::START).is_some() {
            let start: TypedFunc<(), ()> = export(&instance, &mut store, names::START)?;
            start.call(&mut store, ()).map_err(started)?;
        }
        fuel(&mut store, u64::MAX)?;
        let commit: TypedFunc<(), ()> = export(&instance, &mut store, names::COMMIT)?;
        commit
            .call(&mut store, ())
            .map_err(|error| lacking(&error))?;
        let row_fuel = metered.then_some(limits.row_fuel);
        Driver::new(store, &instance, self, row_fuel, permit)
    }
}

/// What a row costs at most, where that, and the start function, are within their limits without being watched.
fn cost(
    module: &CoreModule<'_>,
    woven: &Woven,
    engines: &Engines,
) -> Result<Option<u64>, ModelError> {
    let cost = |roots: &[u32]| cost_max(module, roots).map_err(|_| UNREADABLE);
    let start: Vec<u32> = module.start.into_iter().collect();
    let starts = cost(&start)?.is_some_and(|cost| cost <= engines.limits.start_fuel);
    let row = match &woven.calls {
        Some(calls) => cost(calls)?.filter(|cost| *cost <= engines.limits.row_fuel),
        None => None,
    };
    Ok(row.filter(|_| starts))
}

fn export<Params: WasmParams, Results: WasmResults>(
    instance: &Instance,
    store: &mut Store<()>,
    name: &str,
) -> Result<TypedFunc<Params, Results>, ModelError> {
    instance
        .get_typed_func(store, name)
        .map_err(|_| WRONG_EXPORT)
}

fn lacking(error: &wasmtime::Error) -> ModelError {
    ModelError::Environment {
        what: format!("no room for an instance: {}", quoted(&error.to_string())),
    }
}

fn set_fuel(store: &mut Store<()>, fuel: u64) -> Result<(), ModelError> {
    store.set_fuel(fuel).map_err(|_| ModelError::Runtime {
        what: "an engine without metering",
    })
}
