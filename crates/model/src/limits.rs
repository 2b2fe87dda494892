//! Every bound on a model, by name.

/// Bounds on what a model may be and may use. The defaults fit scoring models with room to spare; a bureau may lower them.
///
/// Raising one is a decision about the whole installation: results of earlier runs replay only under the limits they ran
/// with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the component in bytes. A gradient-boosted model of 1,000 trees stays below 2 MiB.
    pub component_bytes_max: usize,
    /// Parameters of `row`, each a column of the dataset.
    pub params_max: usize,
    /// Output columns.
    pub outputs_max: usize,
    /// Cases of one enum. Larger domains are no bands but identifiers; 256 also keeps a case in one byte.
    pub enum_cases_max: usize,
    /// Length in bytes of a parameter, field or case name. The shortest of the common SQL limits on identifiers is 63.
    pub name_bytes_max: usize,
    /// Levels of types within types. Types are read by calling oneself once per level; a signature has three levels.
    pub type_nesting_max: usize,
    /// Bytes of the type information that a core module carries for its packaging. A signature with every name at its
    /// limit stays below it.
    pub type_section_bytes_max: usize,
    /// Pieces that this information comes in. Toolchains write one.
    pub type_sections_max: usize,
    /// Function types in the core module. Toolchains make one for each distinct signature.
    pub types_max: u32,
    /// Functions in the core module.
    pub functions_max: u32,
    /// Size in bytes of one function's body. The time to compile grows faster than linearly with it.
    pub function_bytes_max: usize,
    /// Local variables of one function, parameters not counted. An unoptimised build of a large function has some hundreds.
    pub locals_max: u32,
    /// Local variables of all functions together. The compiler sets each to zero, and a byte or two declares thousands.
    pub module_locals_max: u32,
    /// Exports of the core module.
    pub exports_max: u32,
    /// Pieces that constant data, and the contents of tables, come in: each kind alone.
    pub segments_max: u32,
    /// Globals in the core module.
    pub globals_max: u32,
    /// Tables in the core module. Toolchains make one, for indirect calls.
    pub tables_max: u32,
    /// Elements of a table, at the start and after growth, and of a segment that tables are filled from.
    pub table_elements_max: usize,
    /// Pages (64 KiB each) of linear memory, at the start and after growth. The default is 16 MiB.
    pub memory_pages_max: u64,
    /// Depth of the model's own stack in bytes. Well under the 2 MiB a thread has.
    pub stack_bytes_max: usize,
    /// Fuel, about one unit per instruction, for preparing an instance (its start function).
    pub start_fuel: u64,
    /// Fuel, about one unit per instruction, for one row: roughly a millisecond. A 100-tree model uses some 5,000. It
    /// includes what tracking stores, and setting back what the row wrote, takes. A call with all rows of a unit has the
    /// fuel of all of them.
    pub row_fuel: u64,
    /// Rows of one unit given to a `unit` model. A unit with more fails. A flight's legs or a person's visits are some
    /// tens; 100,000 keeps a list of ten numbers within the memory a model may have.
    pub unit_rows_max: usize,
    /// Bytes of all strings of one column in one unit given to a `unit` model. A unit with more fails.
    pub unit_string_bytes_max: usize,
    /// Length in bytes of a string passed to a model. A row with a longer one fails.
    pub string_input_bytes_max: usize,
    /// Length in bytes of a string returned by a model. A row with a longer one fails.
    pub string_output_bytes_max: usize,
    /// Instances alive at the same moment in the process: one per evaluator. Address space, not memory, is what each
    /// takes before it is used.
    pub instances_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes_max: 4 << 20,
            params_max: 64,
            outputs_max: 32,
            enum_cases_max: 256,
            name_bytes_max: 63,
            type_nesting_max: 128,
            type_section_bytes_max: 256 << 10,
            type_sections_max: 8,
            types_max: 10_000,
            functions_max: 10_000,
            function_bytes_max: 512 << 10,
            locals_max: 10_000,
            module_locals_max: 200_000,
            exports_max: 1_000,
            segments_max: 1_000,
            globals_max: 1_000,
            tables_max: 4,
            table_elements_max: 10_000,
            memory_pages_max: 256,
            stack_bytes_max: 256 << 10,
            start_fuel: 1_000_000,
            row_fuel: 1_000_000,
            unit_rows_max: 100_000,
            unit_string_bytes_max: 1 << 20,
            string_input_bytes_max: 64 << 10,
            string_output_bytes_max: 1 << 10,
            instances_max: 256,
        }
    }
}

/// Bytes in a page of WebAssembly memory, fixed by the specification.
pub(crate) const PAGE_BYTES: u64 = 64 << 10;

impl Limits {
    /// Every limit by its name.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        macro_rules! named {
            ($($limit:ident)*) => {{
                // Without `..`: a limit that is added and not named here does not compile.
                let Self { $($limit),* } = self;
                vec![$((stringify!($limit), *$limit as u64)),*]
            }};
        }
        named!(
            component_bytes_max params_max outputs_max enum_cases_max name_bytes_max type_nesting_max
            type_section_bytes_max type_sections_max types_max functions_max function_bytes_max locals_max
            module_locals_max exports_max segments_max globals_max tables_max table_elements_max
            memory_pages_max stack_bytes_max start_fuel row_fuel unit_rows_max unit_string_bytes_max
            string_input_bytes_max string_output_bytes_max instances_max
        )
    }

    /// Bytes of linear memory a model may reach.
    pub(crate) fn memory_bytes_max(&self) -> usize {
        usize::try_from(self.memory_pages_max.saturating_mul(PAGE_BYTES)).unwrap_or(usize::MAX)
    }
}
