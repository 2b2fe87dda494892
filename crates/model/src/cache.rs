//! Compiled models on disk, so that a start does not compile them again.
//!
//! Native code is loaded and run, so a file counts for nothing unless Weir wrote it: it begins with an authentication code
//! (HMAC-SHA-256) over its name and its contents, under a key that only the domain has. The name is the SHA-256 of
//! everything that the contents depend on: the engine's version and settings, and the woven module, which itself depends on
//! the component, the limits and the weaving. So a file under the name of another is no more valid than a foreign one.
//!
//! The cache never fails. What is missing, foreign, cut short, damaged or of another version is compiled afresh and
//! replaced; what cannot be written is not kept.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ring::digest::{Context, SHA256};
use ring::hmac;
use wasmtime::{Engine, Module};

/// Bytes that all files may have together. Beyond it, those not used for longest are removed.
const CACHE_BYTES_MAX: u64 = 256 << 20;
/// Bytes of one file: beyond it, a model is compiled at every start.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// What names end with; other files in the folder are left alone.
const SUFFIX: &str = ".compiled";
/// Bytes of the authentication code.
const TAG_BYTES: usize = 32;
const PURPOSE: &[u8] = b"weir compiled model, version 1";

/// A folder of compiled models.
pub(crate) struct Cache {
    folder: PathBuf,
    key: hmac::Key,
    bytes_max: u64,
}

/// Where one module is kept.
struct Place {
    /// SHA-256 of what the contents depend on.
    name: [u8; 32],
    path: PathBuf,
}

impl Cache {
    /// A cache in a folder, which is made if it is not there.
    pub(crate) fn new(folder: &Path, key: &[u8; 32]) -> Self {
        // Where it cannot be made, nothing can be written or read, and everything is compiled.
        let _ = fs::create_dir_all(folder);
        Self {
            folder: folder.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            bytes_max: CACHE_BYTES_MAX,
        }
    }

    /// The compiled module, from its file or else from the compiler, which also writes the file.
    pub(crate) fn module(&self, engine: &Engine, bytes: &[u8]) -> Result<Module, wasmtime::Error> {
        let place = self.place(engine, bytes);
        if let Some(module) = self.load(engine, &place) {
            return Ok(module);
        }
        let module = Module::new(engine, bytes)?;
        if let Ok(compiled) = module.serialize() {
            self.store(&place, &compiled);
        }
        Ok(module)
    }

    fn place(&self, engine: &Engine, bytes: &[u8]) -> Place {
        let mut digest = Digest(Context::new(&SHA256));
        digest.write(PURPOSE);
        engine.precompile_compatibility_hash().hash(&mut digest);
        digest.write(bytes);
        let mut name = [0; 32];
        name.copy_from_slice(digest.0.finish().as_ref());
        let path = self.folder.join(format!("{}{SUFFIX}", hex::encode(name)));
        Place { name, path }
    }

    fn load(&self, engine: &Engine, place: &Place) -> Option<Module> {
        let contents = read(&place.path)?;
        let (tag, compiled) = contents.split_at_checked(TAG_BYTES)?;
        hmac::verify(&self.key, &authenticated(place, compiled), tag).ok()?;
        let module = deserialize(engine, compiled)?;
        if let Ok(file) = File::options().append(true).open(&place.path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(module)
    }

    /// Writes under another name first: nobody sees half a file, and of several writers any may win.
    fn store(&self, place: &Place, compiled: &[u8]) {
        let tag = hmac::sign(&self.key, &authenticated(place, compiled));
        let bytes = (TAG_BYTES + compiled.len()) as u64;
        if bytes > FILE_BYTES_MAX.min(self.bytes_max) {
            return;
        }
        self.make_room(bytes);
        let unfinished = place
            .path
            .with_extension(format!("{}.unfinished", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&unfinished).and_then(|mut file| {
            file.write_all(tag.as_ref())?;
            file.write_all(compiled)
        });
        if written
            .and_then(|()| fs::rename(&unfinished, &place.path))
            .is_err()
        {
            let _ = fs::remove_file(&unfinished);
        }
    }

    /// Removes the files that were not used for longest, until as many bytes more may be written.
    fn make_room(&self, bytes: u64) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX))
            .filter_map(|entry| {
                let data = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((data.modified().ok()?, data.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut used: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, freed, path) in files {
            if used.saturating_add(bytes) <= self.bytes_max {
                return;
            }
            let _ = fs::remove_file(path);
            used = used.saturating_sub(freed);
        }
    }
}

/// What the authentication code is over: the name has a fixed length, so the two cannot run into each other.
fn authenticated(place: &Place, compiled: &[u8]) -> Vec<u8> {
    [place.name.as_slice(), compiled].concat()
}

/// A whole file, unless it is too long.
fn read(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut contents = Vec::new();
    let read = file
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut contents)
        .ok()?;
    (read as u64 <= FILE_BYTES_MAX).then_some(contents)
}

/// Native code from the bytes of a file whose authentication code is right.
fn deserialize(engine: &Engine, compiled: &[u8]) -> Option<Module> {
    // Safety: the function asks for bytes that `Module::serialize` gave, unmodified. Whoever made the authentication code
    // had the key, and this file is the only code with it: `store` makes one over nothing but what `Module::serialize`
    // gave it. The bytes are those that were checked: they are in this process's memory, not mapped from the file. Bytes
    // of another version of the engine, or for other settings, the function itself refuses, as it promises.
    #[expect(unsafe_code, reason = "loads native code; the proof stands above")]
    unsafe {
        Module::deserialize(engine, compiled).ok()
    }
}

/// SHA-256 as a hasher, for what the engine says about itself.
struct Digest(Context);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn wat(answer: u32) -> Vec<u8> {
        wat::parse_str(format!(
            r#"(module (func (export "f") (result i32) i32.const {answer}))"#
        ))
        .unwrap()
    }

