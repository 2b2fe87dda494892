//! What is seen of a run from outside it: where it is, how it ended, how long it took.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::domain::Domain;
use crate::fault::Fault;
use crate::traces::RunSpan;

/// A run that is under way.
pub(crate) struct Observed {
    domain: Arc<Domain>,
    begun: Instant,
    stage: Mutex<Option<&'static str>>,
    span: RunSpan,
}

impl Observed {
    pub(crate) fn begin(domain: &Arc<Domain>, run: &str) -> Self {
        Self {
            domain: Arc::clone(domain),
            begun: Instant::now(),
            stage: Mutex::new(None),
            span: domain.traces.run(run),
        }
    }

    /// The run begins its next stage. Names of stages are constants and do not depend on the data.
    pub(crate) fn stage(&self, name: &'static str) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        self.domain.metrics.stage(*stage, Some(name));
        *stage = Some(name);
        self.span.stage(name);
    }

    /// The run ended.
    pub(crate) fn end(&self, fault: Option<&Fault>) {
        self.domain.metrics.ran(fault, self.begun.elapsed());
        self.span.end(fault);
    }
}

impl Drop for Observed {
    /// However it ended, it is in no stage any more.
    fn drop(&mut self) {
        let stage = self
            .stage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.domain.metrics.stage(stage, None);
    }
}
