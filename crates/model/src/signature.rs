//! What a model takes and returns: its manifest.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;

/// A closed set of values, from a WIT `enum`. The case names are the data values, in declaration order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Domain {
    /// Name of the type in WIT.
    pub name: String,
    /// The values, kebab-case as declared: `on-time`.
    pub cases: Vec<String>,
}

/// Cases that one byte can number: as many as an enum may have.
pub(crate) const CASES_MAX: usize = 256;

impl Domain {
    /// The values as an Arrow column.
    pub(crate) fn column(&self) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(&self.cases))
    }
}

/// Type of one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of WIT")]
pub enum ValueType {
    Bool,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    String,
    Enum(Arc<Domain>),
}

impl ValueType {
    /// The Arrow type of a column of such values that a model returns: an enum is a dictionary of its cases, all of them,
    /// in declaration order, so that a key is the number of its case.
    pub fn output_type(&self) -> DataType {
        match self {
            Self::Enum(_) => {
                DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8))
            }
            other => other.arrow_type(),
        }
    }

    /// The Arrow type of a column of such values that a model reads. Enums are strings.
    pub fn arrow_type(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::S8 => DataType::Int8,
            Self::S16 => DataType::Int16,
            Self::S32 => DataType::Int32,
            Self::S64 => DataType::Int64,
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::F32 => DataType::Float32,
            Self::F64 => DataType::Float64,
            Self::String | Self::Enum(_) => DataType::Utf8,
        }
    }

    /// The closed domain, when the type is an enum.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Enum(domain) => Some(domain),
            _ => None,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::S64 => "s64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::String => "string",
            Self::Enum(domain) => &domain.name,
        })
    }
}

/// A parameter of `row`, or a field of the records that `unit` takes: a column the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Column name: the parameter's or field's name in small letters, `_` for `-`.
    pub column: String,
    /// Type of the value.
    pub ty: ValueType,
    /// Whether the model takes nulls (`option<…>`). Where it does not, a row with a null fails without a call.
    pub optional: bool,
}

/// A column the model returns. Nullable always: a failed row is null in every output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Column name: the record field's name in small letters, `_` for `-`, or `value` for a result that is no record.
    pub column: String,
    /// Type of the value.
    pub ty: ValueType,
    /// Whether the model itself may return null (`option<…>`).
    pub optional: bool,
}

impl Output {
    /// The values that the column can hold beside null, in declaration order, when they are a closed set.
    pub fn domain(&self) -> Option<&Domain> {
        self.ty.domain()
    }
}

/// What a model is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grain {
    /// One row: the model exports `row`.
    Row,
    /// All rows of one unit: the model exports `unit`.
    Unit,
}

impl Grain {
    /// Name of the function that a model of this grain exports.
    pub fn export(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Unit => "unit",
        }
    }

    pub(crate) fn of(export: &str) -> Option<Self> {
        [Self::Row, Self::Unit]
            .into_iter()
            .find(|grain| grain.export() == export)
    }
}

/// How the parameter of `unit` is declared: a list of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Name of the parameter.
    pub(crate) param: String,
    /// Name of the record type.
    pub(crate) record: String,
    /// Names of its fields as declared, in the order of the inputs.
    pub(crate) fields: Vec<String>,
}

/// A model's signature as read from its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Package name and version that the component claims for itself, for example `weir:disruption@1.0.0`. A label: nothing
    /// may be decided by it.
    pub package: Option<String>,
    /// Columns read, in the order of the parameters, or of the fields of `unit`'s records.
    pub inputs: Vec<Input>,
    /// Columns returned, in field order.
    pub outputs: Vec<Output>,
    /// Name of the result's record type; none when the result is a single value.
    pub(crate) record: Option<String>,
    /// Of `unit`: how its parameter is declared.
    pub(crate) rows: Option<Rows>,
}

impl Signature {
    /// What the model is called with.
    pub fn grain(&self) -> Grain {
        match self.rows {
            Some(_) => Grain::Unit,
            None => Grain::Row,
        }
    }

    /// Whether the result is a single value instead of a record.
    pub fn is_single(&self) -> bool {
        self.record.is_none()
    }

    /// Every enum of the signature once, in order of first use.
    fn domains(&self) -> Vec<&Domain> {
        let mut seen: Vec<&Domain> = Vec::new();
        let inputs = self.inputs.iter().map(|input| &input.ty);
        for ty in inputs.chain(self.outputs.iter().map(|output| &output.ty)) {
            if let Some(domain) = ty.domain()
                && !seen.contains(&domain)
            {
                seen.push(domain);
            }
        }
        seen
    }
}

/// WIT text of one item, `name: type`.
struct Item<'a>(&'a str, &'a ValueType, bool);

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            write!(f, "{}: ", self.0.replace('_', "-"))?;
        }
        match self.2 {
            true => write!(f, "option<{}>", self.1),
            false => write!(f, "{}", self.1),
        }
    }
}

fn comma_separated<'a>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = Item<'a>>,
) -> fmt::Result {
    for (position, item) in items.enumerate() {
        write!(f, "{}{item}", if position == 0 { "" } else { ", " })?;
    }
    Ok(())
}

/// WIT text of the model, for people: what the component itself says, with names in their column form.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(package) = &self.package {
            writeln!(f, "package {package};")?;
        }
        writeln!(f, "world model {{")?;
        for domain in self.domains() {
            writeln!(
                f,
                "  enum {} {{ {} }}",
                domain.name,
                domain.cases.join(", ")
            )?;
        }
        let outputs = || {
            self.outputs
                .iter()
                .map(|output| Item(&output.column, &output.ty, output.optional))
        };
        if let Some(record) = &self.record {
            write!(f, "  record {record} {{ ")?;
            comma_separated(f, outputs())?;
            writeln!(f, " }}")?;
        }
        let inputs = || {
            self.inputs
                .iter()
                .map(|input| Item(&input.column, &input.ty, input.optional))
        };
        if let Some(rows) = &self.rows {
            write!(f, "  record {} {{ ", rows.record)?;
            comma_separated(f, inputs())?;
            write!(
                f,
                " }}\n  export unit: func({}: list<{}>",
                rows.param, rows.record
            )?;
        } else {
            write!(f, "  export row: func(")?;
            comma_separated(f, inputs())?;
        }
        write!(f, ") -> ")?;
        match &self.record {
            Some(record) => write!(f, "{record}")?,
            None => comma_separated(
                f,
                self.outputs
                    .iter()
                    .map(|output| Item("", &output.ty, output.optional)),
            )?,
        }
        write!(f, ";\n}}")
    }
}
