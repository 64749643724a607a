//! Groups: a name on a device. A group is there as long as a device is in it.

use sqlx::Row as _;

use super::database::Builder;
use super::{AuthStatus, Change, Reader, StoreError, rows};
use crate::ids::DeviceId;
use crate::time::Timestamp;

impl Reader {
    /// The groups that have devices (of this state), by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn groups(&mut self, status: Option<AuthStatus>) -> Result<Vec<String>, StoreError> {
        let mut query =
            Builder::new("SELECT DISTINCT group_name FROM devices WHERE group_name IS NOT NULL");
        if let Some(status) = status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        query.push(" ORDER BY group_name");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter()
            .map(|row| Ok(row.try_get("group_name")?))
            .collect()
    }

    /// A page of a group's devices, and how many it has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_devices(
        &mut self,
        group: &str,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<DeviceId>, u64), StoreError> {
        let total: i64 = sqlx::query("SELECT COUNT(*) FROM devices WHERE group_name = $1")
            .bind(group)
            .fetch_one(self.connection())
            .await?
            .try_get(0)?;
        let rows = sqlx::query(
            "SELECT id FROM devices WHERE group_name = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3",
        )
        .bind(group)
        .bind(i64::from(limit))
        .bind(i64::try_from(offset).unwrap_or(i64::MAX))
        .fetch_all(self.connection())
        .await?;
        let ids = rows
            .iter()
            .map(|row| rows::parsed(row, "id"))
            .collect::<Result<_, _>>()?;
        Ok((ids, u64::try_from(total).unwrap_or_default()))
    }
}

impl Change {
    /// Puts devices in a group, or (with none) takes them out of the group `from`, or of any. Says how
    /// many of them there are and how many changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_group(
        &mut self,
        devices: &[DeviceId],
        group: Option<&str>,
        from: Option<&str>,
        now: Timestamp,
    ) -> Result<(u64, u64), StoreError> {
        let (mut matched, mut updated) = (0, 0);
        for id in devices {
            let Some(device) = self.device(*id).await? else {
                continue;
            };
            if from.is_some() && device.group.as_deref() != from {
                continue;
            }
            matched += 1;
            if device.group.as_deref() == group {
                continue;
            }
            updated += 1;
            sqlx::query("UPDATE devices SET group_name = $1, updated_at = $2 WHERE id = $3")
                .bind(group)
                .bind(now.millis())
                .bind(id.to_string())
                .execute(self.connection())
                .await?;
        }
        Ok((matched, updated))
    }

    /// Takes every device out of a group; says which they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_group(
        &mut self,
        group: &str,
        now: Timestamp,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let rows = sqlx::query(
            "UPDATE devices SET group_name = NULL, updated_at = $1 WHERE group_name = $2 RETURNING id",
        )
        .bind(now.millis())
        .bind(group)
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(|row| rows::parsed(row, "id")).collect()
    }
}
