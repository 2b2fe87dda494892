//! The task that runs what is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::due::begin_due;
use crate::domain::Domain;

/// How often is looked for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Runs products on their schedules. Dropping it ends it.
pub(crate) struct Schedule {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Schedule {
    /// Begins to look.
    pub(crate) fn start(domain: &Arc<Domain>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follow(Arc::clone(domain), stopped));
        Self { stop, task }
    }

    /// Ends it; a run under way is dropped, and made at the next start.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(domain: Arc<Domain>, mut stopped: watch::Receiver<bool>) {
    // Dropped with this task, and its tasks with it.
    let mut tasks = JoinSet::new();
    loop {
        // Taken before looking, so that what changes meanwhile is looked at.
        let changed = domain.products.changed.notified();
        if let Err(fault) = begin_due(&domain, domain.clock.now(), &mut tasks).await {
            tracing::error!(
                code = fault.code,
                reason = fault.message,
                "no product was run"
            );
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}
