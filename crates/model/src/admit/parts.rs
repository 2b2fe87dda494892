//! Where the parts of a component are: its core module, and which of the module's exports the lifted function uses.
//!
//! A component names core functions by an index into a space that aliases fill. Following the aliases back to names
//! is all that is needed to call the function without the component around it.

use std::ops::Range;

use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentAlias, ExternalKind, Instance, Payload,
};

use crate::error::ModelError;

/// Aliases of aliases followed before giving up. Packagers make at most two.
const ALIAS_DEPTH_MAX: usize = 8;

/// The core module of a component and the names under which it exports what is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Where in the component the core module's bytes are.
    pub(crate) module: Range<usize>,
    /// The function that is lifted to `row` or `unit`.
    pub(crate) row: String,
    /// The allocator that arguments in memory are placed with.
    pub(crate) realloc: Option<String>,
    /// What is called with the raw result once it has been read.
    pub(crate) post_return: Option<String>,
    /// Whether strings are passed as UTF-8.
    pub(crate) utf8: bool,
}

enum CoreInstance {
    OfModule,
    OfExports(Vec<(String, u32)>),
}

/// Collects parts while the sections go by.
#[derive(Default)]
pub(super) struct Collector {
    module: Option<Range<usize>>,
    instances: Vec<CoreInstance>,
    functions: Vec<(u32, String)>,
    lift: Option<(u32, Box<[CanonicalOption]>)>,
}

impl Collector {
    /// Takes note of a section at the component's own level.
    pub(super) fn visit(&mut self, payload: &Payload<'_>) -> Result<(), ModelError> {
        let invalid = super::shape::invalid;
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => self.module = Some(unchecked_range.clone()),
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    self.instance(&instance.map_err(invalid)?);
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(&alias.map_err(invalid)?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    if let CanonicalFunction::Lift {
                        core_func_index,
                        options,
                        ..
                    } = function.map_err(invalid)?
                    {
                        self.lift = Some((core_func_index, options));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance<'_>) {
        self.instances.push(match instance {
            Instance::Instantiate { .. } => CoreInstance::OfModule,
            Instance::FromExports(exports) => CoreInstance::OfExports(
                exports
                    .iter()
                    .filter(|export| is_function(export.kind))
                    .map(|export| (export.name.to_owned(), export.index))
                    .collect(),
            ),
        });
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        if let ComponentAlias::CoreInstanceExport {
            kind,
            instance_index,
            name,
        } = alias
            && is_function(*kind)
        {
            self.functions.push((*instance_index, (*name).to_owned()));
        }
    }

    /// The module's own name for a core function.
    fn name(&self, mut function: u32) -> Option<String> {
        for _ in 0..ALIAS_DEPTH_MAX {
            let (instance, name) = self.functions.get(function as usize)?;
            match self.instances.get(*instance as usize)? {
                CoreInstance::OfModule => return Some(name.clone()),
                CoreInstance::OfExports(exports) => {
                    function = exports.iter().find(|(export, _)| export == name)?.1;
                }
            }
        }
        None
    }

    /// The parts, or nothing when the component is put together in a way that this does not follow: such a model runs
    /// as the component it is.
    pub(super) fn finish(self) -> Option<Parts> {
        let module = self.module.clone()?;
        let (row, options) = self.lift.as_ref()?;
        let mut parts = Parts {
            module,
            row: self.name(*row)?,
            realloc: None,
            post_return: None,
            utf8: true,
        };
        for option in options {
            match option {
                CanonicalOption::UTF8 | CanonicalOption::Memory(_) => {}
                CanonicalOption::UTF16 | CanonicalOption::CompactUTF16 => parts.utf8 = false,
                CanonicalOption::Realloc(function) => parts.realloc = Some(self.name(*function)?),
                CanonicalOption::PostReturn(function) => {
                    parts.post_return = Some(self.name(*function)?);
                }
                _ => return None,
            }
        }
        Some(parts)
    }
}

fn is_function(kind: ExternalKind) -> bool {
    matches!(kind, ExternalKind::Func | ExternalKind::FuncExact)
}
