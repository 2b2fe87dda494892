//! Copying files durably, with their digests.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::manifest::FileRecord;
use crate::authority::file_fault;
use crate::fault::Fault;

/// Bytes read at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// Ending of files in the vault that do not have their names yet.
const UNFINISHED: &str = ".new";

/// A copy of a folder, as far as it goes.
pub(super) struct Copying {
    from: PathBuf,
    into: PathBuf,
    pub(super) files: Vec<FileRecord>,
}

impl Copying {
    pub(super) fn new(from: &Path, into: &Path) -> Self {
        Self {
            from: from.to_owned(),
            into: into.to_owned(),
            files: Vec::new(),
        }
    }

    /// Copies a file. `false` where there is none (any more).
    pub(super) fn file(&mut self, name: &str) -> Result<bool, Fault> {
        let (from, into) = (self.from.join(name), self.into.join(name));
        if let Some(parent) = into.parent() {
            make_folder(parent)?;
        }
        match copy(&from, &into)? {
            Some((bytes, sha256)) => {
                self.files.push(FileRecord {
                    name: name.to_owned(),
                    bytes,
                    sha256,
                });
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Copies the files of a folder, but not of those below it. `false` where one of them vanished meanwhile, or there is no
    /// such folder.
    pub(super) fn folder(&mut self, name: &str) -> Result<bool, Fault> {
        let mut whole = true;
        let Some(files) = list(&self.from.join(name))? else {
            return Ok(false);
        };
        for file in files.iter().filter(|file| !file.ends_with(UNFINISHED)) {
            whole &= self.file(&format!("{name}/{file}"))?;
        }
        Ok(whole)
    }

    /// Enters a file that something else has put into the copy.
    pub(super) fn enter(&mut self, name: &str) -> Result<(), Fault> {
        let path = self.into.join(name);
        let (bytes, sha256) = digest(&path)?
            .ok_or_else(|| file_fault(&path, &std::io::Error::from(ErrorKind::NotFound)))?;
        self.files.push(FileRecord {
            name: name.to_owned(),
            bytes,
            sha256,
        });
        Ok(())
    }

    /// Takes files out of the copy again.
    pub(super) fn take_back(&mut self, is_one: impl Fn(&str) -> bool) -> Result<(), Fault> {
        for file in self.files.extract_if(.., |file| is_one(&file.name)) {
            let path = self.into.join(&file.name);
            fs::remove_file(&path).map_err(|error| file_fault(&path, &error))?;
        }
        Ok(())
    }
}

/// Copies a file to a new one that its owner alone may read, durably. `None` where there is none.
pub(super) fn copy(from: &Path, into: &Path) -> Result<Option<(u64, String)>, Fault> {
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_fault(from, &error)),
    };
    let fault = |error| file_fault(into, &error);
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(into)
        .map_err(fault)?;
    let read = each_piece(&mut source, |piece| target.write_all(piece));
    let (bytes, sha256) = read.map_err(|error| file_fault(from, &error))?;
    target.sync_all().map_err(fault)?;
    sync_folder_of(into)?;
    Ok(Some((bytes, sha256)))
}

/// A file's length and SHA-256. `None` where there is none.
pub(super) fn digest(file: &Path) -> Result<Option<(u64, String)>, Fault> {
    match File::open(file) {
        Ok(mut open) => each_piece(&mut open, |_| Ok(()))
            .map(Some)
            .map_err(|error| file_fault(file, &error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_fault(file, &error)),
    }
}

fn each_piece(
    file: &mut File,
    mut hear: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<(u64, String)> {
    let (mut context, mut bytes) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let piece = &buffer[..read];
        context.update(piece);
        hear(piece)?;
        bytes += read as u64;
    }
    let digits = context.finish().as_ref().iter().map(hex).collect();
    Ok((bytes, digits))
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

/// The names of the files in a folder, sorted; `None` where there is none.
pub(super) fn list(folder: &Path) -> Result<Option<Vec<String>>, Fault> {
    let fault = |error| file_fault(folder, &error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fault)?;
        if entry.file_type().map_err(fault)?.is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(Some(names))
}

/// Makes a folder and those above it, for its owner alone.
pub(super) fn make_folder(folder: &Path) -> Result<(), Fault> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| file_fault(folder, &error))
}

/// Makes a folder that is empty or not there yet.
pub(super) fn make_empty(folder: &Path) -> Result<(), Fault> {
    make_folder(folder)?;
    let fault = |error| file_fault(folder, &error);
    match fs::read_dir(folder).map_err(fault)?.next() {
        None => Ok(()),
        Some(_) => Err(Fault::caller(
            "FOLDER_NOT_EMPTY",
            format!(
                "`{}` is not empty. Name a folder that is empty or not there yet",
                folder.display()
            ),
        )),
    }
}

/// Writes a file that appears whole or not at all.
pub(crate) fn publish(file: &Path, text: &str) -> Result<(), Fault> {
    let fault = |error| file_fault(file, &error);
    let unfinished = file.with_extension("new");
    let mut open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(fault)?;
    open.write_all(text.as_bytes()).map_err(fault)?;
    open.sync_all().map_err(fault)?;
    fs::rename(&unfinished, file).map_err(fault)?;
    sync_folder_of(file)
}

pub(super) fn sync_folder_of(file: &Path) -> Result<(), Fault> {
    let folder = file.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| file_fault(folder, &error))
}
