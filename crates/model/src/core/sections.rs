//! A core module cut into its sections, as admission has validated them.

use wasmparser::{
    BinaryReaderError, ExternalKind, FuncType, FunctionBody, GlobalSectionReader, GlobalType,
    MemoryType, Parser, Payload, TypeSectionReader,
};

/// A validated core module without imports.
#[derive(Default)]
pub(crate) struct CoreModule<'a> {
    /// Function types by index.
    pub(crate) types: Vec<FuncType>,
    /// The same as a section.
    pub(crate) type_section: Option<TypeSectionReader<'a>>,
    /// The type index of each function.
    pub(crate) functions: Vec<u32>,
    /// The bodies, in the same order.
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    /// The memory: one at most, multiple memories are refused.
    pub(crate) memory: Option<MemoryType>,
    /// Types of the globals.
    pub(crate) globals: Vec<GlobalType>,
    /// The same as a section, with the initial values.
    pub(crate) global_section: Option<GlobalSectionReader<'a>>,
    /// Exported functions.
    pub(crate) exports: Vec<(&'a str, u32)>,
    /// The start function.
    pub(crate) start: Option<u32>,
    /// Contents of sections that stay as they are.
    pub(crate) table_section: Option<&'a [u8]>,
    pub(crate) element_section: Option<&'a [u8]>,
    pub(crate) data_count: Option<u32>,
    pub(crate) data_section: Option<&'a [u8]>,
}

impl<'a> CoreModule<'a> {
    /// Reads a module. What admission has validated reads without an error.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, BinaryReaderError> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.section(bytes, payload?)?;
        }
        Ok(module)
    }

    fn section(&mut self, bytes: &'a [u8], payload: Payload<'a>) -> Result<(), BinaryReaderError> {
        let contents = |range: std::ops::Range<usize>| bytes.get(range);
        match payload {
            Payload::TypeSection(section) => {
                self.types = section
                    .clone()
                    .into_iter_err_on_gc_types()
                    .collect::<Result<_, _>>()?;
                self.type_section = Some(section);
            }
            Payload::FunctionSection(section) => {
                self.functions = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::TableSection(section) => self.table_section = contents(section.range()),
            Payload::MemorySection(section) => {
                self.memory = section.into_iter().next().transpose()?;
            }
            Payload::GlobalSection(section) => {
                self.global_section = Some(section.clone());
                self.globals = section
                    .into_iter()
                    .map(|global| Ok(global?.ty))
                    .collect::<Result<_, BinaryReaderError>>()?;
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                        self.exports.push((export.name, export.index));
                    }
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => self.element_section = contents(section.range()),
            Payload::DataCountSection { count, .. } => self.data_count = Some(count),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(section) => self.data_section = contents(section.range()),
            _ => {}
        }
        Ok(())
    }

    /// The function exported under a name.
    pub(crate) fn function(&self, name: &str) -> Option<u32> {
        let mut exports = self.exports.iter();
        exports
            .find(|(export, _)| *export == name)
            .map(|(_, index)| *index)
    }

    /// The type of a function.
    pub(crate) fn type_of(&self, function: u32) -> Option<&FuncType> {
        let ty = self.functions.get(function as usize)?;
        self.types.get(*ty as usize)
    }
}
