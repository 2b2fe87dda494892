//! What is checked of a core module before its type information is decoded.

use wasmparser::{Parser, Payload};

use super::TYPE_SECTION;
use crate::admit::{at_most, check_nesting, imported, invalid};
use crate::error::ModelError;
use crate::limits::Limits;

/// Checks that the module imports nothing and carries type information of bounded size, number and depth.
pub(super) fn check(module: &[u8], limits: &Limits) -> Result<(), ModelError> {
    let (mut sections, mut bytes) = (0_u64, 0_u64);
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(invalid)? {
            Payload::CustomSection(section) if section.name().starts_with(TYPE_SECTION) => {
                sections += 1;
                bytes += section.data().len() as u64;
                check_nesting(section.data(), limits)?;
            }
            Payload::ImportSection(imports) => {
                if let Some(import) = imports.into_imports().next() {
                    let import = import.map_err(invalid)?;
                    let name = format!("{}.{}", import.module, import.name);
                    return Err(imported("from its core module", &name));
                }
            }
            _ => {}
        }
        at_most(
            "sections of type information",
            sections,
            limits.type_sections_max as u64,
        )?;
        at_most(
            "bytes of type information",
            bytes,
            limits.type_section_bytes_max as u64,
        )?;
    }
    match sections {
        0 => Err(ModelError::CoreModule),
        _ => Ok(()),
    }
}
