//! From the validator's types to a signature: which parameters and results have a column.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentValType,
};
use wasmparser::names::KebabString;
use wasmparser::{PrimitiveValType, types::TypesRef};

use super::shape::{Shape, at_most};
use crate::error::{ModelError, quoted};
use crate::limits::Limits;
use crate::signature::{CASES_MAX, Domain, Input, Output, Signature, ValueType};

/// Depth to which a refused type is written out in a message.
const DESCRIBED_DEPTH_MAX: u32 = 3;
const VALUE_HELP: &str =
    "use `bool`, an integer, `f32`, `f64`, `string`, an `enum`, or an `option` of one of these";
const RESULT_HELP: &str = "return a `record` of columns, or a single value: `bool`, an integer, `f32`, `f64`, `string`, \
     an `enum`, or an `option` of one of these";

/// Reads the signature of `row`.
pub(super) fn read(shape: &Shape, limits: &Limits) -> Result<Signature, ModelError> {
    let reader = Reader {
        types: shape.types.as_ref(),
        names: type_names(shape),
        limits,
    };
    let row = reader
        .types
        .component_item_for_export("row")
        .map(|item| item.ty);
    let Some(ComponentEntityType::Func(function)) = row else {
        return Err(ModelError::Exports {
            what: "exports no function `row`".to_owned(),
        });
    };
    let function = &reader.types[function];
    let (outputs, record) = reader.outputs(function.result.ok_or(ModelError::NoResult)?)?;
    Ok(Signature {
        package: shape.package.clone(),
        inputs: reader.inputs(&function.params)?,
        outputs,
        record,
    })
}

/// Named types of the signature, by both identities the validator gives them.
fn type_names(shape: &Shape) -> HashMap<ComponentDefinedTypeId, String> {
    let types = shape.types.as_ref();
    let mut names = HashMap::new();
    for name in &shape.type_names {
        let item = types
            .component_item_for_export(name)
            .or_else(|| types.component_item_for_import(name));
        if let Some(ComponentEntityType::Type {
            referenced,
            created,
        }) = item.map(|item| item.ty)
        {
            for id in [referenced, created] {
                if let ComponentAnyTypeId::Defined(id) = id {
                    names.insert(id, quoted(name));
                }
            }
        }
    }
    names
}

