//! Applications, opinions, grants, and what is frozen.

use sqlx::FromRow;

use crate::database::{Registry, Writing};
use crate::error::RegistryError;

/// A closed list of states with their names in the database.
macro_rules! states {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the database, the log and the documentation.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|state| state.as_str() == text)
                    .ok_or_else(|| format!("`{text}` is not a state"))
            }
        }
    };
}

pub(crate) use states;

states! {
    /// How far an application is.
    ApplicationState {
        /// Opinions are outstanding, or one opposes it.
        Submitted = "submitted",
        /// Every provider supports it: the bureau decides.
        Reviewed = "reviewed",
        /// The applicant is to mend it.
        Returned = "returned",
        /// It was refused.
        Rejected = "rejected",
        /// The applicant took it back.
        Withdrawn = "withdrawn",
        /// There is a grant.
        Granted = "granted",
    }
}

states! {
    /// What a grant is worth.
    GrantState {
        /// Runs may read under it.
        Active = "active",
        /// Runs may read under it; its holder has to mend something by a deadline.
        Mending = "mending",
        /// Nobody reads under it until it is resumed.
        Suspended = "suspended",
        /// The bureau took it back.
        Revoked = "revoked",
        /// Its time is over.
        Expired = "expired",
        /// Its holder gave it up, or the bureau brought it to an end.
        Terminated = "terminated",
    }
}

/// What an operator applied for.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ApplicationRecord {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub organisation: String,
    /// Who applied.
    pub person: String,
    /// The scenario, by which an organisation has at most one open application.
    pub scenario: String,
    /// TOML as it was handed in.
    pub text: String,
    /// Digest of the text.
    pub digest: String,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: ApplicationState,
    /// RFC 3339.
    pub submitted_at: String,
    /// Who decided, person and organisation; `None` until then.
    pub decided_by: Option<String>,
    /// RFC 3339; `None` until then.
    pub decided_at: Option<String>,
    /// Why it was returned, rejected or withdrawn.
    pub reason: Option<String>,
    /// The grant it led to.
    pub grant_id: Option<String>,
}

/// What an organisation said of a dataset's part in an application.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpinionRecord {
    /// The application.
    pub application: String,
    /// The dataset; empty for the application as a whole.
    pub dataset: String,
    /// Who speaks.
    pub organisation: String,
    /// Through whom.
    pub person: String,
    /// Digest of the text that was reviewed.
    pub digest: String,
    /// Whether it supports the application.
    pub supports: bool,
    /// What was said.
    pub text: String,
    /// RFC 3339.
    pub given_at: String,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct GrantRecord {
    /// Its id.
    pub id: String,
    /// The grant it is a part of.
    pub parent: Option<String>,
    /// The application it answers; a part has that of the whole.
    pub application: String,
    /// Who holds it.
    pub organisation: String,
    /// The scenario.
    pub scenario: String,
    /// What is granted: a statement signed with the log's key.
    pub note: String,
    /// Digest of the note.
    pub digest: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// What it is worth.
    #[sqlx(try_from = "String")]
    pub state: GrantState,
    /// RFC 3339: when something more happens by itself.
    pub deadline: Option<String>,
    /// Why it is in this state.
    pub reason: Option<String>,
    /// Who brought it there, person and organisation.
    pub changed_by: String,
    /// RFC 3339.
    pub changed_at: String,
}

/// Something frozen.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FreezeRecord {
    /// `dataset`, `operator` or `domain`.
    pub scope: String,
    /// Which; empty for the domain.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Person and organisation.
    pub frozen_by: String,
    /// RFC 3339.
    pub frozen_at: String,
}

/// A request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RequestRecord {
    /// The key that its caller chose.
    pub key: String,
    /// The caller's organisation.
    pub organisation: String,
    /// The caller.
    pub person: String,
    /// Digest of what was asked.
    pub digest: String,
    /// What it made or changed.
    pub subject: String,
}

impl Registry {
    /// Records an application or what has become of it, with the request that did it.
    ///
    /// # Errors
    /// Where the database fails, or another application of the scenario is open.
    pub async fn put_application(
        &self,
        application: &ApplicationRecord,
        request: Option<&RequestRecord>,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        write_application(&mut transaction, application).await?;
        write_request(&mut transaction, request).await?;
        self.commit(transaction).await
    }

