//! From the validator's types to a signature: which parameters and results have a column.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId, ComponentEntityType,
    ComponentValType,
};
use wasmparser::names::KebabString;
use wasmparser::{PrimitiveValType, types::TypesRef};

use super::bounds::at_most;
use super::shape::{Shape, no_function};
use crate::error::{ModelError, quoted};
use crate::limits::Limits;
use crate::signature::{CASES_MAX, Domain, Grain, Input, Output, Rows, Signature, ValueType};

/// Depth to which a refused type is written out in a message.
const DESCRIBED_DEPTH_MAX: u32 = 3;
const VALUE_HELP: &str =
    "use `bool`, an integer, `f32`, `f64`, `string`, an `enum`, or an `option` of one of these";
const RESULT_HELP: &str = "return a `record` of columns, or a single value: `bool`, an integer, `f32`, `f64`, `string`, \
     an `enum`, or an `option` of one of these";

const ROWS_HELP: &str = "`unit` takes one parameter, the rows of a unit: a `list` of a `record` whose fields are columns";

/// Reads the signature of `row` or `unit`.
pub(super) fn read(shape: &Shape, limits: &Limits) -> Result<Signature, ModelError> {
    let reader = Reader {
        types: shape.types.as_ref(),
        names: type_names(shape),
        limits,
    };
    let function = reader
        .types
        .component_item_for_export(shape.grain.export())
        .map(|item| item.ty);
    let Some(ComponentEntityType::Func(function)) = function else {
        return Err(no_function());
    };
    let function = &reader.types[function];
    let result = function.result.ok_or(ModelError::NoResult)?;
    let (outputs, record) = reader.outputs(result, shape.grain)?;
    let (inputs, rows) = match shape.grain {
        Grain::Row => (
            reader.inputs(
                "parameter",
                function.params.iter().map(|(name, ty)| (name, *ty)),
            )?,
            None,
        ),
        Grain::Unit => {
            let (inputs, rows) = reader.rows(&function.params)?;
            (inputs, Some(rows))
        }
    };
    Ok(Signature {
        package: shape.package.clone(),
        inputs,
        outputs,
        record,
        rows,
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
    /// The columns that the fields of `unit`'s records name, and how the records are declared.
    fn rows(
        &self,
        params: &[(KebabString, ComponentValType)],
    ) -> Result<(Vec<Input>, Rows), ModelError> {
        let [(name, ty)] = params else {
            return Err(ModelError::Type {
                place: "what `unit` takes".to_owned(),
                ty: format!("{} parameters", params.len()),
                help: ROWS_HELP,
            });
        };
        let element = match self.defined(*ty) {
            Some((_, ComponentDefinedType::List { element, .. })) => self.defined(*element),
            _ => None,
        };
        let Some((id, ComponentDefinedType::Record(record))) = element else {
            return Err(ModelError::Type {
                place: format!("parameter `{}`", quoted(name)),
                ty: self.describe(*ty, DESCRIBED_DEPTH_MAX),
                help: ROWS_HELP,
            });
        };
        self.name_fits(name)?;
        let rows = Rows {
            param: quoted(name),
            record: self
                .names
                .get(&id)
                .cloned()
                .unwrap_or_else(|| "row".to_owned()),
            fields: record.fields.keys().map(ToString::to_string).collect(),
        };
        Ok((
            self.inputs(
                "record field",
                record.fields.iter().map(|(name, ty)| (name, *ty)),
            )?,
            rows,
        ))
    }

    fn inputs<'a>(
        &self,
        place: &'static str,
        values: impl ExactSizeIterator<Item = (&'a KebabString, ComponentValType)>,
    ) -> Result<Vec<Input>, ModelError> {
        at_most(
            "parameters",
            values.len() as u64,
            self.limits.params_max as u64,
        )?;
        let mut seen = HashSet::new();
        let mut inputs = Vec::with_capacity(values.len());
        for (name, ty) in values {
            let column = self.column(place, name, &mut seen)?;
            let described = format!("{place} `{}`", quoted(name));
            let (ty, optional) = self.value(ty, name, &described, VALUE_HELP)?;
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
        grain: Grain,
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
        let (ty, optional) = self.value(
            result,
            "value",
            &format!("the result of `{}`", grain.export()),
            RESULT_HELP,
        )?;
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
