//! The audit log's rows. They are added, never changed or removed (a trigger holds that too).

use serde_json::Value;
use sqlx::Row as _;

use super::{Change, Reader, StoreError, rows};
use crate::audit::AuditEvent;
use crate::time::Timestamp;

/// One stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Place in the log, growing.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What, past tense (`DeviceAccepted`).
    pub action: String,
    /// Who: `user`, `device` or `system`.
    pub actor_type: String,
    /// The actor's id, if there is one.
    pub actor_id: Option<String>,
    /// The actor's e-mail address or identity.
    pub actor_name: Option<String>,
    /// To what kind of thing.
    pub object_type: String,
    /// To which.
    pub object_id: Option<String>,
    /// From which network address.
    pub address: Option<String>,
    /// What else there is to say.
    pub detail: Value,
}

impl Change {
    pub(super) async fn insert_audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit_events (at, action, actor_type, actor_id, actor_name, object_type, object_id, address, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(event.at.millis())
        .bind(event.action.as_str())
        .bind(event.actor.kind())
        .bind(event.actor.id())
        .bind(event.actor.name())
        .bind(event.object.kind())
        .bind(event.object.id())
        .bind(event.address.map(|address| address.to_string()))
        .bind(event.detail.to_string())
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl Reader {
    /// The newest events first, at most `limit` of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_events(&mut self, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM audit_events ORDER BY seq DESC LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditRow {
                    seq: row.try_get("seq")?,
                    at: rows::time(row, "at")?,
                    action: row.try_get("action")?,
                    actor_type: row.try_get("actor_type")?,
                    actor_id: row.try_get("actor_id")?,
                    actor_name: row.try_get("actor_name")?,
                    object_type: row.try_get("object_type")?,
                    object_id: row.try_get("object_id")?,
                    address: row.try_get("address")?,
                    detail: rows::json(row, "detail")?,
                })
            })
            .collect()
    }
}
