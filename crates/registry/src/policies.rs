//! Policies in force, changes of them, and the sealed evidence of past releases.

use sqlx::FromRow;

use crate::database::{Registry, Statement, Writing};
use crate::error::RegistryError;

/// A policy in force.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PolicyRecord {
    /// The dataset it is of; empty for the domain's own.
    pub dataset: String,
    /// Its name.
    pub name: String,
    /// Digest of its meaning.
    pub digest: String,
    /// The text as it was handed in.
    pub text: String,
    /// RFC 3339.
    pub since: String,
    /// Person and organisation.
    pub set_by: String,
}

/// How far a change of a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeState {
    /// It waits for a second person.
    Proposed,
    /// It waits for its time.
    Approved,
    /// It took effect.
    InForce,
    /// Somebody took it back.
    Withdrawn,
    /// Another change of the same policy took effect before it.
    Overtaken,
}

impl ChangeState {
    const ALL: [Self; 5] = [
        Self::Proposed,
        Self::Approved,
        Self::InForce,
        Self::Withdrawn,
        Self::Overtaken,
    ];

    /// The state's name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::InForce => "in_force",
            Self::Withdrawn => "withdrawn",
            Self::Overtaken => "overtaken",
        }
    }

    /// Whether it may still take effect.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Proposed | Self::Approved)
    }
}

impl TryFrom<String> for ChangeState {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a state of a change"))
    }
}

/// A change of a policy.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PolicyChangeRecord {
    /// Its id.
    pub id: String,
    /// The dataset whose policy it changes; empty for the domain's own.
    pub dataset: String,
    /// Name of the new policy.
    pub name: String,
    /// Digest of the new policy.
    pub digest: String,
    /// Text of the new policy.
    pub text: String,
    /// Digest of the policy that it takes the place of.
    pub replaces: String,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: ChangeState,
    /// Who proposed it.
    pub proposed_person: String,
    /// Of which organisation.
    pub proposed_organisation: String,
    /// RFC 3339.
    pub proposed_at: String,
    /// Person and organisation; `None` until approved.
    pub approved_by: Option<String>,
    /// RFC 3339; `None` until approved.
    pub approved_at: Option<String>,
    /// RFC 3339: when it takes effect; `None` until approved.
    pub effective_at: Option<String>,
    /// Who took it back, or whose change overtook it; `None` otherwise.
    pub ended_by: Option<String>,
    /// RFC 3339: when it took effect, was taken back or overtaken.
    pub ended_at: Option<String>,
}

/// On what a past release was judged.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct EvidenceRecord {
    /// The run.
    pub run: String,
    /// The policy it was judged by, in its canonical form.
    pub policy: String,
    /// Names of the datasets read, separated by `, `.
    pub datasets: String,
    /// Ids of the snapshots read, separated by `, `.
    pub snapshots: String,
    /// RFC 3339.
    pub kept_at: String,
    /// The evidence, sealed; `None` where it was larger than is kept.
    pub sealed: Option<Vec<u8>>,
}

