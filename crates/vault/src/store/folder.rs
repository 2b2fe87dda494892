//! Snapshots in the vault's folder.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::errors::ParquetError;

use super::{SnapshotStore, StoredFile};
use crate::layout::Layout;
use crate::{Result, VaultError, durable};

/// Bytes read at a time when a file is read as a whole.
const PIECE_BYTES: usize = 1 << 20;

/// The folder `snapshots/` of a vault.
pub(crate) struct FolderStore {
    layout: Layout,
}

impl FolderStore {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            layout: layout.clone(),
        }
    }

    fn file(&self, id: &str, file: &str) -> PathBuf {
        self.layout.snapshot(id).join(file)
    }
}

impl SnapshotStore for FolderStore {
    fn place(&self, id: &str, staged: &Path, _files: &[String]) -> Result<()> {
        // Everything in it was flushed when it was written.
        durable::rename(staged, &self.layout.snapshot(id))
    }

    fn list(&self, id: &str) -> Result<Vec<String>> {
        durable::list_if_there(&self.layout.snapshot(id))
    }

    fn read(&self, id: &str, file: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        durable::read_if_there(&self.file(id, file), limit)
    }

    fn open(&self, id: &str, file: &str) -> Result<Option<Box<dyn StoredFile>>> {
        let path = self.file(id, file);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(VaultError::io("open", &path)(error)),
        };
        let length = file
            .metadata()
            .map_err(VaultError::io("open", &path))?
            .len();
        Ok(Some(Box::new(LocalFile {
            path,
            length,
            file: Arc::new(file),
        })))
    }

    fn remove(&self, id: &str) -> Result<()> {
        durable::remove_folder(&self.layout.snapshot(id))?;
        durable::sync_folder(&self.layout.snapshots())
    }
}

/// An open file. Its ranges are read at their offsets, so readers do not disturb each other.
struct LocalFile {
    path: PathBuf,
    length: u64,
    file: Arc<File>,
}

impl StoredFile for LocalFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn each_piece(&self, show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut file = &*self.file;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => show(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(VaultError::io("read", &self.path)(error)),
            }
        }
    }

    fn read_now(&self, range: Range<u64>) -> Result<Bytes> {
        read_range(&self.file, range).map_err(VaultError::io("read", &self.path))
    }

    fn read(
        &self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'static, parquet::errors::Result<Vec<Bytes>>> {
        let file = Arc::clone(&self.file);
        async move {
            let read = move || {
                ranges
                    .into_iter()
                    .map(|range| read_range(&file, range))
                    .collect::<io::Result<_>>()
            };
            let done = tokio::task::spawn_blocking(read).await;
            Ok(done.map_err(|error| ParquetError::External(error.into()))??)
        }
        .boxed()
    }
}

fn read_range(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end.saturating_sub(range.start))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut bytes = vec![0; length];
    read_exact_at(file, &mut bytes, range.start)?;
    Ok(bytes.into())
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
