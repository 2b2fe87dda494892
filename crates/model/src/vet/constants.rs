//! Constants: where a list of targets would have to be.

use std::collections::BTreeSet;

use wasmparser::{DataKind, Operator, Parser, Payload};

use super::limits::{VetLimits, look};
use super::report::{CodeReport, ConstantsReport};
use crate::core::CoreModule;
use crate::weave::Access;

/// Bytes in a window whose entropy is looked at, and by how many the window moves.
const WINDOW_BYTES: usize = 256;
const WINDOW_STEP: usize = 64;
/// Distinct constants kept; more are counted as this many.
const CONSTANTS_MAX: usize = 1 << 20;
/// Words of the data kept as values to try.
const IN_DATA_MAX: usize = 4_096;
/// Shortest piece of text shown, and the longest, in characters.
const EXCERPT_CHARS_MIN: usize = 6;
const EXCERPT_CHARS_MAX: usize = 48;

/// What is counted of a model.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) code: CodeReport,
    pub(super) constants: ConstantsReport,
    /// Constants worth trying as input values.
    pub(super) numbers: BTreeSet<i64>,
    /// Whole numbers that the data could hold.
    pub(super) in_data: Vec<i64>,
    pub(super) fractions: BTreeSet<u64>,
    pub(super) texts: Vec<String>,
}

/// Counts over one core module, which admission has validated.
pub(super) fn count(
    bytes: &[u8],
    module: &CoreModule<'_>,
    limits: &VetLimits,
) -> wasmparser::Result<Figures> {
    let mut figures = Figures::default();
    let data = data_of(bytes)?;
    describe_data(&mut figures, &data, limits);
    let code = &mut figures.code;
    code.functions = module.bodies.len() as u64;
    code.memory_pages = module.memory.map_or(0, |memory| memory.initial);
    code.start = module.start.is_some();
    for body in &module.bodies {
        figures.code.code_bytes += body.range().len() as u64;
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            figures.note(&reader.read()?);
        }
    }
    figures.finish();
    Ok(figures)
}

impl Figures {
    fn note(&mut self, operator: &Operator<'_>) {
        let code = &mut self.code;
        code.instructions += 1;
        match operator {
            Operator::Loop { .. } => code.loops += 1,
            Operator::CallIndirect { .. } => code.indirect_calls += 1,
            Operator::MemoryGrow { .. } => code.grows_memory = true,
            Operator::I32Const { value } => self.number((*value).into()),
            Operator::I64Const { value } => self.number(*value),
            Operator::F32Const { value } => {
                self.fraction(f64::from(f32::from_bits(value.bits())).to_bits());
            }
            Operator::F64Const { value } => self.fraction(value.bits()),
            Operator::V128Const { value } => {
                for half in value.bytes().chunks_exact(8) {
                    self.number(i64::from_le_bytes(half.try_into().unwrap_or_default()));
                }
            }
            Operator::BrTable { targets } => {
                let ways = u64::from(targets.len());
                self.constants.branches_max = self.constants.branches_max.max(ways);
            }
            operator => {
                if let Some(access) = Access::of(operator) {
                    match access.is_store() {
                        true => code.stores += 1,
                        false => code.loads += 1,
                    }
                }
            }
        }
    }

    fn number(&mut self, value: i64) {
        if self.numbers.len() < CONSTANTS_MAX {
            self.numbers.insert(value);
        }
    }

    fn fraction(&mut self, bits: u64) {
        if self.fractions.len() < CONSTANTS_MAX {
            self.fractions.insert(bits);
        }
    }

    fn finish(&mut self) {
        let wide =
            |value: &&i64| i32::try_from(**value).is_err() && u32::try_from(**value).is_err();
        let large = |value: &&i64| value.unsigned_abs() >= look::LARGE;
        let constants = &mut self.constants;
        constants.wide_integers = self.numbers.iter().filter(wide).count() as u64;
        constants.large_integers = self.numbers.iter().filter(large).count() as u64;
        constants.floats = self.fractions.len() as u64;
        let whole = constants.large_integers + constants.wide_integers;
        constants.identifiers_at_most = constants.data_bytes / 4
            + whole
            + constants.floats * 3 / 2
            + constants.branches_max / 2;
    }
}

/// The data segments, one after the other.
fn data_of(bytes: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut data = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::DataSection(section) = payload? {
            for segment in section {
                let segment = segment?;
                if matches!(segment.kind, DataKind::Active { .. } | DataKind::Passive) {
                    data.extend_from_slice(segment.data);
                }
            }
        }
    }
    Ok(data)
}

fn describe_data(figures: &mut Figures, data: &[u8], limits: &VetLimits) {
    let constants = &mut figures.constants;
    constants.data_bytes = data.len() as u64;
    constants.data_entropy_bits = hundredths(entropy(data));
    let mut random_until = 0;
    for start in (0..data.len().saturating_sub(WINDOW_BYTES - 1)).step_by(WINDOW_STEP) {
        let bits = entropy(&data[start..start + WINDOW_BYTES]);
        constants.window_entropy_bits_max = constants.window_entropy_bits_max.max(hundredths(bits));
        if bits >= look::ENTROPY_BITS {
            let fresh = start.max(random_until);
            constants.random_bytes += (start + WINDOW_BYTES - fresh) as u64;
            random_until = start + WINDOW_BYTES;
        }
    }
    figures.texts = texts(data);
    let shown = figures.texts.iter().take(limits.excerpt_pieces_max);
    constants.excerpts = shown
        .map(|text| text.chars().take(EXCERPT_CHARS_MAX).collect())
        .collect();
    let words = data.chunks_exact(4).take(IN_DATA_MAX);
    let words = words.map(|word| i32::from_le_bytes(word.try_into().unwrap_or_default()));
    figures.in_data = words.map(i64::from).collect();
    let words = data.chunks_exact(8).take(IN_DATA_MAX);
    let words = words.map(|word| i64::from_le_bytes(word.try_into().unwrap_or_default()));
    figures.in_data.extend(words);
}

/// Shannon entropy in bits per byte (Shannon, 1948).
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let all = bytes.len() as f64;
    let present = counts.iter().filter(|count| **count > 0);
    let bits = present.map(|count| {
        let share = f64::from(*count) / all;
        -share * share.log2()
    });
    // Of nothing, the sum is -0.0.
    bits.sum::<f64>() + 0.0
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Runs of printable characters.
fn texts(data: &[u8]) -> Vec<String> {
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    data.split(|byte| !printable(byte))
        .filter(|run| run.len() >= EXCERPT_CHARS_MIN)
        .map(|run| String::from_utf8_lossy(run).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_tells_text_from_random_bytes() {
        assert!(entropy(b"aaaaaaaa") < 0.001);
        assert!((entropy(&(0..=255).collect::<Vec<u8>>()) - 8.0).abs() < 1e-9);
        let mut prng = super::super::prng::Prng::new(7);
        let random: Vec<u8> = std::iter::repeat_with(|| prng.next() as u8)
            .take(WINDOW_BYTES)
            .collect();
        assert!(entropy(&random) > look::ENTROPY_BITS);
        let text =
            "A weir holds the river back and lets a measured flow over its crest. ".repeat(4);
        assert!(entropy(&text.as_bytes()[..WINDOW_BYTES]) < 5.0);
    }
}
