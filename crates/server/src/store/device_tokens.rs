//! Tokens of devices.

use super::{Change, Reader, StoreError, Write, rows};
use crate::ids::{AuthSetId, DeviceId, TokenId};
use crate::time::Timestamp;

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceTokenOwner {
    /// The device.
    pub device_id: DeviceId,
    /// The key it was accepted with.
    pub auth_set_id: AuthSetId,
}

impl Reader {
    /// Whose token this is, if it is still stored, not past its end, and its key is accepted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_token_owner(
        &mut self,
        id: TokenId,
        now: Timestamp,
    ) -> Result<Option<DeviceTokenOwner>, StoreError> {
        let row = sqlx::query(
            "SELECT s.id AS auth_set_id, s.device_id FROM device_tokens t
             JOIN auth_sets s ON s.id = t.auth_set_id
             WHERE t.id = $1 AND t.expires_at > $2 AND s.status = 'accepted'",
        )
        .bind(id.to_string())
        .bind(now.millis())
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            Ok(DeviceTokenOwner {
                device_id: rows::parsed(&row, "device_id")?,
                auth_set_id: rows::parsed(&row, "auth_set_id")?,
            })
        })
        .transpose()
    }
}

impl Change {
    pub(super) async fn remove_tokens_of_set(&mut self, id: AuthSetId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM device_tokens WHERE auth_set_id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Ends one token and says whose it was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_device_token(
        &mut self,
        id: TokenId,
    ) -> Result<Option<DeviceId>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM device_tokens WHERE id = $1
             RETURNING (SELECT device_id FROM auth_sets s WHERE s.id = auth_set_id) AS device_id",
        )
        .bind(id.to_string())
        .fetch_optional(self.connection())
        .await?;
        row.as_ref()
            .map(|row| rows::parsed(row, "device_id"))
            .transpose()
    }
}

impl<K> Write<K> {
    /// Stores a new token and keeps only the newest `keep` of its key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_device_token(
        &mut self,
        id: TokenId,
        auth_set_id: AuthSetId,
        now: Timestamp,
        expires_at: Timestamp,
        keep: u32,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO device_tokens (id, auth_set_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(id.to_string())
        .bind(auth_set_id.to_string())
        .bind(now.millis())
        .bind(expires_at.millis())
        .execute(self.connection())
        .await?;
        sqlx::query(
            "DELETE FROM device_tokens WHERE auth_set_id = $1 AND id NOT IN
             (SELECT id FROM device_tokens WHERE auth_set_id = $1
              ORDER BY created_at DESC, id LIMIT $2)",
        )
        .bind(auth_set_id.to_string())
        .bind(i64::from(keep))
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
