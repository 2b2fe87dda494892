//! Which instructions reach into memory, and how far.

use wasm_encoder::ValType;
use wasmparser::{MemArg, Operator};

/// A load or store: where its address is on the stack and how many bytes it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Constant part of the address, in bytes.
    pub(crate) offset: u64,
    /// Bytes reached from the address.
    pub(crate) bytes: u32,
    /// The operand on top of the address, if there is one.
    pub(crate) operand: Option<ValType>,
    store: bool,
}

impl Access {
    pub(crate) fn is_store(&self) -> bool {
        self.store
    }
}

/// One table for the code below and for the test that it is complete.
macro_rules! accesses {
    ($($operator:ident $bytes:literal $operand:expr, $store:literal;)*) => {
        impl Access {
            /// The access an instruction makes; nothing when it makes none, or is one of the bulk instructions, whose
            /// length is an operand.
            pub(crate) fn of(operator: &Operator<'_>) -> Option<Self> {
                let (memarg, bytes, operand, store): (&MemArg, u32, Option<ValType>, bool) = match operator {
                    $(Operator::$operator { memarg, .. } => (memarg, $bytes, $operand, $store),)*
                    _ => return None,
                };
                Some(Self { offset: memarg.offset, bytes, operand, store })
            }
        }

        #[cfg(test)]
        const KNOWN: &[(&str, u32)] = &[$((stringify!($operator), $bytes)),*];
    };
}

accesses! {
    I32Load 4 None, false;
    I64Load 8 None, false;
    F32Load 4 None, false;
    F64Load 8 None, false;
    I32Load8S 1 None, false;
    I32Load8U 1 None, false;
    I32Load16S 2 None, false;
    I32Load16U 2 None, false;
    I64Load8S 1 None, false;
    I64Load8U 1 None, false;
    I64Load16S 2 None, false;
    I64Load16U 2 None, false;
    I64Load32S 4 None, false;
    I64Load32U 4 None, false;
    V128Load 16 None, false;
    V128Load8x8S 8 None, false;
    V128Load8x8U 8 None, false;
    V128Load16x4S 8 None, false;
    V128Load16x4U 8 None, false;
    V128Load32x2S 8 None, false;
    V128Load32x2U 8 None, false;
    V128Load8Splat 1 None, false;
    V128Load16Splat 2 None, false;
    V128Load32Splat 4 None, false;
    V128Load64Splat 8 None, false;
    V128Load32Zero 4 None, false;
    V128Load64Zero 8 None, false;
    V128Load8Lane 1 Some(ValType::V128), false;
    V128Load16Lane 2 Some(ValType::V128), false;
    V128Load32Lane 4 Some(ValType::V128), false;
    V128Load64Lane 8 Some(ValType::V128), false;
    I32Store 4 Some(ValType::I32), true;
    I64Store 8 Some(ValType::I64), true;
    F32Store 4 Some(ValType::F32), true;
    F64Store 8 Some(ValType::F64), true;
    I32Store8 1 Some(ValType::I32), true;
    I32Store16 2 Some(ValType::I32), true;
    I64Store8 1 Some(ValType::I64), true;
    I64Store16 2 Some(ValType::I64), true;
    I64Store32 4 Some(ValType::I64), true;
    V128Store 16 Some(ValType::V128), true;
    V128Store8Lane 1 Some(ValType::V128), true;
    V128Store16Lane 2 Some(ValType::V128), true;
    V128Store32Lane 4 Some(ValType::V128), true;
    V128Store64Lane 8 Some(ValType::V128), true;
}

#[cfg(test)]
mod tests {
    use super::KNOWN;

    /// Names of all instructions with a memory operand that the validator knows, with their proposal.
    macro_rules! with_memarg {
        ($( @$proposal:ident $operator:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident ($($annotation:tt)*))*) => {
            vec![$((
                stringify!($proposal),
                stringify!($operator),
                [$($(stringify!($field)),*)?].contains(&"memarg"),
            )),*]
        };
    }

    /// An instruction that this table misses would store without being tracked.
    #[test]
    fn every_instruction_with_a_memory_operand_is_known() {
        let all: Vec<(&str, &str, bool)> = wasmparser::for_each_operator!(with_memarg);
        let reaching: Vec<&str> = all
            .iter()
            .filter(|(proposal, _, memarg)| *memarg && !proposal.contains("threads"))
            .map(|(_, operator, _)| *operator)
            .collect();
        assert_eq!(reaching.len(), KNOWN.len(), "{reaching:?}");
        for (operator, _) in KNOWN {
            assert!(reaching.contains(operator), "{operator}");
        }
    }

    /// The bytes reached are those in the name: after `Load` or `Store`, or else the width of the type before it.
    #[test]
    fn widths_are_those_in_the_names() {
        for (name, bytes) in KNOWN {
            let (ty, width) = name
                .split_once("Load")
                .or(name.split_once("Store"))
                .unwrap_or_default();
            let digits = |text: &str| {
                text.chars()
                    .filter(char::is_ascii_digit)
                    .collect::<String>()
            };
            let bits: u32 = match digits(width).as_str() {
                "" => digits(ty).parse().unwrap_or(0),
                _ => width
                    .split('x')
                    .map(|part| digits(part).parse().unwrap_or(0))
                    .product(),
            };
            assert_eq!(bits, bytes * 8, "{name}");
        }
    }
}
