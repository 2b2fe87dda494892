//! The targets for fuzzing, driven by random bytes for a time: `WEIR_FUZZ_SECONDS`, two among the other tests. A failure
//! names its seed for `WEIR_FUZZ_SEED`.

use std::time::{Duration, Instant, SystemTime};

use crate::targets::{admission, instrumenter};

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