impl Registry {
    /// Every policy in force: the domain's first, then those of datasets by name.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn policies_in_force(&self) -> Result<Vec<PolicyRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM policies_in_force ORDER BY dataset")
                .fetch_all(self.pool())
                .await?,
        )
    }

    /// Puts a policy in force in place of the one that was. The change that brought it, if one did, is recorded as in
    /// force, and every other open change of the same scope as overtaken: all of it or nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_policy_in_force(
        &self,
        policy: &PolicyRecord,
        change: Option<&PolicyChangeRecord>,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO policies_in_force (dataset, name, digest, text, since, set_by) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (dataset) DO UPDATE SET name = excluded.name, digest = excluded.digest, \
             text = excluded.text, since = excluded.since, set_by = excluded.set_by",
        )
        .bind(&policy.dataset)
        .bind(&policy.name)
        .bind(&policy.digest)
        .bind(&policy.text)
        .bind(&policy.since)
        .bind(&policy.set_by)
        .execute(&mut *transaction)
        .await?;
        if let Some(change) = change {
            write_change(&mut transaction, change).await?;
        }
        sqlx::query(
            "UPDATE policy_changes SET state = 'overtaken', ended_by = ?, ended_at = ? \
             WHERE dataset = ? AND state IN ('proposed', 'approved')",
        )
        .bind(&policy.set_by)
        .bind(&policy.since)
        .bind(&policy.dataset)
        .execute(&mut *transaction)
        .await?;
        self.commit(transaction).await?;
        Ok(())
    }

    /// Records a change, or what has become of it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_policy_change(
        &self,
        change: &PolicyChangeRecord,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        write_change(&mut transaction, change).await?;
        self.commit(transaction).await?;
        Ok(())
    }

    /// The change with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn policy_change(
        &self,
        id: &str,
    ) -> Result<Option<PolicyChangeRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM policy_changes WHERE id = ?")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// The newest changes first, at most `limit`; those that are open only, or all.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn policy_changes(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<PolicyChangeRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM policy_changes WHERE NOT ?1 OR state IN ('proposed', 'approved') \
             ORDER BY proposed_at DESC, id DESC LIMIT ?2",
        )
        .bind(open_only)
        .bind(limit)
        .fetch_all(self.pool())
        .await?)
    }

    /// Keeps the evidence of a release. The first stays, as the first answer does.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_evidence(&self, evidence: &EvidenceRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        insert_evidence(evidence).execute(&mut *writing).await?;
        self.commit(writing).await
    }

    /// The runs whose evidence is kept, the newest first, at most `limit`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn evidence_runs(&self, limit: u32) -> Result<Vec<String>, RegistryError> {
        Ok(
            sqlx::query_scalar("SELECT run FROM evidence ORDER BY kept_at DESC, run LIMIT ?")
                .bind(limit)
                .fetch_all(self.pool())
                .await?,
        )
    }

    /// The evidence of one run.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn evidence(&self, run: &str) -> Result<Option<EvidenceRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM evidence WHERE run = ?")
            .bind(run)
            .fetch_optional(self.pool())
            .await?)
    }
}