    fn run(engine: &Engine, module: &Module) -> u32 {
        let mut store = wasmtime::Store::new(engine, ());
        let instance = wasmtime::Instance::new(&mut store, module, &[]).unwrap();
        let function = instance.get_typed_func::<(), u32>(&mut store, "f").unwrap();
        function.call(&mut store, ()).unwrap()
    }

    /// Whether the module comes from its file; then the same by the way that compiles.
    fn from_file(cache: &Cache, engine: &Engine, answer: u32) -> bool {
        let found = cache.load(engine, &cache.place(engine, &wat(answer)));
        let module = cache.module(engine, &wat(answer)).unwrap();
        assert_eq!(run(engine, &module), answer);
        found
            .inspect(|module| assert_eq!(run(engine, module), answer))
            .is_some()
    }

    fn path(cache: &Cache, engine: &Engine, answer: u32) -> PathBuf {
        cache.place(engine, &wat(answer)).path
    }

    #[test]
    fn what_was_compiled_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, cache) = (Engine::default(), Cache::new(folder.path(), &[1; 32]));
        assert!(!from_file(&cache, &engine, 1));
        assert!(from_file(&cache, &engine, 1));
        assert!(!from_file(&cache, &engine, 2));
        // Another process with the same key.
        assert!(from_file(&Cache::new(folder.path(), &[1; 32]), &engine, 2));
    }

    #[test]
    fn whatever_is_wrong_with_a_file_it_is_compiled_afresh_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, cache) = (Engine::default(), Cache::new(folder.path(), &[1; 32]));
        assert!(!from_file(&cache, &engine, 1));
        assert!(!from_file(&cache, &engine, 2));
        let path = path(&cache, &engine, 1);
        let good = fs::read(&path).unwrap();
        let other = fs::read(self::path(&cache, &engine, 2)).unwrap();
        let mut faults: Vec<(String, Vec<u8>)> = vec![
            ("empty".to_owned(), Vec::new()),
            ("shorter than a tag".to_owned(), good[..31].to_vec()),
            ("only a tag".to_owned(), good[..32].to_vec()),
            ("cut short".to_owned(), good[..good.len() - 1].to_vec()),
            ("longer".to_owned(), [good.as_slice(), b"x"].concat()),
            ("of another model".to_owned(), other),
            ("foreign".to_owned(), b"\x7fELF and so on".repeat(9)),
            ("without a tag".to_owned(), good[32..].to_vec()),
        ];
        for position in [0, 31, 32, 33, good.len() / 2, good.len() - 1] {
            let mut flipped = good.clone();
            flipped[position] ^= 1;
            faults.push((format!("a bit at {position}"), flipped));
        }
        for (fault, contents) in faults {
            fs::write(&path, contents).unwrap();
            assert!(!from_file(&cache, &engine, 1), "{fault}");
            assert!(from_file(&cache, &engine, 1), "{fault}: not replaced");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(!from_file(&cache, &engine, 1), "a folder");
    }

    #[test]
    fn another_key_or_other_settings_find_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, cache) = (Engine::default(), Cache::new(folder.path(), &[1; 32]));
        assert!(!from_file(&cache, &engine, 1));
        assert!(!from_file(&Cache::new(folder.path(), &[2; 32]), &engine, 1));
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true);
        let metered = Engine::new(&config).unwrap();
        let place = cache.place(&metered, &wat(1));
        assert_ne!(place.path, path(&cache, &engine, 1));
        // Even authentic: bytes for another engine's settings are refused by the engine.
        let compiled = Module::new(&engine, wat(1)).unwrap().serialize().unwrap();
        cache.store(&place, &compiled);
        assert!(read(&place.path).is_some());
        assert!(cache.load(&metered, &place).is_none());
    }

    #[test]
    fn the_folder_stays_below_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let mut cache = Cache::new(folder.path(), &[1; 32]);
        fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        assert!(!from_file(&cache, &engine, 0));
        let one = fs::metadata(path(&cache, &engine, 0)).unwrap().len();
        cache.bytes_max = 3 * one + one / 2;
        let age = |answer: u32, seconds: u64| {
            let file = File::options()
                .append(true)
                .open(path(&cache, &engine, answer))
                .unwrap();
            let then = SystemTime::now() - std::time::Duration::from_secs(seconds);
            file.set_modified(then).unwrap();
        };
        for answer in 1..3 {
            assert!(!from_file(&cache, &engine, answer));
        }
        for (answer, seconds) in [(0, 30), (1, 20), (2, 10)] {
            age(answer, seconds);
        }
        // The oldest is used, so the next oldest goes.
        assert!(from_file(&cache, &engine, 0));
        assert!(!from_file(&cache, &engine, 3));
        let kept = |answer| path(&cache, &engine, answer).exists();
        assert_eq!([0, 1, 2, 3].map(kept), [true, false, true, true]);
        assert!(folder.path().join("notes.txt").exists());
        let small = Cache {
            bytes_max: one / 2,
            ..Cache::new(folder.path(), &[1; 32])
        };
        assert!(!from_file(&small, &engine, 9));
        assert!(!from_file(&small, &engine, 9), "too long to be kept");
    }

    #[test]
    fn a_folder_that_cannot_be_is_no_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = Cache::new(&file.path().join("below a file"), &[1; 32]);
        assert!(!from_file(&cache, &Engine::default(), 1));
        assert!(!from_file(&cache, &Engine::default(), 1));
    }
}