struct Reader<'a> {
    types: TypesRef<'a>,
    names: HashMap<ComponentDefinedTypeId, String>,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn inputs(&self, params: &[(KebabString, ComponentValType)]) -> Result<Vec<Input>, ModelError> {
        at_most(
            "parameters",
            params.len() as u64,
            self.limits.params_max as u64,
        )?;
        let mut seen = HashSet::new();
        let mut inputs = Vec::with_capacity(params.len());
        for (name, ty) in params {
            let column = self.column("parameter", name, &mut seen)?;
            let (ty, optional) = self.value(
                *ty,
                name,
                &format!("parameter `{}`", quoted(name)),
                VALUE_HELP,
            )?;
            inputs.push(Input {
                column,
                ty,
                optional,
            });
        }
        Ok(inputs)
    }

    /// Columns of the result, and the record's name when it is a record.
    fn outputs(
        &self,
        result: ComponentValType,
    ) -> Result<(Vec<Output>, Option<String>), ModelError> {
        if let Some((id, ComponentDefinedType::Record(record))) = self.defined(result) {
            at_most(
                "result fields",
                record.fields.len() as u64,
                self.limits.outputs_max as u64,
            )?;
            let mut seen = HashSet::new();
            let mut outputs = Vec::with_capacity(record.fields.len());
            for (name, ty) in &record.fields {
                let column = self.column("result field", name, &mut seen)?;
                let place = format!("result field `{}`", quoted(name));
                let (ty, optional) = self.value(*ty, name, &place, VALUE_HELP)?;
                outputs.push(Output {
                    column,
                    ty,
                    optional,
                });
            }
            let name = self.names.get(&id).cloned();
            return Ok((outputs, Some(name.unwrap_or_else(|| "outcome".to_owned()))));
        }
        let (ty, optional) = self.value(result, "value", "the result of `row`", RESULT_HELP)?;
        let column = "value".to_owned();
        Ok((
            vec![Output {
                column,
                ty,
                optional,
            }],
            None,
        ))
    }

    /// The column a WIT name stands for.
    fn column(
        &self,
        place: &'static str,
        name: &str,
        seen: &mut HashSet<String>,
    ) -> Result<String, ModelError> {
        self.name_fits(name)?;
        let column = name.replace('-', "_").to_ascii_lowercase();
        if !seen.insert(column.clone()) {
            return Err(ModelError::DuplicateColumn { place, column });
        }
        Ok(column)
    }

    fn name_fits(&self, name: &str) -> Result<(), ModelError> {
        at_most(
            "bytes in a name",
            name.len() as u64,
            self.limits.name_bytes_max as u64,
        )
    }

    /// The type of one value and whether it is optional.
    fn value(
        &self,
        ty: ComponentValType,
        name: &str,
        place: &str,
        help: &'static str,
    ) -> Result<(ValueType, bool), ModelError> {
        let (inner, optional) = match self.defined(ty) {
            Some((_, ComponentDefinedType::Option { ty, .. })) => (*ty, true),
            _ => (ty, false),
        };
        match self.plain(inner, name)? {
            Some(value) => Ok((value, optional)),
            None => Err(ModelError::Type {
                place: place.to_owned(),
                ty: self.describe(ty, DESCRIBED_DEPTH_MAX),
                help,
            }),
        }
    }

    /// A scalar or an enum; nothing for any other type.
    fn plain(&self, ty: ComponentValType, name: &str) -> Result<Option<ValueType>, ModelError> {
        let (id, cases) = match ty {
            ComponentValType::Primitive(primitive) => return Ok(scalar(primitive)),
            ComponentValType::Type(id) => match &self.types[id] {
                ComponentDefinedType::Primitive(primitive) => return Ok(scalar(*primitive)),
                ComponentDefinedType::Enum(cases) => (id, cases),
                _ => return Ok(None),
            },
        };
        at_most(
            "cases in one enum",
            cases.len() as u64,
            self.limits.enum_cases_max.min(CASES_MAX) as u64,
        )?;
        for case in cases {
            self.name_fits(case)?;
        }
        Ok(Some(ValueType::Enum(Arc::new(Domain {
            name: self
                .names
                .get(&id)
                .cloned()
                .unwrap_or_else(|| name.to_owned()),
            cases: cases.iter().map(ToString::to_string).collect(),
        }))))
    }

    fn defined(
        &self,
        ty: ComponentValType,
    ) -> Option<(ComponentDefinedTypeId, &ComponentDefinedType)> {
        match ty {
            ComponentValType::Primitive(_) => None,
            ComponentValType::Type(id) => Some((id, &self.types[id])),
        }
    }

    /// A type as WIT would write it, for messages.
    fn describe(&self, ty: ComponentValType, depth: u32) -> String {
        let Some((id, defined)) = self.defined(ty) else {
            return match ty {
                ComponentValType::Primitive(primitive) => primitive.to_string(),
                ComponentValType::Type(_) => "…".to_owned(),
            };
        };
        if depth == 0 {
            return "…".to_owned();
        }
        let inner = |ty: &ComponentValType| self.describe(*ty, depth - 1);
        let part =
            |ty: &Option<ComponentValType>| ty.as_ref().map_or_else(|| "_".to_owned(), inner);
        match defined {
            ComponentDefinedType::Primitive(primitive) => primitive.to_string(),
            ComponentDefinedType::List { element, .. } => format!("list<{}>", inner(element)),
            ComponentDefinedType::Option { ty, .. } => format!("option<{}>", inner(ty)),
            ComponentDefinedType::Result { ok, err, .. } => {
                format!("result<{}, {}>", part(ok), part(err))
            }
            ComponentDefinedType::Tuple(_) => "tuple<…>".to_owned(),
            ComponentDefinedType::Record(_) => self.named("record", id),
            ComponentDefinedType::Variant(_) => self.named("variant", id),
            ComponentDefinedType::Flags(_) => self.named("flags", id),
            ComponentDefinedType::Enum(_) => self.named("enum", id),
            _ => "a handle, stream, map or array".to_owned(),
        }
    }

    fn named(&self, kind: &str, id: ComponentDefinedTypeId) -> String {
        match self.names.get(&id) {
            Some(name) => format!("{kind} {name}"),
            None => kind.to_owned(),
        }
    }
}

fn scalar(primitive: PrimitiveValType) -> Option<ValueType> {
    Some(match primitive {
        PrimitiveValType::Bool => ValueType::Bool,
        PrimitiveValType::S8 => ValueType::S8,
        PrimitiveValType::S16 => ValueType::S16,
        PrimitiveValType::S32 => ValueType::S32,
        PrimitiveValType::S64 => ValueType::S64,
        PrimitiveValType::U8 => ValueType::U8,
        PrimitiveValType::U16 => ValueType::U16,
        PrimitiveValType::U32 => ValueType::U32,
        PrimitiveValType::U64 => ValueType::U64,
        PrimitiveValType::F32 => ValueType::F32,
        PrimitiveValType::F64 => ValueType::F64,
        PrimitiveValType::String => ValueType::String,
        PrimitiveValType::Char | PrimitiveValType::ErrorContext => return None,
    })
}