/// A new row, or the further fate of one: what was proposed never changes.
async fn write_change(
    transaction: &mut Writing,
    change: &PolicyChangeRecord,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO policy_changes (id, dataset, name, digest, text, replaces, state, proposed_person, \
         proposed_organisation, proposed_at, approved_by, approved_at, effective_at, ended_by, ended_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, approved_by = excluded.approved_by, \
         approved_at = excluded.approved_at, effective_at = excluded.effective_at, ended_by = excluded.ended_by, \
         ended_at = excluded.ended_at",
    )
    .bind(&change.id)
    .bind(&change.dataset)
    .bind(&change.name)
    .bind(&change.digest)
    .bind(&change.text)
    .bind(&change.replaces)
    .bind(change.state.as_str())
    .bind(&change.proposed_person)
    .bind(&change.proposed_organisation)
    .bind(&change.proposed_at)
    .bind(&change.approved_by)
    .bind(&change.approved_at)
    .bind(&change.effective_at)
    .bind(&change.ended_by)
    .bind(&change.ended_at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The first evidence of a run stays.
pub(crate) fn insert_evidence(evidence: &EvidenceRecord) -> Statement<'_> {
    sqlx::query(
        "INSERT INTO evidence (run, policy, datasets, snapshots, kept_at, sealed) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (run) DO NOTHING",
    )
    .bind(&evidence.run)
    .bind(&evidence.policy)
    .bind(&evidence.datasets)
    .bind(&evidence.snapshots)
    .bind(&evidence.kept_at)
    .bind(&evidence.sealed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::seal::tests::key;

    async fn registry() -> (tempfile::TempDir, Registry) {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.sqlite"), key())
            .await
            .unwrap();
        (folder, registry)
    }

    fn change(id: &str, dataset: &str) -> PolicyChangeRecord {
        PolicyChangeRecord {
            id: id.to_owned(),
            dataset: dataset.to_owned(),
            name: "x".to_owned(),
            digest: format!("digest-{id}"),
            text: "name = \"x\"".to_owned(),
            replaces: "digest-0".to_owned(),
            state: ChangeState::Proposed,
            proposed_person: "wang".to_owned(),
            proposed_organisation: "bureau".to_owned(),
            proposed_at: format!("2026-01-01T00:00:0{id}Z"),
            approved_by: None,
            approved_at: None,
            effective_at: None,
            ended_by: None,
            ended_at: None,
        }
    }

    fn in_force(dataset: &str, digest: &str) -> PolicyRecord {
        PolicyRecord {
            dataset: dataset.to_owned(),
            name: "x".to_owned(),
            digest: digest.to_owned(),
            text: "name = \"x\"".to_owned(),
            since: "2026-01-02T00:00:00Z".to_owned(),
            set_by: "wang (bureau)".to_owned(),
        }
    }

    #[tokio::test]
    async fn one_change_of_a_scope_is_open_and_a_policy_in_force_overtakes_it() {
        let (_folder, registry) = registry().await;
        registry.put_policy_change(&change("1", "")).await.unwrap();
        assert!(registry.put_policy_change(&change("2", "")).await.is_err());
        registry
            .put_policy_change(&change("3", "flights"))
            .await
            .unwrap();
        let taken = PolicyChangeRecord {
            state: ChangeState::InForce,
            ended_by: Some("wang (bureau)".to_owned()),
            ended_at: Some("2026-01-02T00:00:00Z".to_owned()),
            ..change("4", "")
        };
        registry
            .put_policy_in_force(&in_force("", "digest-4"), Some(&taken))
            .await
            .unwrap();
        let states: Vec<_> = registry
            .policy_changes(false, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|change| (change.id, change.state))
            .collect();
        assert_eq!(
            states,
            [
                ("4".to_owned(), ChangeState::InForce),
                ("3".to_owned(), ChangeState::Proposed),
                ("1".to_owned(), ChangeState::Overtaken),
            ]
        );
        let open = registry.policy_changes(true, 10).await.unwrap();
        assert_eq!(open, [change("3", "flights")]);
        assert_eq!(
            registry.policies_in_force().await.unwrap(),
            [in_force("", "digest-4")]
        );
    }

    #[tokio::test]
    async fn what_was_proposed_never_changes() {
        let (_folder, registry) = registry().await;
        registry.put_policy_change(&change("1", "")).await.unwrap();
        let forged = PolicyChangeRecord {
            digest: "another".to_owned(),
            text: "another".to_owned(),
            state: ChangeState::Withdrawn,
            ended_by: Some("li (bureau)".to_owned()),
            ended_at: Some("2026-01-02T00:00:00Z".to_owned()),
            ..change("1", "")
        };
        registry.put_policy_change(&forged).await.unwrap();
        let kept = registry.policy_change("1").await.unwrap().unwrap();
        assert_eq!(kept.state, ChangeState::Withdrawn);
        assert_eq!(
            (kept.digest, kept.text),
            (change("1", "").digest, change("1", "").text)
        );
    }

    #[tokio::test]
    async fn the_first_evidence_of_a_run_stays() {
        let (_folder, registry) = registry().await;
        let evidence = |run: &str, sealed: Option<Vec<u8>>, at: &str| EvidenceRecord {
            run: run.to_owned(),
            policy: "name = \"x\"".to_owned(),
            datasets: "flights".to_owned(),
            snapshots: "s1".to_owned(),
            kept_at: at.to_owned(),
            sealed,
        };
        let first = evidence("r1", Some(vec![1, 2]), "2026-01-01T00:00:00Z");
        registry.add_evidence(&first).await.unwrap();
        registry
            .add_evidence(&evidence("r1", None, "2026-01-03T00:00:00Z"))
            .await
            .unwrap();
        registry
            .add_evidence(&evidence("r2", None, "2026-01-02T00:00:00Z"))
            .await
            .unwrap();
        assert_eq!(registry.evidence("r1").await.unwrap(), Some(first));
        assert_eq!(registry.evidence_runs(10).await.unwrap(), ["r2", "r1"]);
        assert_eq!(registry.evidence("r3").await.unwrap(), None);
    }
}
