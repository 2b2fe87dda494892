//! Checking and reading sealed files.

use std::collections::HashMap;
use std::fmt;
use std::io::Cursor;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::ParquetFileMetrics;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use ring::digest;

use super::parquet_key;
use crate::keys::DataKey;
use crate::snapshot::{SealedFile, StoredMeta, file_place};
use crate::store::{SnapshotStore, StoredFile};
use crate::{Result, VaultError};

/// Bytes at the end of a file that are kept while it is hashed: most footers are in them, and need no further read.
const TAIL_BYTES: usize = 256 * 1024;

/// A sealed file that was checked and whose footer is open.
pub(crate) struct OpenFile {
    pub(super) sealed: SealedFile,
    snapshot: String,
    file: Arc<dyn StoredFile>,
    /// The footer, with the means to decrypt the pages. Stays here: plans get the rows only.
    footer: Arc<ParquetMetaData>,
}

impl OpenFile {
    /// Its name in plans and metrics.
    pub(super) fn location(&self) -> String {
        format!("{}/{}", self.snapshot, self.sealed.name)
    }
}

/// The files of one snapshot, in unit order.
pub(crate) struct SealedFiles {
    files: Vec<OpenFile>,
    by_location: HashMap<String, usize>,
    /// Set when the snapshot is destroyed: nothing is read any more.
    ended: Arc<AtomicBool>,
}

impl SealedFiles {
    /// Opens the files of a snapshot: checks that there are no others, then each one's length and SHA-256 against the
    /// sealed metadata, and opens its footer. Reads every byte once.
    pub(crate) fn open(
        store: &dyn SnapshotStore,
        key: &DataKey,
        meta: &StoredMeta,
    ) -> Result<Self> {
        let id = &meta.shown.id;
        let key = parquet_key(key)?;
        let damaged = |file: &str, problem| VaultError::SnapshotDamaged {
            id: id.clone(),
            file: file.to_owned(),
            problem,
        };
        let known = meta.all_files();
        if let Some(stranger) = store.list(id)?.iter().find(|file| !known.contains(file)) {
            return Err(damaged(stranger, "is not one of its files"));
        }
        let mut files = Vec::with_capacity(meta.files.len());
        for sealed in &meta.files {
            let damaged = |problem| damaged(&sealed.name, problem);
            let file = store
                .open(id, &sealed.name)?
                .ok_or_else(|| damaged("missing"))?;
            let tail = check(&*file, sealed)?.map_err(damaged)?;
            // The digest was right, so what fails now is a file that was sealed as another, or a defect.
            let footer = open_footer(&Footer { file: &*file, tail }, id, &sealed.name, &key)
                .ok_or_else(|| damaged("does not open with its key"))?;
            if u64::try_from(footer.file_metadata().num_rows()).ok() != Some(sealed.rows) {
                return Err(damaged("does not have the rows it was sealed with"));
            }
            files.push(OpenFile {
                sealed: sealed.clone(),
                snapshot: id.clone(),
                file: file.into(),
                footer,
            });
        }
        let by_location = files
            .iter()
            .enumerate()
            .map(|(index, file)| (file.location(), index))
            .collect();
        Ok(Self {
            files,
            by_location,
            ended: Arc::default(),
        })
    }

    /// Makes every read from now on fail.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

impl Deref for SealedFiles {
    type Target = [OpenFile];

    fn deref(&self) -> &[OpenFile] {
        &self.files
    }
}

impl fmt::Debug for SealedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFiles")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

/// Reads a file once and compares it with what was sealed. Returns its last bytes; the inner error is how it differs.
fn check(file: &dyn StoredFile, sealed: &SealedFile) -> Result<Result<Bytes, &'static str>> {
    if file.length() != sealed.bytes {
        return Ok(Err("does not have the length it was sealed with"));
    }
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut tail = Vec::new();
    file.each_piece(&mut |piece| {
        digest.update(piece);
        tail.extend_from_slice(&piece[piece.len().saturating_sub(TAIL_BYTES)..]);
        // Cut seldom, so that no byte is moved often.
        if tail.len() > 8 * TAIL_BYTES {
            tail.drain(..tail.len() - TAIL_BYTES);
        }
    })?;
    if hex::encode(digest.finish()) != sealed.sha256 {
        return Ok(Err(
            "was altered, or is another file (its SHA-256 is not the sealed one)",
        ));
    }
    tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
    Ok(Ok(tail.into()))
}

/// A file as the Parquet crate reads a footer from it: from its last bytes where they suffice.
struct Footer<'a> {
    file: &'a dyn StoredFile,
    tail: Bytes,
}

impl Length for Footer<'_> {
    fn len(&self) -> u64 {
        self.file.length()
    }
}

impl ChunkReader for Footer<'_> {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let rest = self.file.length().saturating_sub(start);
        Ok(Cursor::new(self.get_bytes(start, usize::try_from(rest)?)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        let tail_start = self.file.length() - self.tail.len() as u64;
        if let Some(from) = start.checked_sub(tail_start)
            && end <= self.file.length()
        {
            let from = usize::try_from(from)?;
            return Ok(self.tail.slice(from..from + length));
        }
        self.file
            .read_now(start..end)
            .map_err(|error| ParquetError::External(error.into()))
    }
}

fn open_footer(
    file: &Footer<'_>,
    id: &str,
    name: &str,
    key: &[u8],
) -> Option<Arc<ParquetMetaData>> {
    let decryption = FileDecryptionProperties::builder(key.to_vec())
        .with_aad_prefix(file_place(id, name))
        .build()
        .ok()?;
    let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
    let metadata = ArrowReaderMetadata::load(file, options).ok()?;
    Some(Arc::clone(metadata.metadata()))
}

impl ParquetFileReaderFactory for SealedFiles {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let location = file.object_meta.location.as_ref();
        let open = self
            .by_location
            .get(location)
            .and_then(|&index| self.files.get(index));
        let open = open.ok_or_else(|| {
            DataFusionError::Internal("a scan of a file that is not the snapshot's".into())
        })?;
        Ok(Box::new(SealedReader {
            file: Arc::clone(&open.file),
            ended: Arc::clone(&self.ended),
            footer: Arc::clone(&open.footer),
            metrics: ParquetFileMetrics::new(partition_index, location, metrics),
        }))
    }
}

/// Reads one sealed file's bytes. They are decrypted page by page by the Parquet crate, with the footer's means.
struct SealedReader {
    file: Arc<dyn StoredFile>,
    ended: Arc<AtomicBool>,
    footer: Arc<ParquetMetaData>,
    metrics: ParquetFileMetrics,
}

impl SealedReader {
    fn read(
        &self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'static, parquet::errors::Result<Vec<Bytes>>> {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.metrics
            .bytes_scanned
            .add(usize::try_from(bytes).unwrap_or(usize::MAX));
        if self.ended.load(Ordering::Acquire) {
            let ended = ParquetError::General("the snapshot was destroyed".to_owned());
            return futures::future::ready(Err(ended)).boxed();
        }
        self.file.read(ranges)
    }
}

impl AsyncFileReader for SealedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let read = self.read(vec![range]);
        async move { Ok(read.await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        self.read(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        futures::future::ready(Ok(Arc::clone(&self.footer))).boxed()
    }
}
