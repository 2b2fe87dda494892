//! The woven module as bytes.

use std::collections::BTreeSet;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, HeapType, MemorySection, MemoryType, Module, RawSection, RefType,
    SectionId, TypeSection, ValType,
};

use super::layout::Layout;
use super::names;
use super::plan::Plan;
use crate::admit::Parts;
use crate::core::{CoreModule, Effects};
use crate::limits::Limits;
use crate::signature::{Grain, Signature};

/// A woven module and what the host needs to know of it.
pub(crate) struct Woven {
    pub(crate) bytes: Vec<u8>,
    pub(crate) layout: Layout,
    /// Whether anything is to be restored at all.
    pub(crate) stateful: bool,
    /// Functions a row calls, as often as it calls them: `row`, the allocator for each string and once for arguments
    /// in memory, the post-return. None for a unit: it depends on its rows.
    pub(crate) calls: Option<Vec<u32>>,
    /// Number of exported globals that rows may write.
    pub(crate) globals: usize,
}

/// Weaves a module. Nothing when it cannot be: it has a name or a size that does not fit, which leaves the way of a
/// fresh instance per row.
pub(crate) fn weave(
    module: &CoreModule<'_>,
    parts: &Parts,
    effects: &Effects,
    signature: &Signature,
    limits: &Limits,
) -> Option<Woven> {
    let plan = Plan::new(module, parts, effects, signature, limits)?;
    let mut calls = vec![plan.row];
    calls.extend(plan.post_return);
    if plan.allocates {
        calls.extend(plan.realloc.iter().cycle().take(signature.inputs.len() + 1));
    }
    Some(Woven {
        bytes: plan.encode(module)?,
        stateful: plan.tracked()
            || plan.growing()
            || !plan.shadows.is_empty()
            || !plan.flows.pieces.is_empty(),
        calls: (signature.grain() == Grain::Row).then_some(calls),
        globals: plan.shadows.len() + usize::from(plan.growing()),
        layout: plan.layout,
    })
}

impl Plan {
    fn encode(&self, module: &CoreModule<'_>) -> Option<Vec<u8>> {
        let mut types = TypeSection::new();
        if let Some(section) = &module.type_section {
            RoundtripReencoder
                .parse_type_section(&mut types, section.clone())
                .ok()?;
        }
        let mut functions = FunctionSection::new();
        module.functions.iter().for_each(|ty| {
            functions.function(*ty);
        });
        declare(&mut types, &mut functions);
        let mut woven = Module::new();
        woven.section(&types).section(&functions);
        raw(&mut woven, SectionId::Table, module.table_section);
        woven.section(&self.memories());
        woven.section(&self.globals(module)?);
        woven.section(&self.exports(module));
        raw(&mut woven, SectionId::Element, module.element_section);
        if let Some(count) = module.data_count {
            woven.section(&DataCountSection { count });
        }
        woven.section(&self.code(module)?);
        raw(&mut woven, SectionId::Data, module.data_section);
        Some(woven.finish())
    }

