//! Two targets for fuzzing, each a function of arbitrary bytes that panics where something is wrong, driven by random
//! bytes for a time: `WEIR_FUZZ_SECONDS`, two among the other tests. A failure names its seed for `WEIR_FUZZ_SEED`.

use std::time::{Duration, Instant, SystemTime};

use arrow::array::ArrayRef;
use weir_model::{Family, admit};

use crate::examples::{DISRUPTION, PACE};
use crate::smith::{Row, WORLDS, agrees, columns, limits, module, runtime, schema};
use crate::support::package;

/// Admission answers, and refuses as the model's fault, whatever the bytes are: themselves, or edits to a good model.
fn admission(bytes: &[u8]) {
    let check = |bytes: &[u8]| match admit(bytes, &limits()) {
        Ok(admitted) => drop(admitted.signature().to_string()),
        Err(error) => assert_eq!(error.family(), Family::Model, "{error}"),
    };
    check(bytes);
    check(&[b"\0asm\x0d\0\x01\0", bytes].concat());
    for good in [DISRUPTION, PACE] {
        let mut edited = good.to_vec();
        for edit in bytes.chunks_exact(4).take(8) {
            let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % edited.len();
            match edit[2] % 4 {
                0 => edited[at] = edit[3],
                1 => edited[at] ^= 1 << (edit[3] % 8),
                2 => edited.truncate(at.max(8)),
                _ => edited.insert(at, edit[3]),
            }
            check(&edited);
        }
    }
}

/// The woven model and the component as it is agree on every first row. Returns whether there was a model.
fn instrumenter(bytes: &[u8]) -> bool {
    let (Some(first), Some(seed)) = (bytes.first(), bytes.get(9..)) else {
        return false;
    };
    let world = &WORLDS[usize::from(*first) % WORLDS.len()];
    let component = module(world, seed).and_then(|module| package(world.wit, module));
    let admitted = component.and_then(|component| admit(&component, &limits()).ok());
    let Some(model) = admitted.and_then(|admitted| match runtime().compile(&admitted) {
        Ok(model) => Some(model),
        Err(error) => {
            assert_eq!(error.family(), Family::Model, "{error}");
            None
        }
    }) else {
        return false;
    };
    let number = i64::from_le_bytes(bytes[1..9].try_into().unwrap());
    let rows: [Row; 3] = [
        (0, None, 0.0, String::new()),
        (
            number as i32,
            Some(number),
            f64::from_bits(number.cast_unsigned()),
            "ab".to_owned(),
        ),
        (-1, Some(i64::MIN), f64::NAN, "é".repeat(9)),
    ];
    let binding = model.bind(&schema()).unwrap();
    let columns = columns(&binding, &rows);
    let metered = model.tier().row_cost_max.is_none();
    for row in 0..rows.len() {
        let one: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        let woven = binding.evaluator().evaluate(&one, 1).unwrap();
        let original = binding.reference_evaluator().evaluate(&one, 1).unwrap();
        assert!(
            agrees(&woven, &original, metered),
            "{woven:?}\n{original:?}"
        );
    }
    true
}

/// Gives a target random bytes of random length until the time is over. Returns how often.
fn drive(bytes_max: usize, mut target: impl FnMut(&[u8])) -> u64 {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(asked("WEIR_FUZZ_SECONDS").unwrap_or(2));
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let mut seed: u64 = asked("WEIR_FUZZ_SEED").unwrap_or(now.as_nanos() as u64) | 1;
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < time {
        let mut state = seed;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 24
        };
        // Short lengths too, and some bytes that WebAssembly has much of.
        let length = (next() as usize % bytes_max) >> (next() % 6);
        let bytes: Vec<u8> = (0..length)
            .map(|_| match next() {
                n if n % 5 == 0 => (n >> 8) as u8 % 0x20,
                n => (n >> 8) as u8,
            })
            .collect();
        let failed = Named(seed);
        target(&bytes);
        std::mem::forget(failed);
        runs += 1;
        seed = next() | 1;
    }
    runs
}

/// Says the seed when the target panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("failed on WEIR_FUZZ_SEED={}", self.0);
    }
}

#[test]
fn fuzz_admission() {
    let runs = drive(400, admission);
    eprintln!("{runs} inputs");
}

#[test]
fn fuzz_instrumenter() {
    let mut models = 0_u64;
    let runs = drive(6_000, |bytes| models += u64::from(instrumenter(bytes)));
    eprintln!("{runs} inputs, {models} of them models");
}
