//! The parts of a source: one file, or the files of a folder.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;

use weir_catalogue::Manifest;

use super::arrow::ArrowPart;
use super::csv::CsvPart;
use super::parquet::ParquetPart;
use super::{PartReader, Source};
use crate::limits::{PARTS_MAX, SOURCE_BYTES_MAX};
use crate::{Result, VaultError};

/// One file of a source.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    /// The name in messages: for a part of a folder, with the folder's.
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The parts, in order, and the size of all of them.
pub(super) fn list(source: &Source) -> Result<(Vec<Part>, u64)> {
    let metadata = match std::fs::metadata(&source.path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(VaultError::SourceMissing {
                file: source.name.clone(),
            });
        }
        Err(error) => return Err(VaultError::io("read", &source.path)(error)),
    };
    let parts = if metadata.is_dir() {
        in_folder(source)?
    } else if metadata.is_file() {
        vec![Part {
            path: source.path.clone(),
            name: source.name.clone(),
            bytes: metadata.len(),
        }]
    } else {
        return Err(VaultError::SourceFormat {
            file: source.name.clone(),
            found: "neither a regular file nor a folder",
        });
    };
    let mut bytes: u64 = 0;
    for part in &parts {
        if part.bytes == 0 {
            return Err(VaultError::SourceEmpty {
                file: part.name.clone(),
            });
        }
        bytes = bytes.saturating_add(part.bytes);
    }
    if bytes >= SOURCE_BYTES_MAX {
        return Err(VaultError::SourceTooLarge {
            file: source.name.clone(),
            bytes,
            limit: SOURCE_BYTES_MAX,
        });
    }
    Ok((parts, bytes))
}

fn in_folder(source: &Source) -> Result<Vec<Part>> {
    let folder = &source.path;
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(VaultError::io("list", folder))? {
        let entry = entry.map_err(VaultError::io("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `_SUCCESS` and the like lie beside the parts that other systems write.
        if name.starts_with(['.', '_']) {
            continue;
        }
        let name = format!("{}/{name}", source.name);
        // Not followed: a link would lead out of the inbox, which was checked for the folder alone.
        let metadata = entry
            .metadata()
            .map_err(VaultError::io("read", &entry.path()))?;
        if !metadata.is_file() {
            return Err(VaultError::SourceFormat {
                file: name,
                found: "neither a regular file nor hidden, and a folder of parts has nothing else in it",
            });
        }
        parts.push(Part {
            path: entry.path(),
            name,
            bytes: metadata.len(),
        });
        if parts.len() > PARTS_MAX {
            return Err(VaultError::SourceTooManyParts {
                file: source.name.clone(),
                limit: PARTS_MAX,
            });
        }
    }
    if parts.is_empty() {
        return Err(VaultError::SourceNoParts {
            file: source.name.clone(),
        });
    }
    parts.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(parts)
}

/// Opens a part and checks its columns. `format` is that of the parts before it.
pub(super) fn open(
    part: &Part,
    manifest: &Manifest,
    format: &mut Option<Format>,
) -> Result<Box<dyn PartReader>> {
    let failed = |error| VaultError::io("read", &part.path)(error);
    let mut file = File::open(&part.path).map_err(failed)?;
    let start = first_bytes(&mut file).map_err(failed)?;
    let found = Format::of(&start, &part.name);
    if let Format::Other(found) = found {
        return Err(VaultError::SourceFormat {
            file: part.name.clone(),
            found,
        });
    }
    if *format.get_or_insert(found) != found {
        return Err(VaultError::SourceFormat {
            file: part.name.clone(),
            found: "of another format than the parts before it",
        });
    }
    Ok(match found {
        Format::Parquet => Box::new(ParquetPart::open(file, part, manifest)?),
        Format::ArrowFile | Format::ArrowStream => {
            Box::new(ArrowPart::open(file, part, manifest, found)?)
        }
        Format::Csv | Format::Other(_) => Box::new(CsvPart::open(file, part, manifest)?),
    })
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Parquet,
    ArrowFile,
    ArrowStream,
    Other(&'static str),
}

impl Format {
    /// The bytes decide, not the name, which an upload may have lost. Only a file that calls itself Parquet or Arrow and
    /// does not begin like one is taken at its word, so that damage is called damage.
    fn of(start: &[u8], name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let ends_with = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        match start {
            [b'P', b'A', b'R', b'1', ..] | [b'P', b'A', b'R', b'E', ..] => Self::Parquet,
            [0x1f, 0x8b, ..] => Self::Other("compressed with gzip"),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Other("compressed with zstd"),
            [b'P', b'K', 3, 4, ..] => Self::Other("a ZIP archive or a spreadsheet"),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Self::ArrowFile,
            // No text begins with four bytes that are not UTF-8.
            [0xff, 0xff, 0xff, 0xff, ..] => Self::ArrowStream,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Self::Other("UTF-16 text"),
            _ if ends_with(&[".parquet"]) => Self::Parquet,
            _ if ends_with(&[".arrow", ".feather"]) => Self::ArrowFile,
            _ if ends_with(&[".arrows"]) => Self::ArrowStream,
            _ => Self::Csv,
        }
    }
}

fn first_bytes(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}
