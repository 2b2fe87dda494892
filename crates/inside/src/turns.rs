//! Whose turn it is to compute: decided outside, asked after each batch.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

/// Lets others go first.
pub trait Turns: Send + Sync {
    /// Waits until it is the computation's turn again, which has worked for so long since it asked last.
    fn next(&self, worked: Duration) -> BoxFuture<'_, ()>;
}

/// Turns as a session carries them.
pub(crate) struct Carried(pub(crate) Arc<dyn Turns>);
