//! Random histories with random crashes, each from a seed that is told when it fails: appends of all sizes, cosigned
//! checkpoints, several crashes in a row, some of them while recovering from the last, with and without a power failure.
//!
//! `WEIR_CRASH_SEEDS=10000` tries that many, `WEIR_CRASH_SEED=17` the one.

use super::*;
use crate::error::AuditError;

/// Histories tried unless the environment says otherwise.
const SEEDS: u64 = 100;
/// Lives of the log's process in each.
const LIVES: u64 = 5;

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn end(&mut self) -> (Step, Power) {
        ENDS[usize::try_from(self.below(ENDS.len() as u64)).unwrap()]
    }
}

/// What may be relied on.
#[derive(Default)]
struct Promised {
    /// Entries that were acknowledged, and those of an append that may have landed.
    entries: Vec<Entry>,
    perhaps: Vec<Entry>,
    /// The largest checkpoint that was kept as cosigned.
    cosigned: u64,
    crashes: usize,
}

impl Promised {
    /// One life: open, append and keep until something fails or it has done enough.
    fn live(
        &mut self,
        dice: &mut Dice,
        place: &Place,
        dir: &Path,
        disk: &FaultyDisk,
    ) -> Result<(), AuditError> {
        let mut log = Log::open_on(dir, place.key(), Box::new(disk.clone()))?;
        self.check(&log);
        for _ in 0..=dice.below(4) {
            let count = match dice.below(6) {
                0 => 200 + dice.below(120),
                _ => 1 + dice.below(4),
            };
            let first = self.entries.len() as u64 + (dice.below(1_000) << 32);
            let batch = entries("random", first..first + count);
            self.perhaps.clone_from(&batch);
            log.append_all(&batch)?;
            self.entries.append(&mut self.perhaps);
            if dice.below(3) == 0 {
                log.keep_cosigned(log.checkpoint().clone())?;
                self.cosigned = log.size();
            }
        }
        Ok(())
    }

    /// All that was promised is there, and of the rest all or nothing.
    fn check(&mut self, log: &Log) {
        let size = usize::try_from(log.size()).unwrap();
        if size != self.entries.len() {
            self.entries.append(&mut self.perhaps);
        }
        self.perhaps.clear();
        assert_eq!(size, self.entries.len());
        let kept = log.cosigned().map_or(0, Checkpoint::size);
        assert!(kept >= self.cosigned, "{kept} of {}", self.cosigned);
        self.cosigned = kept;
        for index in [0, size / 2, size.saturating_sub(2), size.saturating_sub(1)] {
            if index < size {
                assert_eq!(log.entry(index as u64).unwrap(), self.entries[index]);
            }
        }
    }
}

fn history(seed: u64) -> usize {
    let mut dice = Dice(seed);
    let place = Place::new();
    let dir = place.log("log");
    Log::create_on(&dir, place.key(), Box::new(FaultyDisk::never())).unwrap();
    let mut promised = Promised::default();
    let mut disk = FaultyDisk::never();
    for _ in 0..LIVES {
        let (step, power) = dice.end();
        // Mostly within the first steps, where opening and small appends are.
        let fail_at = match dice.below(4) {
            0 => dice.below(400),
            _ => dice.below(40),
        };
        disk = disk.revived(usize::try_from(fail_at).unwrap(), step);
        let ended = promised.live(&mut dice, &place, &dir, &disk);
        // Only what need not be done, clearing away partial files, may fail unheard.
        if let Err(error) = ended {
            assert!(disk.failed());
            assert_eq!(error.code(), "AUDIT_IO", "{error}");
        }
        promised.crashes += usize::from(disk.failed());
        disk.crash(power);
    }
    let log = place.open(&dir);
    promised.check(&log);
    drop(log);
    let report = place.verify(&dir);
    assert_eq!(report.entries, promised.entries.len() as u64);
    assert_eq!(
        [report.beyond_checkpoint, report.unexpected].concat(),
        Vec::<String>::new()
    );
    promised.crashes
}

#[test]
fn whatever_crashes_in_whatever_order_nothing_that_was_promised_is_lost() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seeds = match number("WEIR_CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WEIR_CRASH_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let mut crashes = 0;
    for seed in seeds {
        let result = std::panic::catch_unwind(|| history(seed));
        crashes += result.unwrap_or_else(|_| panic!("again with WEIR_CRASH_SEED={seed}"));
    }
    eprintln!("{count} histories, {crashes} crashes");
    assert!(
        count < 100 || crashes as u64 > 2 * count,
        "only {crashes} crashes in {count} histories"
    );
}
