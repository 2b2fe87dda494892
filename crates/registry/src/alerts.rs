//! Alerts: what was raised, who has looked at it, and whether it was sent on.

use sqlx::FromRow;

use crate::database::Registry;
use crate::error::RegistryError;

/// An alert.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AlertRecord {
    /// Its id.
    pub id: String,
    /// The rule that holds.
    pub rule: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// For whom or what it holds.
    pub subject: String,
    /// RFC 3339, milliseconds.
    pub raised_at: String,
    /// When what was measured began; RFC 3339, milliseconds.
    pub since: String,
    /// What was measured, in events, cells or percent.
    pub measured: i64,
    /// From where on the rule holds.
    pub threshold: i64,
    /// The entry of the log that made it hold, where there is one.
    pub log_index: Option<i64>,
    /// `none`, `waiting`, `sent` or `given up`.
    pub webhook: String,
    /// How often sending was tried.
    pub attempts: i64,
    /// Who has looked at it; `None` until then.
    pub acknowledged_by: Option<String>,
    /// RFC 3339; `None` until then.
    pub acknowledged_at: Option<String>,
    /// What they said.
    pub note: Option<String>,
}

impl Registry {
    /// Records an alert. Recording it again changes nothing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_alert(&self, alert: &AlertRecord) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query(
            "INSERT INTO alerts (id, rule, severity, subject, raised_at, since, measured, threshold, log_index, webhook) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&alert.id)
        .bind(&alert.rule)
        .bind(&alert.severity)
        .bind(&alert.subject)
        .bind(&alert.raised_at)
        .bind(&alert.since)
        .bind(alert.measured)
        .bind(alert.threshold)
        .bind(alert.log_index)
        .bind(&alert.webhook)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await
    }

    /// The alert with this id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alert(&self, id: &str) -> Result<Option<AlertRecord>, RegistryError> {
        Ok(sqlx::query_as("SELECT * FROM alerts WHERE id = ?")
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// The newest alerts first, at most `limit`: all, or those nobody has looked at.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alerts(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<AlertRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM alerts WHERE (NOT ?1 OR acknowledged_at IS NULL) \
             ORDER BY raised_at DESC, id DESC LIMIT ?2",
        )
        .bind(open_only)
        .bind(limit)
        .fetch_all(self.pool())
        .await?)
    }

    /// Notes who has looked at an alert. The first stays: `false` where there was one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn acknowledge_alert(
        &self,
        id: &str,
        by: &str,
        at: &str,
        note: &str,
    ) -> Result<bool, RegistryError> {
        let mut writing = self.begin().await?;
        let done = sqlx::query(
            "UPDATE alerts SET acknowledged_by = ?, acknowledged_at = ?, note = ? \
             WHERE id = ? AND acknowledged_at IS NULL",
        )
        .bind(by)
        .bind(at)
        .bind(note)
        .bind(id)
        .execute(&mut *writing)
        .await?;
        self.commit(writing).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Alerts that wait to be sent, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alerts_waiting(&self, limit: u32) -> Result<Vec<AlertRecord>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT * FROM alerts WHERE webhook = 'waiting' ORDER BY raised_at, id LIMIT ?",
        )
        .bind(limit)
        .fetch_all(self.pool())
        .await?)
    }

    /// Notes that sending was tried once more, and what became of it: `waiting`, `sent` or `given up`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alert_tried(&self, id: &str, webhook: &str) -> Result<(), RegistryError> {
        let mut writing = self.begin().await?;
        sqlx::query("UPDATE alerts SET attempts = attempts + 1, webhook = ? WHERE id = ?")
            .bind(webhook)
            .bind(id)
            .execute(&mut *writing)
            .await?;
        self.commit(writing).await
    }

    /// How many alerts nobody has looked at, by rule.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alerts_open(&self) -> Result<Vec<(String, i64)>, RegistryError> {
        Ok(sqlx::query_as(
            "SELECT rule, COUNT(*) FROM alerts WHERE acknowledged_at IS NULL GROUP BY rule ORDER BY rule",
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// How many alerts wait to be sent.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alerts_waiting_count(&self) -> Result<i64, RegistryError> {
        Ok(
            sqlx::query_scalar("SELECT COUNT(*) FROM alerts WHERE webhook = 'waiting'")
                .fetch_one(self.pool())
                .await?,
        )
    }
}
