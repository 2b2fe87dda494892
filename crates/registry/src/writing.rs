//! Writing: one at a time, and those who wait are made durable together.
//!
//! Whoever has written puts its transaction back open and waits for its turn again. Those who came meanwhile have their turn
//! before, and write into the same transaction, each behind a savepoint of its own; the first whose turn comes again seals and
//! commits for all. Nobody's write is done before that. Where nobody else waits, that is at once.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::error::RegistryError;

/// A transaction that writers share, until somebody commits it.
#[derive(Debug, Default)]
pub(crate) struct Group {
    transaction: Option<Transaction<'static, Sqlite>>,
    /// Those whose writes are in it, and wait.
    members: Vec<oneshot::Sender<Result<(), Shared>>>,
    /// The last writer left without being done: what it wrote is to be undone before anything else is.
    is_to_undo: bool,
}

/// Why a transaction that several wrote into was not committed.
type Shared = Arc<RegistryError>;

/// Where writers wait.
pub(crate) type Turn = Arc<Mutex<Group>>;

/// The savepoint of whoever writes behind these. They stay until all is committed, so each has a name of its own: should one
/// be missing, nobody else's write is undone in its place.
fn savepoint<T>(before: &[T]) -> String {
    format!("writing_{}", before.len())
}

/// A write that is under way. Dropping it undoes it.
pub(crate) struct Writing {
    group: OwnedMutexGuard<Group>,
    is_kept: bool,
}

impl Group {
    /// Undoes what a writer left behind. Where that fails the transaction is gone, and so is what all of its members wrote.
    async fn undo(&mut self) -> Result<(), RegistryError> {
        let Some(transaction) = self.transaction.as_mut().filter(|_| self.is_to_undo) else {
            return Ok(());
        };
        let undo = format!("ROLLBACK TO {}", savepoint(&self.members));
        if let Err(error) = transaction.execute(AssertSqlSafe(undo)).await {
            self.transaction = None;
            self.is_to_undo = false;
            return Err(error.into());
        }
        self.is_to_undo = false;
        Ok(())
    }

    /// Takes the transaction to commit it, and those who wait for that. None where another has done so.
    pub(crate) async fn take(&mut self) -> Option<(Committing, Transaction<'static, Sqlite>)> {
        let undone = self.undo().await;
        let members = Committing(std::mem::take(&mut self.members));
        match (undone, self.transaction.take()) {
            (Ok(()), Some(transaction)) => Some((members, transaction)),
            (Ok(()), None) => None,
            (Err(error), _) => {
                members.end(Err(error));
                None
            }
        }
    }
}

/// Those who wait for a commit.
pub(crate) struct Committing(Vec<oneshot::Sender<Result<(), Shared>>>);

impl Committing {
    /// Tells all of them how it ended.
    pub(crate) fn end(self, outcome: Result<(), RegistryError>) {
        let outcome = outcome.map_err(Arc::new);
        for member in self.0 {
            // Whoever no longer waits does not hear of it.
            drop(member.send(outcome.clone()));
        }
    }
}

/// How a write ended that is in a transaction with others.
pub(crate) type Ending = oneshot::Receiver<Result<(), Shared>>;

impl Writing {
    /// Waits for a turn, and begins.
    pub(crate) async fn begin(turn: &Turn, pool: &SqlitePool) -> Result<Self, RegistryError> {
        let mut group = Arc::clone(turn).lock_owned().await;
        if group.undo().await.is_err() {
            let members = Committing(std::mem::take(&mut group.members));
            members.end(Err(sqlx::Error::WorkerCrashed.into()));
        }
        let is_first = group.transaction.is_none();
        if is_first {
            group.transaction = Some(pool.begin().await?);
        }
        let mut writing = Self {
            group,
            is_kept: false,
        };
        // With the first one's write all of the transaction is undone.
        if !is_first {
            let begin = format!("SAVEPOINT {}", savepoint(&writing.group.members));
            writing.execute(AssertSqlSafe(begin)).await?;
        }
        Ok(writing)
    }

    /// Undoes it.
    pub(crate) fn rollback(self) {
        drop(self);
    }

    /// Leaves it to be committed with what others write; answers how to hear of that.
    pub(crate) fn keep(mut self) -> Ending {
        self.is_kept = true;
        let (sender, ending) = oneshot::channel();
        self.group.members.push(sender);
        ending
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        if self.group.members.is_empty() {
            // Nobody else's write is in it.
            self.group.transaction = None;
        } else {
            self.group.is_to_undo = true;
        }
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    #[expect(
        clippy::expect_used,
        reason = "it is there from `begin` on, and is taken by nobody who does not hold the group"
    )]
    fn deref(&self) -> &SqliteConnection {
        self.group.transaction.as_deref().expect("a transaction")
    }
}

impl DerefMut for Writing {
    #[expect(
        clippy::expect_used,
        reason = "it is there from `begin` on, and is taken by nobody who does not hold the group"
    )]
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.group
            .transaction
            .as_deref_mut()
            .expect("a transaction")
    }
}
