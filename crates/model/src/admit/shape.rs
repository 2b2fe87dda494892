//! One walk over the component's sections: validation under the allowed features, limits, and the plain shape that the
//! runtime takes apart: one core module, instantiated once, one function lifted from it.

use wasmparser::{
    CanonicalFunction, ComponentExternalKind, ComponentTypeRef, Encoding, Error, FuncToValidate,
    FuncValidatorAllocations, FunctionBody, Instance, Parser, Payload, TypeBounds, ValidPayload,
    Validator, ValidatorResources, WasmFeatures, types::Types,
};

use super::bounds::{at_most, check_elements, check_memory, check_nesting};
use super::package::Package;
use super::parts::{Collector, Parts};
use crate::error::{ModelError, quoted};
use crate::limits::Limits;
use crate::signature::Grain;

/// What models may use, and nothing that a later version of the validator may add: WebAssembly 2.0 with vectors, the
/// encodings LLVM emits for it, constant expressions, and the component model without async.
const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// What is known of a component after the walk.
pub(super) struct Shape {
    pub(super) types: Types,
    /// Names under which the component imports or exports types.
    pub(super) type_names: Vec<String>,
    pub(super) package: Option<String>,
    pub(super) grain: Grain,
    pub(super) parts: Option<Parts>,
}

/// Walks the component once.
pub(super) fn examine(bytes: &[u8], limits: &Limits) -> Result<Shape, ModelError> {
    let mut walk = Walk::new(limits);
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let mut types = None;
    for payload in parser.parse_all(bytes) {
        let payload = payload.map_err(invalid)?;
        if let Payload::ComponentTypeSection(section) = &payload {
            let types = bytes.get(section.range()).unwrap_or_default();
            check_nesting(types, limits)?;
        }
        match walk.validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(function, body) => walk.functions.push((function, body)),
            ValidPayload::End(of_this_level) => types = Some(of_this_level),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        walk.visit(&payload)?;
    }
    let types = types.ok_or_else(|| shape("ends early"))?;
    walk.finish(types)
}

struct Walk<'a> {
    limits: &'a Limits,
    validator: Validator,
    functions: Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'a>)>,
    in_module: bool,
    modules: u32,
    instantiations: u32,
    lifts: u32,
    module_locals: u64,
    other_exports: Vec<String>,
    grain: Option<Grain>,
    type_names: Vec<String>,
    package: Package,
    parts: Collector,
}

