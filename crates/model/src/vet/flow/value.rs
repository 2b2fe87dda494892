//! What the analysis knows of one value.

/// A constant operand, whole or fractional. Whole ones of 32 bits are extended by their sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Constant {
    Whole(i64),
    /// The bits of an `f64`, to which an `f32` is widened.
    Fraction(u64),
}

impl Constant {
    pub(crate) fn of_f32(bits: u32) -> Self {
        Self::Fraction(f64::from(f32::from_bits(bits)).to_bits())
    }

    /// The distance from zero, by which identifiers are told from classes.
    pub(crate) fn magnitude(self) -> f64 {
        match self {
            Self::Whole(value) => value.unsigned_abs() as f64,
            Self::Fraction(bits) => f64::from_bits(bits).abs(),
        }
    }
}

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Fraction(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
        }
    }
}

/// A value on the stack, in a local or in a global.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// Inputs it is computed from, one bit each.
    pub(crate) inputs: u128,
    /// What it is, where that is known.
    pub(crate) constant: Option<Constant>,
    /// A constant that was taken off or mixed in: where this is zero, the value before was that constant.
    pub(crate) apart: Option<Constant>,
    /// Whether it points at the bytes of a string, which belong to the input as the pointer does.
    pub(crate) pointer: bool,
    /// Where in the block of parameters it points to, when they are passed in memory.
    pub(crate) block: Option<u32>,
    /// Whether it was read from memory at a place that no input chose.
    pub(crate) loaded: bool,
}

impl Value {
    pub(crate) fn of_constant(constant: Constant) -> Self {
        Self {
            constant: Some(constant),
            ..Self::default()
        }
    }

    /// What may be either of two.
    pub(crate) fn join(self, other: Self) -> Self {
        let same = |a: Option<Constant>, b: Option<Constant>| a.filter(|_| a == b);
        Self {
            inputs: self.inputs | other.inputs,
            constant: same(self.constant, other.constant),
            apart: same(self.apart, other.apart),
            pointer: self.pointer || other.pointer,
            block: self.block.filter(|_| self.block == other.block),
            loaded: self.loaded || other.loaded,
        }
    }

    /// What is computed from this value and others.
    pub(crate) fn derived(self) -> Self {
        Self {
            inputs: self.inputs,
            pointer: self.pointer,
            loaded: self.loaded,
            ..Self::default()
        }
    }
}
