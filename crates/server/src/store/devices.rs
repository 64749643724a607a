//! Devices.

use sqlx::Row as _;

use super::database::{Builder, Row};
use super::{AuthStatus, Change, Reader, Report, StoreError, rows};
use crate::ids::DeviceId;
use crate::time::Timestamp;

/// A device, for as long as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What it says it is: a JSON object with sorted keys, as text.
    pub identity: String,
    /// The strongest status of its keys.
    pub status: AuthStatus,
    /// The group a person put it in.
    pub group: Option<String>,
    /// When it was first heard of.
    pub created_at: Timestamp,
    /// When what is known of it last changed.
    pub updated_at: Timestamp,
    /// When it last called with a valid token or an accepted key.
    pub checked_in_at: Option<Timestamp>,
    /// When its link last came or went.
    pub link_at: Option<Timestamp>,
}

/// Which devices are asked for. Empty lists mean any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    /// Of one of these states.
    pub status: Vec<AuthStatus>,
    /// One of these.
    pub ids: Vec<DeviceId>,
}

pub(super) fn device(row: &Row) -> Result<Device, StoreError> {
    Ok(Device {
        id: rows::parsed(row, "id")?,
        identity: row.try_get("identity")?,
        status: rows::parsed(row, "status")?,
        group: row.try_get("group_name")?,
        created_at: rows::time(row, "created_at")?,
        updated_at: rows::time(row, "updated_at")?,
        checked_in_at: rows::optional_time(row, "checked_in_at")?,
        link_at: rows::optional_time(row, "link_at")?,
    })
}

impl DeviceFilter {
    pub(super) fn write(&self, query: &mut Builder) {
        query.push(" WHERE 1 = 1");
        if !self.status.is_empty() {
            query.push(" AND d.status IN (");
            let mut list = query.separated(", ");
            for status in &self.status {
                list.push_bind(status.as_str());
            }
            query.push(")");
        }
        if !self.ids.is_empty() {
            query.push(" AND d.id IN (");
            let mut list = query.separated(", ");
            for id in &self.ids {
                list.push_bind(id.to_string());
            }
            query.push(")");
        }
    }
}

impl Reader {
    /// One device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device(&mut self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        let row = sqlx::query("SELECT * FROM devices WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.connection())
            .await?;
        row.as_ref().map(device).transpose()
    }

    /// The device with this identity (sorted keys).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_by_identity(
        &mut self,
        identity: &str,
    ) -> Result<Option<Device>, StoreError> {
        let row = sqlx::query("SELECT * FROM devices WHERE identity = $1")
            .bind(identity)
            .fetch_optional(self.connection())
            .await?;
        row.as_ref().map(device).transpose()
    }

    /// Devices, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn devices(
        &mut self,
        filter: &DeviceFilter,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<Device>, StoreError> {
        let mut query = Builder::new("SELECT d.* FROM devices d");
        filter.write(&mut query);
        query
            .push(" ORDER BY d.created_at, d.id LIMIT ")
            .push_bind(i64::from(limit))
            .push(" OFFSET ")
            .push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter().map(device).collect()
    }

    /// How many devices there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_devices(&mut self, filter: &DeviceFilter) -> Result<u64, StoreError> {
        let mut query = Builder::new("SELECT COUNT(*) FROM devices d");
        filter.write(&mut query);
        let count: i64 = query
            .build()
            .fetch_one(self.connection())
            .await?
            .try_get(0)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

impl Change {
    /// Adds a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_device(&mut self, device: &Device) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO devices (id, identity, status, group_name, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(device.id.to_string())
        .bind(&device.identity)
        .bind(device.status.as_str())
        .bind(&device.group)
        .bind(device.created_at.millis())
        .bind(device.updated_at.millis())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Sets the device's status to the strongest of its keys, and says which it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh_device_status(
        &mut self,
        id: DeviceId,
        now: Timestamp,
    ) -> Result<AuthStatus, StoreError> {
        let status = self
            .auth_sets_of(&[id])
            .await?
            .iter()
            .map(|set| set.status)
            .max()
            .unwrap_or(AuthStatus::Noauth);
        sqlx::query("UPDATE devices SET status = $1, updated_at = $2 WHERE id = $3")
            .bind(status.as_str())
            .bind(now.millis())
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(status)
    }

    /// Removes a device and all that is known of it but the audit log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_device(&mut self, id: DeviceId) -> Result<bool, StoreError> {
        let removed = sqlx::query("DELETE FROM devices WHERE id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(removed.rows_affected() > 0)
    }
}

impl Report {
    /// Notes that the device called.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check_in(&mut self, id: DeviceId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET checked_in_at = $1 WHERE id = $2")
            .bind(now.millis())
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Notes that the device's link came or went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_link_at(&mut self, id: DeviceId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET link_at = $1 WHERE id = $2")
            .bind(at.millis())
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
