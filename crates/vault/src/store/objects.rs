//! Snapshots in an object store.
//!
//! Requests run on a small runtime of the store's own, so that they neither need nor disturb the caller's: the vault
//! is called from blocking threads, from asynchronous ones, and from runtimes without a network driver.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::limit::LimitStore;
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, WriteMultipart};
use parquet::errors::ParquetError;
use tokio::runtime::{Builder, Handle, Runtime};

use super::{SnapshotStore, StoredFile};
use crate::durable::{Op, step};
use crate::{Result, VaultError};

/// Requests in flight at once.
const REQUESTS_MAX: usize = 32;
/// Files above this are uploaded in parts; the others in one request.
const PUT_BYTES_MAX: u64 = 32 << 20;
/// Size of a part; S3 wants 5 MiB at least and 10,000 parts at most.
const PART_BYTES: usize = 16 << 20;
/// Parts of one upload in flight at once.
const PARTS_MAX: usize = 4;
/// Name of the object that says whose store this is.
const MARK: &str = "vault-id";
/// Longest mark that is read, in bytes.
const MARK_BYTES_MAX: u64 = 256;

/// A bucket, below a prefix.
#[derive(Clone)]
pub(crate) struct ObjectsStore {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    /// For messages: the store and the prefix, without credentials.
    place: Arc<str>,
    runtime: Arc<OwnRuntime>,
}

/// A runtime that may be dropped anywhere.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn start() -> Result<Self> {
        let started = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("weir-store")
            .enable_all()
            .build();
        started
            .map(|runtime| Self(Some(runtime)))
            .map_err(|_| VaultError::Internal {
                action: "starting the store's runtime",
            })
    }

    fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting is not allowed on every thread that may drop the last reference.
            runtime.shutdown_background();
        }
    }
}

impl ObjectsStore {
    pub(crate) fn new(store: impl ObjectStore, prefix: &str, place: String) -> Result<Self> {
        Ok(Self {
            store: Arc::new(LimitStore::new(store, REQUESTS_MAX)),
            prefix: Key::from(prefix),
            place: place.into(),
            runtime: Arc::new(OwnRuntime::start()?),
        })
    }

    /// What the store is, for messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The id of the vault that this store belongs to.
    pub(crate) fn mark(&self) -> Result<Option<String>> {
        let mark = self.read_key(self.prefix.clone().join(MARK), MARK_BYTES_MAX)?;
        Ok(mark.map(|mark| String::from_utf8_lossy(&mark).trim().to_owned()))
    }

    /// Makes the store this vault's. There must be nothing below the prefix.
    pub(crate) fn set_mark(&self, id: &str) -> Result<()> {
        let (store, prefix) = (Arc::clone(&self.store), self.prefix.clone());
        let first = self.wait("list", async move {
            store.list(Some(&prefix)).next().await.transpose()
        })?;
        if first.is_some() {
            return Err(VaultError::StoreForeign {
                place: self.place.to_string(),
                problem: "there are objects below this prefix already; name an empty one",
            });
        }
        let (store, key) = (Arc::clone(&self.store), self.prefix.clone().join(MARK));
        let mark = format!("{id}\n");
        let place = key.to_string();
        step(Op::Put, Path::new(&place), || {
            self.wait_io("write", async move {
                store.put(&key, mark.into_bytes().into()).await.map(drop)
            })
        })
        .map_err(|error| self.error("write", error))
    }

    fn snapshot(&self, id: &str) -> Key {
        self.prefix.clone().join("snapshots").join(id)
    }

    fn key(&self, id: &str, file: &str) -> Key {
        self.snapshot(id).join(file)
    }

    /// Runs a request on the store's runtime and waits for it. Does not need a runtime, nor mind being in one.
    fn run<T: Send + 'static>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Option<object_store::Result<T>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.runtime.handle()?.spawn(async move {
            // Whoever waited may be gone.
            let _ = sender.send(request.await);
        });
        receiver.recv().ok()
    }

    fn wait<T: Send + 'static>(
        &self,
        action: &'static str,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.wait_io(action, request)
            .map_err(|error| self.error(action, error))
    }

    /// As [`Self::wait`], in the shape that [`step`] takes.
    fn wait_io<T: Send + 'static>(
        &self,
        _action: &'static str,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> std::io::Result<T> {
        match self.run(request) {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => Err(io_error(&error)),
            None => Err(std::io::ErrorKind::Other.into()),
        }
    }

    fn error(&self, action: &'static str, error: std::io::Error) -> VaultError {
        VaultError::StoreFailed {
            place: self.place.to_string(),
            action,
            problem: match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "the store refused the request; check the credentials and what they may do"
                }
                std::io::ErrorKind::NotFound => "no such bucket or object; check the settings",
                _ => {
                    "the store does not answer or failed; check that it can be reached, then try again"
                }
            },
        }
    }

    fn read_key(&self, key: Key, limit: u64) -> Result<Option<Vec<u8>>> {
        let store = Arc::clone(&self.store);
        self.wait("read", async move {
            let found = match store.get(&key).await {
                Err(StoreError::NotFound { .. }) => return Ok(None),
                found => found?,
            };
            if found.meta.size > limit {
                // Longer than anything the vault writes: somebody else's.
                return Ok(Some(Vec::new()));
            }
            found.bytes().await.map(|bytes| Some(bytes.to_vec()))
        })
    }

    fn put(&self, id: &str, staged: &Path, file: &str) -> Result<()> {
        let (store, key) = (Arc::clone(&self.store), self.key(id, file));
        let path = staged.join(file);
        let length = std::fs::metadata(&path)
            .map_err(VaultError::io("read", &path))?
            .len();
        let place = key.to_string();
        step(Op::Put, Path::new(&place), || {
            if length > PUT_BYTES_MAX {
                self.wait_io("write", put_parts(store, key, path))
            } else {
                let bytes = std::fs::read(&path)?;
                self.wait_io("write", async move {
                    store.put(&key, bytes.into()).await.map(drop)
                })
            }
        })
        .map_err(|error| self.error("write", error))
    }
}

