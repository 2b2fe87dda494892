//! Random signatures: a model that returns its parameters must return the columns it was given, in whichever of its
//! two ways the canonical ABI passes them, flat or in memory.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::DataType;
use proptest::prelude::*;

use crate::support::{compile, component, evaluate, texts};

/// Name in WIT, type on the stack, size in memory, and the store; a string is two words.
const TYPES: [(&str, &str, u32, &str); 13] = [
    ("bool", "i32", 1, "i32.store8"),
    ("s8", "i32", 1, "i32.store8"),
    ("s16", "i32", 2, "i32.store16"),
    ("s32", "i32", 4, "i32.store"),
    ("s64", "i64", 8, "i64.store"),
    ("u8", "i32", 1, "i32.store8"),
    ("u16", "i32", 2, "i32.store16"),
    ("u32", "i32", 4, "i32.store"),
    ("u64", "i64", 8, "i64.store"),
    ("f32", "f32", 4, "f32.store"),
    ("f64", "f64", 8, "f64.store"),
    ("side", "i32", 1, "i32.store8"),
    ("string", "i32", 8, "i32.store"),
];

#[derive(Clone, Copy, Debug)]
struct Field {
    ty: usize,
    optional: bool,
}

impl Field {
    fn flat(self) -> usize {
        usize::from(self.optional) + if TYPES[self.ty].0 == "string" { 2 } else { 1 }
    }

    fn wit(self) -> String {
        match self.optional {
            true => format!("option<{}>", TYPES[self.ty].0),
            false => TYPES[self.ty].0.to_owned(),
        }
    }

    /// A column from a number per row; the number also decides where an optional one is null.
    fn column(self, numbers: &[u64]) -> ArrayRef {
        macro_rules! column {
            ($array:ty, $value:expr) => {
                Arc::new(
                    numbers
                        .iter()
                        .map(|n| (!(self.optional && n % 3 == 0)).then_some($value(*n)))
                        .collect::<$array>(),
                )
            };
        }
        match TYPES[self.ty].0 {
            "bool" => column!(BooleanArray, |n: u64| n & 8 != 0),
            "s8" => column!(Int8Array, |n| n as i8),
            "s16" => column!(Int16Array, |n| n as i16),
            "s32" => column!(Int32Array, |n| n as i32),
            "s64" => column!(Int64Array, |n| n as i64),
            "u8" => column!(UInt8Array, |n| n as u8),
            "u16" => column!(UInt16Array, |n| n as u16),
            "u32" => column!(UInt32Array, |n| n as u32),
            "u64" => column!(UInt64Array, |n| n),
            "f32" => column!(Float32Array, |n| n as f32),
            "f64" => column!(Float64Array, |n| n as f64 / 7.0),
            "side" => column!(StringArray, |n: u64| if n & 8 != 0 {
                "left"
            } else {
                "right"
            }),
            _ => column!(StringArray, |n: u64| format!("{n:x}é")[(n % 9) as usize..]
                .to_owned()),
        }
    }
}

/// The core module. Given its arguments in memory, it returns their address: a record lies as a list of parameters
/// does. Given them flat, it stores them where the ABI says, worked out here anew.
fn core(fields: &[Field]) -> String {
    let (mut params, mut code, mut at, mut local) = (String::new(), String::new(), 0_u32, 0);
    let mut store = |store: &str, ty: &str, at: u32| {
        params.push_str(&format!(" {ty}"));
        code.push_str(&format!(
            "({store} offset={at} (i32.const 64) (local.get {local}))"
        ));
        local += 1;
    };
    for field in fields {
        let (name, ty, size, instruction) = TYPES[field.ty];
        let align = if name == "string" { 4 } else { size };
        at = at.next_multiple_of(align);
        if field.optional {
            store("i32.store8", "i32", at);
            at += align;
        }
        store(instruction, ty, at);
        if name == "string" {
            store("i32.store", "i32", at + 4);
        }
        at += size;
    }
    let flat: usize = fields.iter().map(|field| field.flat()).sum();
    let row = match flat {
        1 => format!(r#"(func (export "row") (param{params}) (result{params}) local.get 0)"#),
        2..=16 => {
            format!(r#"(func (export "row") (param{params}) (result i32) {code} (i32.const 64))"#)
        }
        _ => r#"(func (export "row") (param i32) (result i32) local.get 0)"#.to_owned(),
    };
    format!(
        r#"(module (memory (export "memory") 1) (global $heap (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            {row})"#
    )
}

fn model(fields: &[Field]) -> Vec<u8> {
    let list = |separator: &str| {
        let fields = fields.iter().enumerate();
        fields
            .map(|(n, field)| format!("{separator}{n}: {}", field.wit()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    // An enum that no field has is not allowed to be in the world.
    let world = format!(
        "enum side {{ left, right }} record outcome {{ {}, s: option<side> }} export row: func({}, s: option<side>) -> outcome;",
        list("out"),
        list("in")
    );
    let mut fields = fields.to_vec();
    fields.push(Field {
        ty: 11,
        optional: true,
    });
    component(
        &world.replace(", s: option<side> }", ", t: option<side> }"),
        &core(&fields),
    )
}

fn field() -> impl Strategy<Value = Field> {
    (0..TYPES.len(), any::<bool>()).prop_map(|(ty, optional)| Field { ty, optional })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(crate::support::cases(24)) })]

    #[test]
    fn what_goes_in_comes_out(
        fields in prop_oneof![
            prop::collection::vec(field(), 1..7),
            prop::collection::vec(field(), 8..24),
        ],
        numbers in prop::collection::vec(any::<u64>(), 1..20),
    ) {
        let mut columns: Vec<ArrayRef> = fields.iter().map(|field| field.column(&numbers)).collect();
        columns.push(Field { ty: 11, optional: true }.column(&numbers));
        let mut names: Vec<String> = (0..fields.len()).map(|n| format!("in{n}")).collect();
        names.push("s".to_owned());
        let named: Vec<(&str, ArrayRef)> = names.iter().map(String::as_str).zip(columns.iter().cloned()).collect();
        let answer = evaluate(&compile(&model(&fields)).unwrap(), &named);
        for (found, column) in answer.columns().iter().zip(&columns) {
            match found.data_type() {
                DataType::Dictionary(..) => prop_assert_eq!(&texts(found) as &dyn Array, column.as_ref()),
                _ => prop_assert_eq!(found, column),
            }
        }
    }
}

/// More rows and more string bytes than fit a run, with strings of every length up to the limits in and out.
#[test]
fn strings_of_every_length_over_many_runs() {
    let fields = [
        Field {
            ty: 12,
            optional: false,
        },
        Field {
            ty: 12,
            optional: true,
        },
    ];
    let of = |row: usize, times: usize| "abcdefg".repeat(times)[..(row * 37) % 1_024].to_owned();
    let first: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..3_000).map(|row| of(row, 147)),
    ));
    let second: ArrayRef = Arc::new(StringArray::from_iter(
        (0..3_000).map(|row| (row % 5 != 0).then(|| of(row + 11, 147))),
    ));
    let side: ArrayRef = Arc::new(StringArray::from_iter((0..3_000).map(|_| Some("left"))));
    let named = [
        ("in0", Arc::clone(&first)),
        ("in1", Arc::clone(&second)),
        ("s", side),
    ];
    let answer = evaluate(&compile(&model(&fields)).unwrap(), &named);
    assert_eq!(answer.column(0), &first);
    assert_eq!(answer.column(1), &second);
}