    /// The application with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn application(&self, id: &str) -> Result<Option<ApplicationRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM applications WHERE id = ?")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// The newest applications first, at most `limit`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn applications(&self, limit: u32) -> Result<Vec<ApplicationRecord>, RegistryError> {
        Ok(
            sqlx::query_as(
                "SELECT * FROM applications ORDER BY submitted_at DESC, id DESC LIMIT ?",
            )
            .bind(limit)
            .fetch_all(self.pool())
            .await?,
        )
    }

    /// Records opinions, in place of what their organisation said before, and how far the application is now.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_opinions(
        &self,
        opinions: &[OpinionRecord],
        application: &ApplicationRecord,
        request: Option<&RequestRecord>,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        for opinion in opinions {
            sqlx::query(
                "INSERT INTO opinions (application, dataset, organisation, person, digest, supports, text, given_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (application, dataset, organisation) DO UPDATE SET \
                 person = excluded.person, digest = excluded.digest, supports = excluded.supports, \
                 text = excluded.text, given_at = excluded.given_at",
            )
            .bind(&opinion.application)
            .bind(&opinion.dataset)
            .bind(&opinion.organisation)
            .bind(&opinion.person)
            .bind(&opinion.digest)
            .bind(opinion.supports)
            .bind(&opinion.text)
            .bind(&opinion.given_at)
            .execute(&mut *transaction)
            .await?;
        }
        write_application(&mut transaction, application).await?;
        write_request(&mut transaction, request).await?;
        self.commit(transaction).await
    }

    /// The opinions on an application, by dataset and organisation.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn opinions(&self, application: &str) -> Result<Vec<OpinionRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM opinions WHERE application = ? ORDER BY dataset, organisation",
        )
        .bind(application)
        .fetch_all(self.pool())
        .await?)
    }

    /// Records a new grant, the application it answers where it is not a part of another, and the request.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_grant(
        &self,
        grant: &GrantRecord,
        application: Option<&ApplicationRecord>,
        request: Option<&RequestRecord>,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO grants (id, parent, application, organisation, scenario, note, digest, not_before, not_after, \
             state, deadline, reason, changed_by, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&grant.id)
        .bind(&grant.parent)
        .bind(&grant.application)
        .bind(&grant.organisation)
        .bind(&grant.scenario)
        .bind(&grant.note)
        .bind(&grant.digest)
        .bind(&grant.not_before)
        .bind(&grant.not_after)
        .bind(grant.state.as_str())
        .bind(&grant.deadline)
        .bind(&grant.reason)
        .bind(&grant.changed_by)
        .bind(&grant.changed_at)
        .execute(&mut *transaction)
        .await?;
        if let Some(application) = application {
            write_application(&mut transaction, application).await?;
        }
        write_request(&mut transaction, request).await?;
        self.commit(transaction).await
    }

    /// Records what has become of grants, all of them or none. What was granted never changes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn change_grants(
        &self,
        grants: &[GrantRecord],
        request: Option<&RequestRecord>,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.begin().await?;
        for grant in grants {
            sqlx::query(
                "UPDATE grants SET state = ?, deadline = ?, reason = ?, changed_by = ?, changed_at = ? WHERE id = ?",
            )
            .bind(grant.state.as_str())
            .bind(&grant.deadline)
            .bind(&grant.reason)
            .bind(&grant.changed_by)
            .bind(&grant.changed_at)
            .bind(&grant.id)
            .execute(&mut *transaction)
            .await?;
        }
        write_request(&mut transaction, request).await?;
        self.commit(transaction).await
    }

    /// The grant with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grant(&self, id: &str) -> Result<Option<GrantRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM grants WHERE id = ?")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// Every grant, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grants(&self) -> Result<Vec<GrantRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM grants ORDER BY id DESC")
            .fetch_all(self.pool())
            .await?)
    }

    /// The grants of an organisation, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grants_of(&self, organisation: &str) -> Result<Vec<GrantRecord>, RegistryError> {
        Ok(
            sqlx::query_as("SELECT * FROM grants WHERE organisation = ? ORDER BY id DESC")
                .bind(organisation)
                .fetch_all(self.pool())
                .await?,
        )
    }

    /// Grants that by this moment should be in another state: their time is over, or a deadline has passed. Moments are
    /// compared as text, so all are written in one form.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grants_due(&self, now: &str) -> Result<Vec<GrantRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM grants WHERE state IN ('active', 'mending', 'suspended') \
             AND (not_after <= ?1 OR deadline <= ?1) ORDER BY id",
        )
        .bind(now)
        .fetch_all(self.pool())
        .await?)
    }

    /// What is frozen.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn freezes(&self) -> Result<Vec<FreezeRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM freezes ORDER BY scope, name")
            .fetch_all(self.pool())
            .await?)
    }

    /// Freezes something. What is frozen already stays as it is.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn freeze(&self, freeze: &FreezeRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO freezes (scope, name, reason, frozen_by, frozen_at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (scope, name) DO NOTHING",
        )
        .bind(&freeze.scope)
        .bind(&freeze.name)
        .bind(&freeze.reason)
        .bind(&freeze.frozen_by)
        .bind(&freeze.frozen_at)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// Lets something go that was frozen.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn unfreeze(&self, scope: &str, name: &str) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query("DELETE FROM freezes WHERE scope = ? AND name = ?")
            .bind(scope)
            .bind(name)
            .execute(&mut *writing)
            .await?;
        self.commit(writing).await
    }

    /// The request that was carried out under this key.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grant_request(&self, key: &str) -> Result<Option<RequestRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM grant_requests WHERE key = ?")
            .bind(key)
            .fetch_optional(self.pool())
            .await?)
    }
}

async fn write_application(
    transaction: &mut Writing,
    application: &ApplicationRecord,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO applications (id, organisation, person, scenario, text, digest, state, submitted_at, decided_by, \
         decided_at, reason, grant_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET person = excluded.person, scenario = excluded.scenario, text = excluded.text, \
         digest = excluded.digest, state = excluded.state, submitted_at = excluded.submitted_at, \
         decided_by = excluded.decided_by, decided_at = excluded.decided_at, reason = excluded.reason, \
         grant_id = excluded.grant_id",
    )
    .bind(&application.id)
    .bind(&application.organisation)
    .bind(&application.person)
    .bind(&application.scenario)
    .bind(&application.text)
    .bind(&application.digest)
    .bind(application.state.as_str())
    .bind(&application.submitted_at)
    .bind(&application.decided_by)
    .bind(&application.decided_at)
    .bind(&application.reason)
    .bind(&application.grant_id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn write_request(
    transaction: &mut Writing,
    request: Option<&RequestRecord>,
) -> Result<(), RegistryError> {
    let Some(request) = request else {
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO grant_requests (key, organisation, person, digest, subject) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(&request.key)
    .bind(&request.organisation)
    .bind(&request.person)
    .bind(&request.digest)
    .bind(&request.subject)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