    fn memories(&self) -> MemorySection {
        let mut section = MemorySection::new();
        let mut memory = |minimum: u64, maximum: u64| {
            section.memory(MemoryType {
                minimum,
                maximum: Some(maximum),
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
        };
        if let Some(model) = self.memory {
            memory(model.pages, model.pages_max);
        }
        memory(self.layout.pages, self.layout.pages);
        section
    }

    fn globals(&self, module: &CoreModule<'_>) -> Option<GlobalSection> {
        let mut section = GlobalSection::new();
        if let Some(globals) = &module.global_section {
            RoundtripReencoder
                .parse_global_section(&mut section, globals.clone())
                .ok()?;
        }
        let mut global = |val_type: ValType, value: &ConstExpr| {
            let ty = GlobalType {
                val_type,
                mutable: true,
                shared: false,
            };
            section.global(ty, value);
        };
        for shadow in &self.shadows {
            global(shadow.ty, &zero(shadow.ty));
        }
        if self.growing() {
            for _ in ["size", "its shadow"] {
                global(ValType::I64, &ConstExpr::i64_const(self.initial_bytes()));
            }
        }
        Some(section)
    }

    /// What the host uses, and under names of no meaning every function the model exports: a function that code refers
    /// to by `ref.func` has to be exported or in a table.
    fn exports(&self, module: &CoreModule<'_>) -> ExportSection {
        let mut section = ExportSection::new();
        if self.memory.is_some() {
            section.export(names::MODEL_MEMORY, ExportKind::Memory, 0);
        }
        section.export(names::DRIVER_MEMORY, ExportKind::Memory, self.driver_memory);
        let functions = [
            (names::RESERVE, self.functions.reserve),
            (names::COMMIT, self.functions.commit),
            (names::RESTORE, self.functions.restore),
            (names::RUN, self.functions.run),
        ];
        let start = module.start.map(|function| (names::START, function));
        for (name, function) in functions.into_iter().chain(start) {
            section.export(name, ExportKind::Func, function);
        }
        let referable: BTreeSet<u32> = module.exports.iter().map(|(_, index)| *index).collect();
        for function in referable {
            section.export(
                &format!("of the model {function}"),
                ExportKind::Func,
                function,
            );
        }
        let written = self.shadows.iter().map(|shadow| shadow.global);
        let size = self.growing().then_some(self.size_global);
        for (position, global) in written.chain(size).enumerate() {
            let name = format!("{}{position}", names::GLOBAL);
            section.export(&name, ExportKind::Global, global);
        }
        section
    }

    fn code(&self, module: &CoreModule<'_>) -> Option<CodeSection> {
        let mut section = CodeSection::new();
        for (function, body) in module.bodies.iter().enumerate() {
            let params = module.type_of(function as u32)?.params().len();
            section.function(&self.body(body, function, params).ok()?);
        }
        let unused = || {
            let mut function = Function::new([]);
            function.instructions().unreachable().end();
            function
        };
        let tracking = [self.mark(), self.touch()];
        for function in tracking {
            section.function(&if self.tracked() { function } else { unused() });
        }
        for function in [
            self.grow(),
            self.reserve(),
            self.commit(),
            self.restore(),
            self.run(),
        ] {
            section.function(&function);
        }
        Some(section)
    }
}

/// Declares the added functions, in their order.
fn declare(types: &mut TypeSection, functions: &mut FunctionSection) {
    let i32 = ValType::I32;
    let signatures: [(&[ValType], &[ValType]); super::plan::FUNCTIONS as usize] = [
        (&[i32], &[]),
        (&[i32, i32], &[]),
        (&[i32], &[i32]),
        (&[], &[i32]),
        (&[], &[]),
        (&[], &[]),
        (&[i32, i32], &[]),
    ];
    for (params, results) in signatures {
        functions.function(types.len());
        types
            .ty()
            .function(params.iter().copied(), results.iter().copied());
    }
}

fn raw(woven: &mut Module, id: SectionId, contents: Option<&[u8]>) {
    if let Some(data) = contents {
        woven.section(&RawSection {
            id: id.into(),
            data,
        });
    }
}

fn zero(ty: ValType) -> ConstExpr {
    match ty {
        ValType::I32 => ConstExpr::i32_const(0),
        ValType::I64 => ConstExpr::i64_const(0),
        ValType::F32 => ConstExpr::f32_const(0.0_f32.into()),
        ValType::F64 => ConstExpr::f64_const(0.0_f64.into()),
        ValType::V128 => ConstExpr::v128_const(0),
        ValType::Ref(RefType { heap_type, .. }) => ConstExpr::ref_null(match heap_type {
            HeapType::Abstract { .. } | HeapType::Concrete(_) | HeapType::Exact(_) => heap_type,
        }),
    }
}
