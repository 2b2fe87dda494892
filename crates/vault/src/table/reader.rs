//! Checking and reading sealed files.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

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
use ring::digest;

use super::parquet_key;
use crate::keys::DataKey;
use crate::snapshot::{SealedFile, StoredMeta, file_place};
use crate::{Result, VaultError};

/// Bytes hashed at a time.
const HASH_BUFFER_BYTES: usize = 1 << 20;

/// A sealed file that was checked and whose footer is open.
pub(crate) struct OpenFile {
    pub(super) sealed: SealedFile,
    snapshot: String,
    file: Arc<File>,
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
}

impl SealedFiles {
    /// Opens the files of a snapshot: checks each one's length and SHA-256 against the sealed metadata, then opens its
    /// footer. Reads every byte once.
    pub(crate) fn open(folder: &Path, key: &DataKey, meta: &StoredMeta) -> Result<Self> {
        let id = &meta.shown.id;
        let key = parquet_key(key)?;
        let mut files = Vec::with_capacity(meta.files.len());
        for sealed in &meta.files {
            let damaged = |problem| VaultError::SnapshotDamaged {
                id: id.clone(),
                file: sealed.name.clone(),
                problem,
            };
            let file = check(&folder.join(&sealed.name), sealed).map_err(damaged)?;
            // The digest was right, so what fails now is a file that was sealed as another, or a defect.
            let footer = open_footer(&file, id, &sealed.name, &key)
                .ok_or_else(|| damaged("does not open with its key"))?;
            if u64::try_from(footer.file_metadata().num_rows()).ok() != Some(sealed.rows) {
                return Err(damaged("does not have the rows it was sealed with"));
            }
            files.push(OpenFile {
                sealed: sealed.clone(),
                snapshot: id.clone(),
                file: Arc::new(file),
                footer,
            });
        }
        let by_location = files
            .iter()
            .enumerate()
            .map(|(index, file)| (file.location(), index))
            .collect();
        Ok(Self { files, by_location })
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

fn check(path: &Path, sealed: &SealedFile) -> Result<File, &'static str> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err("missing"),
        Err(_) => return Err("cannot be read"),
    };
    let length = file.metadata().map_err(|_| "cannot be read")?.len();
    if length != sealed.bytes {
        return Err("does not have the length it was sealed with");
    }
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).map_err(|_| "cannot be read")? {
            0 => break,
            read => digest.update(&buffer[..read]),
        }
    }
    if hex::encode(digest.finish()) != sealed.sha256 {
        return Err("was altered, or is another file (its SHA-256 is not the sealed one)");
    }
    Ok(file)
}

fn open_footer(file: &File, id: &str, name: &str, key: &[u8]) -> Option<Arc<ParquetMetaData>> {
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
            footer: Arc::clone(&open.footer),
            metrics: ParquetFileMetrics::new(partition_index, location, metrics),
        }))
    }
}

/// Reads one sealed file's bytes. They are decrypted page by page by the Parquet crate, with the footer's means.
struct SealedReader {
    file: Arc<File>,
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
        let file = Arc::clone(&self.file);
        async move {
            let read = move || {
                ranges
                    .into_iter()
                    .map(|range| read_range(&file, range))
                    .collect()
            };
            tokio::task::spawn_blocking(read)
                .await
                .map_err(|error| ParquetError::External(error.into()))?
        }
        .boxed()
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

fn read_range(file: &File, range: Range<u64>) -> parquet::errors::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start)?];
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