/// What an error of the store means. Its own words may hold addresses and answers of the store, and stay here.
fn io_error(error: &StoreError) -> std::io::Error {
    let kind = match error {
        StoreError::NotFound { .. } => std::io::ErrorKind::NotFound,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            std::io::ErrorKind::PermissionDenied
        }
        _ => std::io::ErrorKind::Other,
    };
    kind.into()
}

/// Uploads a large file in parts, with few of them in memory.
async fn put_parts(
    store: Arc<dyn ObjectStore>,
    key: Key,
    path: std::path::PathBuf,
) -> object_store::Result<()> {
    use tokio::io::AsyncReadExt;
    let local = |source: std::io::Error| StoreError::Generic {
        store: "staging",
        source: Box::new(source),
    };
    let mut file = tokio::fs::File::open(&path).await.map_err(local)?;
    let upload = store.put_multipart(&key).await?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut buffer = vec![0; PART_BYTES];
    loop {
        let sent = match file.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => upload.wait_for_capacity(PARTS_MAX).await.map(|()| read),
            Err(error) => Err(local(error)),
        };
        match sent {
            Ok(read) => upload.write(&buffer[..read]),
            Err(error) => {
                // Parts of an upload that is not finished cost room and are in no listing.
                let _ = upload.abort().await;
                return Err(error);
            }
        }
    }
    upload.finish().await.map(drop)
}

impl SnapshotStore for ObjectsStore {
    fn place(&self, id: &str, staged: &Path, files: &[String]) -> Result<()> {
        files.iter().try_for_each(|file| self.put(id, staged, file))
    }

    fn list(&self, id: &str) -> Result<Vec<String>> {
        let (store, folder) = (Arc::clone(&self.store), self.snapshot(id));
        self.wait("list", async move {
            let found = store.list(Some(&folder)).map_ok(|object| {
                let rest = object.location.prefix_match(&folder);
                rest.map(|parts| {
                    let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
                    parts.join("/")
                })
                .unwrap_or_default()
            });
            let mut names: Vec<String> = found.try_collect().await?;
            names.sort();
            Ok(names)
        })
    }

    fn read(&self, id: &str, file: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.read_key(self.key(id, file), limit)
    }

    fn open(&self, id: &str, file: &str) -> Result<Option<Box<dyn StoredFile>>> {
        let (store, key) = (Arc::clone(&self.store), self.key(id, file));
        let asked = key.clone();
        let length = self.wait("read", async move {
            match store.head(&asked).await {
                Ok(object) => Ok(Some(object.size)),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        Ok(length.map(|length| -> Box<dyn StoredFile> {
            Box::new(Object {
                store: self.clone(),
                key,
                length,
            })
        }))
    }

    fn remove(&self, id: &str) -> Result<()> {
        for file in self.list(id)? {
            let (store, key) = (Arc::clone(&self.store), self.key(id, &file));
            let place = key.to_string();
            step(Op::Delete, Path::new(&place), || {
                self.wait_io("delete", async move {
                    match store.delete(&key).await {
                        Err(StoreError::NotFound { .. }) => Ok(()),
                        done => done,
                    }
                })
            })
            .map_err(|error| self.error("delete", error))?;
        }
        Ok(())
    }
}

/// An object, read by ranges.
struct Object {
    store: ObjectsStore,
    key: Key,
    length: u64,
}

impl StoredFile for Object {
    fn length(&self) -> u64 {
        self.length
    }

    fn each_piece(&self, show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let (store, key) = (Arc::clone(&self.store.store), self.key.clone());
        // One request for the whole object; its pieces come over a short queue, so that little of it is in memory.
        let (sender, pieces) = mpsc::sync_channel::<object_store::Result<Bytes>>(4);
        let handle = self.store.runtime.handle().cloned();
        let task = handle.map(|handle| {
            handle.spawn(async move {
                match store.get(&key).await {
                    Ok(found) => {
                        let mut stream = found.into_stream();
                        while let Some(piece) = stream.next().await {
                            // A full queue blocks this thread of the store's own runtime, briefly.
                            if tokio::task::block_in_place(|| sender.send(piece)).is_err() {
                                break;
                            }
                        }
                    }
                    Err(error) => drop(sender.send(Err(error))),
                }
            })
        });
        for piece in pieces {
            show(&piece.map_err(|error| self.store.error("read", io_error(&error)))?);
        }
        drop(task);
        Ok(())
    }

    fn read_now(&self, range: Range<u64>) -> Result<Bytes> {
        let (store, key) = (Arc::clone(&self.store.store), self.key.clone());
        self.store
            .wait("read", async move { store.get_range(&key, range).await })
    }

    fn read(
        &self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'static, parquet::errors::Result<Vec<Bytes>>> {
        let (store, key) = (Arc::clone(&self.store.store), self.key.clone());
        // Ranges that lie close together are one request (`ObjectStore::get_ranges`).
        let task = self
            .store
            .runtime
            .handle()
            .map(|handle| handle.spawn(async move { store.get_ranges(&key, &ranges).await }));
        let failed = || ParquetError::General("the store failed".to_owned());
        async move {
            let task = task.ok_or_else(failed)?;
            let done = task.await.map_err(|_| failed())?;
            done.map_err(|_| failed())
        }
        .boxed()
    }
}

impl fmt::Debug for ObjectsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectsStore")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
