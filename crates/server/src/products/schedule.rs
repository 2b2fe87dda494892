//! The task that does what is due: runs of products, and what ends by itself. Nothing rests on it: whatever ended has ended
//! for whoever looks, looked at or not. But a deadline that passes while nobody calls is in the log this way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::due::begin_due;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::{airlock, grants, policies};

/// How often is looked for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
        if let Err(fault) = settle(&domain).await {
            tracing::error!(
                code = fault.code,
                reason = fault.message,
                "what has ended was not settled"
            );
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Grants whose term or deadline has passed, tables that nobody decided on, policies whose time has come.
async fn settle(domain: &Domain) -> Result<(), Fault> {
    grants::settle(domain).await?;
    airlock::settle(domain).await?;
    policies::settled(domain).await.map(drop)
}
