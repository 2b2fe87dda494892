//! Threads for computations, so that those who serve are never held up by one.

use std::future::Future;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

use crate::fault::{Fault, panicked};

/// Threads for each processor. A run gives way between batches and not in one, so that long batches of one operator must not
/// take every thread.
const THREADS_PER_PROCESSOR: usize = 4;

/// A runtime of its own.
pub(crate) struct Computing {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Computing {
    /// Starts the threads.
    pub(crate) fn start() -> Result<Self, Fault> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(processors * THREADS_PER_PROCESSOR)
    }

    /// Starts this many threads.
    pub(crate) fn with_threads(threads: usize) -> Result<Self, Fault> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("weir-compute")
            .enable_all()
            .build()
            .map_err(|_| {
                Fault::environment(
                    "SERVER_THREADS",
                    "no threads could be started for computations. Raise the limit on threads of this user",
                )
            })?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs a computation there. It ends at its next pause where its caller no longer waits for it.
    pub(crate) async fn run<F>(&self, computation: F) -> Result<F::Output, Fault>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut tasks = JoinSet::new();
        tasks.spawn_on(computation, &self.handle);
        match tasks.join_next().await {
            Some(Ok(done)) => Ok(done),
            _ => Err(panicked()),
        }
    }
}

impl Drop for Computing {
    /// A runtime may not be waited for where a domain is dropped: among others' tasks.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