impl<'a> Walk<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            validator: Validator::new_with_features(FEATURES),
            functions: Vec::new(),
            in_module: false,
            modules: 0,
            instantiations: 0,
            lifts: 0,
            module_locals: 0,
            other_exports: Vec::new(),
            grain: None,
            type_names: Vec::new(),
            package: Package::default(),
            parts: Collector::default(),
        }
    }

    fn visit(&mut self, payload: &Payload<'a>) -> Result<(), ModelError> {
        if !self.in_module {
            self.parts.visit(payload)?;
        }
        match payload {
            Payload::Version { encoding, .. } => self.in_module = *encoding == Encoding::Module,
            Payload::ModuleSection { .. } => self.modules += 1,
            Payload::End(_) => self.in_module = false,
            Payload::ComponentSection { .. } => return Err(shape("contains another component")),
            Payload::ComponentInstanceSection(_) => {
                return Err(shape("makes an instance of a component"));
            }
            Payload::ComponentImportSection(imports) => self.imports(imports)?,
            Payload::ComponentExportSection(exports) => self.exports(exports)?,
            Payload::ComponentCanonicalSection(functions) => self.canonical(functions)?,
            Payload::InstanceSection(instances) => self.instances(instances)?,
            Payload::CustomSection(section) if !self.in_module => self.package.visit(section),
            _ if self.in_module => self.module_section(payload)?,
            _ => {}
        }
        Ok(())
    }

    /// Named types of the signature come in as imports "equal to" a type given right there: they ask for nothing.
    fn imports(
        &mut self,
        imports: &wasmparser::ComponentImportSectionReader<'_>,
    ) -> Result<(), ModelError> {
        for import in imports.clone() {
            let import = import.map_err(invalid)?;
            let kind = match import.ty {
                ComponentTypeRef::Type(TypeBounds::Eq(_)) => {
                    self.type_names.push(import.name.name.to_owned());
                    continue;
                }
                ComponentTypeRef::Type(TypeBounds::SubResource) => "a resource",
                ComponentTypeRef::Module(_) => "a core module",
                ComponentTypeRef::Func(_) => "a function",
                ComponentTypeRef::Value(_) => "a value",
                ComponentTypeRef::Instance(_) => "an interface",
                ComponentTypeRef::Component(_) => "a component",
            };
            return Err(imported(kind, import.name.name));
        }
        Ok(())
    }

    fn exports(
        &mut self,
        exports: &wasmparser::ComponentExportSectionReader<'_>,
    ) -> Result<(), ModelError> {
        for export in exports.clone() {
            let export = export.map_err(invalid)?;
            let name = export.name.name;
            match export.kind {
                ComponentExternalKind::Type => self.type_names.push(name.to_owned()),
                ComponentExternalKind::Func
                    if self.grain.is_none() && Grain::of(name).is_some() =>
                {
                    self.grain = Grain::of(name);
                }
                ComponentExternalKind::Func => self
                    .other_exports
                    .push(format!("the function `{}`", quoted(name))),
                kind => self
                    .other_exports
                    .push(format!("the {} `{}`", kind.desc(), quoted(name))),
            }
        }
        Ok(())
    }

    fn canonical(
        &mut self,
        functions: &wasmparser::ComponentCanonicalSectionReader<'_>,
    ) -> Result<(), ModelError> {
        for function in functions.clone() {
            match function.map_err(invalid)? {
                CanonicalFunction::Lift { .. } => self.lifts += 1,
                _ => {
                    return Err(shape(
                        "uses resources or built-in functions of the component model",
                    ));
                }
            }
        }
        Ok(())
    }

    fn instances(
        &mut self,
        instances: &wasmparser::InstanceSectionReader<'_>,
    ) -> Result<(), ModelError> {
        for instance in instances.clone() {
            if let Instance::Instantiate { .. } = instance.map_err(invalid)? {
                self.instantiations += 1;
            }
        }
        Ok(())
    }

    fn module_section(&mut self, payload: &Payload<'_>) -> Result<(), ModelError> {
        let limits = self.limits;
        match payload {
            Payload::ImportSection(imports) => {
                let Some(import) = imports.clone().into_imports().next() else {
                    return Ok(());
                };
                let import = import.map_err(invalid)?;
                let name = format!("{}.{}", import.module, import.name);
                Err(imported("from its core module", &name))
            }
            Payload::FunctionSection(functions) => at_most(
                "functions",
                functions.count().into(),
                limits.functions_max.into(),
            ),
            Payload::TypeSection(types) => {
                at_most("types", types.count().into(), limits.types_max.into())
            }
            Payload::ExportSection(exports) => {
                at_most("exports", exports.count().into(), limits.exports_max.into())
            }
            Payload::DataSection(segments) => at_most(
                "data segments",
                segments.count().into(),
                limits.segments_max.into(),
            ),
            Payload::ElementSection(segments) => check_elements(segments, limits),
            Payload::GlobalSection(globals) => {
                at_most("globals", globals.count().into(), limits.globals_max.into())
            }
            Payload::TableSection(tables) => {
                at_most("tables", tables.count().into(), limits.tables_max.into())?;
                for table in tables.clone() {
                    let elements = table.map_err(invalid)?.ty.initial;
                    at_most(
                        "elements in a table",
                        elements,
                        limits.table_elements_max as u64,
                    )?;
                }
                Ok(())
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    check_memory(&memory.map_err(invalid)?, limits)?;
                }
                Ok(())
            }
            Payload::CodeSectionEntry(body) => {
                at_most(
                    "bytes in one function",
                    body.range().len() as u64,
                    limits.function_bytes_max as u64,
                )?;
                self.locals(body)
            }
            _ => Ok(()),
        }
    }

    /// Counts the local variables that a function declares, in groups of any size.
    fn locals(&mut self, body: &FunctionBody<'_>) -> Result<(), ModelError> {
        let mut locals = 0_u64;
        for group in body.get_locals_reader().map_err(invalid)? {
            locals += u64::from(group.map_err(invalid)?.0);
        }
        self.module_locals = self.module_locals.saturating_add(locals);
        let limits = self.limits;
        at_most("locals in one function", locals, limits.locals_max.into())?;
        at_most(
            "locals in all functions",
            self.module_locals,
            limits.module_locals_max.into(),
        )
    }

    fn finish(self, types: Types) -> Result<Shape, ModelError> {
        let mut allocations = FuncValidatorAllocations::default();
        for (function, body) in self.functions {
            let mut validator = function.into_validator(allocations);
            validator.validate(&body).map_err(invalid)?;
            allocations = validator.into_allocations();
        }
        if let Some(other) = self.other_exports.first() {
            return Err(ModelError::Exports {
                what: format!("exports {other}"),
            });
        }
        let grain = self.grain.ok_or_else(no_function)?;
        match (self.modules, self.instantiations, self.lifts) {
            (1, 1, 1) => Ok(Shape {
                types,
                type_names: self.type_names,
                package: self.package.finish(),
                grain,
                parts: self.parts.finish(),
            }),
            (modules, instances, lifts) => Err(shape(&format!(
                "has {modules} core modules, {instances} instances of them and {lifts} lifted functions, where one each is allowed"
            ))),
        }
    }
}

pub(super) fn no_function() -> ModelError {
    ModelError::Exports {
        what: "exports no function `row` or `unit`".to_owned(),
    }
}

pub(crate) fn invalid(error: Error) -> ModelError {
    ModelError::Invalid {
        offset: error.offset(),
        reason: quoted(error.message()),
    }
}

pub(crate) fn imported(kind: &'static str, name: &str) -> ModelError {
    ModelError::Import {
        kind,
        name: quoted(name),
    }
}

fn shape(what: &str) -> ModelError {
    ModelError::Shape {
        what: what.to_owned(),
    }
}
