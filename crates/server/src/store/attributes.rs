//! What devices report of themselves and people note about them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::Row as _;
use utoipa::ToSchema;

use super::database::{Builder, Row};
use super::{Change, Reader, Report, StoreError, Write, rows};
use crate::ids::DeviceId;
use crate::time::Timestamp;

/// Where an attribute comes from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AttributeScope {
    /// What the device asked to be let in as.
    Identity,
    /// What the device reports.
    Inventory,
    /// What the server knows.
    System,
    /// What people noted.
    Tags,
    /// What a monitor reports.
    Monitor,
}

impl AttributeScope {
    const ALL: &'static [Self] = &[
        Self::Identity,
        Self::Inventory,
        Self::System,
        Self::Tags,
        Self::Monitor,
    ];

    /// The name it has in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Inventory => "inventory",
            Self::System => "system",
            Self::Tags => "tags",
            Self::Monitor => "monitor",
        }
    }
}

/// No scope has that name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown attribute scope")]
pub struct UnknownScope;

impl FromStr for AttributeScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|scope| scope.as_str() == text)
            .ok_or(UnknownScope)
    }
}

/// One attribute of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Where it comes from.
    pub scope: AttributeScope,
    /// Its name.
    pub name: String,
    /// A string, number, boolean or an array of one of these.
    pub value: Value,
    /// What it means, if somebody said so.
    pub description: Option<String>,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// The form of a value that filters and sorting compare: strings as they are, everything else as JSON.
pub(super) fn comparable(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

fn attribute(row: &Row) -> Result<Attribute, StoreError> {
    Ok(Attribute {
        scope: rows::parsed(row, "scope")?,
        name: row.try_get("name")?,
        value: rows::json(row, "value")?,
        description: row.try_get("description")?,
        updated_at: rows::time(row, "updated_at")?,
    })
}

impl Reader {
    /// The stored attributes of these devices, by scope and name. (`system` attributes and the status are
    /// columns of the device and not among them.)
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attributes_of(
        &mut self,
        devices: &[DeviceId],
    ) -> Result<Vec<(DeviceId, Attribute)>, StoreError> {
        if devices.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT * FROM device_attributes WHERE device_id IN (");
        let mut ids = query.separated(", ");
        for id in devices {
            ids.push_bind(id.to_string());
        }
        query.push(") ORDER BY device_id, scope, name");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter()
            .map(|row| Ok((rows::parsed(row, "device_id")?, attribute(row)?)))
            .collect()
    }

    /// Every name in use, with the number of devices that have it; most used first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attribute_names(
        &mut self,
        limit: u32,
    ) -> Result<Vec<(AttributeScope, String, u64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT scope, name, COUNT(*) AS devices FROM device_attributes
             GROUP BY scope, name ORDER BY devices DESC, scope, name LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.connection())
        .await?;
        rows.iter()
            .map(|row| {
                let devices: i64 = row.try_get("devices")?;
                Ok((
                    rows::parsed(row, "scope")?,
                    row.try_get("name")?,
                    u64::try_from(devices).unwrap_or_default(),
                ))
            })
            .collect()
    }
}

impl Change {
    /// Adds attributes to a device, replacing those of the same scope and name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_attributes(
        &mut self,
        device: DeviceId,
        attributes: &[Attribute],
    ) -> Result<(), StoreError> {
        for attribute in attributes {
            self.put_attribute(device, attribute.scope, attribute)
                .await?;
        }
        Ok(())
    }

    /// Removes a device's tags.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_tags(&mut self, device: DeviceId) -> Result<(), StoreError> {
        self.clear_attributes(device, AttributeScope::Tags).await
    }
}

impl Report {
    /// Adds what a device reports; whatever scope the attributes name, it is the inventory's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_inventory(
        &mut self,
        device: DeviceId,
        attributes: &[Attribute],
    ) -> Result<(), StoreError> {
        for attribute in attributes {
            self.put_attribute(device, AttributeScope::Inventory, attribute)
                .await?;
        }
        Ok(())
    }

    /// Removes what a device reported.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_inventory(&mut self, device: DeviceId) -> Result<(), StoreError> {
        self.clear_attributes(device, AttributeScope::Inventory)
            .await
    }
}

impl<K> Write<K> {
    async fn put_attribute(
        &mut self,
        device: DeviceId,
        scope: AttributeScope,
        attribute: &Attribute,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO device_attributes
             (device_id, scope, name, value, value_text, value_number, description, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (device_id, scope, name) DO UPDATE SET
             value = excluded.value, value_text = excluded.value_text,
             value_number = excluded.value_number,
             description = COALESCE(excluded.description, device_attributes.description),
             updated_at = excluded.updated_at",
        )
        .bind(device.to_string())
        .bind(scope.as_str())
        .bind(&attribute.name)
        .bind(attribute.value.to_string())
        .bind(comparable(&attribute.value))
        .bind(attribute.value.as_f64())
        .bind(&attribute.description)
        .bind(attribute.updated_at.millis())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn clear_attributes(
        &mut self,
        device: DeviceId,
        scope: AttributeScope,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM device_attributes WHERE device_id = $1 AND scope = $2")
            .bind(device.to_string())
            .bind(scope.as_str())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// How many attributes of one scope a device has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_attributes(
        &mut self,
        device: DeviceId,
        scope: AttributeScope,
    ) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query(
            "SELECT COUNT(*) FROM device_attributes WHERE device_id = $1 AND scope = $2",
        )
        .bind(device.to_string())
        .bind(scope.as_str())
        .fetch_one(self.connection())
        .await?
        .try_get(0)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Notes that what is known of a device changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_device(&mut self, id: DeviceId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET updated_at = $1 WHERE id = $2")
            .bind(now.millis())
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
