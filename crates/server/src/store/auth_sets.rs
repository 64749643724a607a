//! Keys with which devices asked to be let in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::ToSchema;

use super::database::{Builder, Row};
use super::{Change, Reader, Report, StoreError, rows};
use crate::ids::{AuthSetId, DeviceId};
use crate::time::Timestamp;

/// What was decided about a key, or (the strongest of its keys) about a device.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AuthStatus {
    /// A device without any key.
    Noauth,
    /// Turned away.
    Rejected,
    /// Nobody has decided yet.
    Pending,
    /// To be let in when it asks.
    Preauthorized,
    /// Let in.
    Accepted,
}

impl AuthStatus {
    /// From the weakest to the strongest.
    pub const ALL: &'static [Self] = &[
        Self::Noauth,
        Self::Rejected,
        Self::Pending,
        Self::Preauthorized,
        Self::Accepted,
    ];

    /// The name it has in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Noauth => "noauth",
            Self::Rejected => "rejected",
            Self::Pending => "pending",
            Self::Preauthorized => "preauthorized",
            Self::Accepted => "accepted",
        }
    }
}

impl fmt::Display for AuthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No status has that name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("incorrect device status")]
pub struct UnknownStatus;

impl FromStr for AuthStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

/// One key of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthSet {
    /// Its id.
    pub id: AuthSetId,
    /// The device that asked with it.
    pub device_id: DeviceId,
    /// PEM SubjectPublicKeyInfo.
    pub public_key: String,
    /// `SHA256:…` of the key, as the agent prints it.
    pub fingerprint: String,
    /// What was decided.
    pub status: AuthStatus,
    /// When it first asked, or was announced.
    pub created_at: Timestamp,
    /// When it last asked.
    pub requested_at: Timestamp,
    /// When it was last let in; stays when it is turned away later.
    pub accepted_at: Option<Timestamp>,
    /// The network it first asked from.
    pub address: Option<String>,
}

impl AuthSet {
    /// Whether letting this key in replaces (or has replaced) another one the device was known by.
    #[must_use]
    pub fn replaces_one_of<'s>(&self, sets: impl IntoIterator<Item = &'s Self>) -> bool {
        sets.into_iter()
            .filter(|other| other.id != self.id && other.device_id == self.device_id)
            .any(
                |other| match (self.status, self.accepted_at, other.accepted_at) {
                    (AuthStatus::Accepted, Some(own), Some(others)) => others <= own,
                    (_, _, others) => others.is_some(),
                },
            )
    }
}

fn auth_set(row: &Row) -> Result<AuthSet, StoreError> {
    Ok(AuthSet {
        id: rows::parsed(row, "id")?,
        device_id: rows::parsed(row, "device_id")?,
        public_key: row.try_get("public_key")?,
        fingerprint: row.try_get("fingerprint")?,
        status: rows::parsed(row, "status")?,
        created_at: rows::time(row, "created_at")?,
        requested_at: rows::time(row, "requested_at")?,
        accepted_at: rows::optional_time(row, "accepted_at")?,
        address: row.try_get("address")?,
    })
}

impl Reader {
    /// One key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn auth_set(&mut self, id: AuthSetId) -> Result<Option<AuthSet>, StoreError> {
        let row = sqlx::query("SELECT * FROM auth_sets WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.connection())
            .await?;
        row.as_ref().map(auth_set).transpose()
    }

    /// The keys of these devices, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn auth_sets_of(&mut self, devices: &[DeviceId]) -> Result<Vec<AuthSet>, StoreError> {
        if devices.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT * FROM auth_sets WHERE device_id IN (");
        let mut ids = query.separated(", ");
        for id in devices {
            ids.push_bind(id.to_string());
        }
        query.push(") ORDER BY created_at, id");
        let rows = query.build().fetch_all(self.connection()).await?;
        rows.iter().map(auth_set).collect()
    }

    /// How many keys nobody accepted there are, of one network or of all, and the one that has not asked
    /// for the longest time. Preauthorized keys are people's and do not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unaccepted(
        &mut self,
        address: Option<&str>,
    ) -> Result<(u64, Option<AuthSet>), StoreError> {
        let mut query = Builder::new("SELECT COUNT(*) FROM auth_sets");
        unaccepted_filter(&mut query, address);
        let count: i64 = query
            .build()
            .fetch_one(self.connection())
            .await?
            .try_get(0)?;
        let mut query = Builder::new("SELECT * FROM auth_sets");
        unaccepted_filter(&mut query, address);
        query.push(" ORDER BY requested_at, id LIMIT 1");
        let oldest = query.build().fetch_optional(self.connection()).await?;
        Ok((
            u64::try_from(count).unwrap_or_default(),
            oldest.as_ref().map(auth_set).transpose()?,
        ))
    }
}

fn unaccepted_filter(query: &mut Builder, address: Option<&str>) {
    query.push(" WHERE status IN ('pending', 'rejected')");
    if let Some(address) = address {
        query.push(" AND address = ").push_bind(address.to_owned());
    }
}

impl Change {
    /// Adds a key to a device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_auth_set(&mut self, set: &AuthSet) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO auth_sets (id, device_id, public_key, fingerprint, status, created_at, requested_at, address)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(set.id.to_string())
        .bind(set.device_id.to_string())
        .bind(&set.public_key)
        .bind(&set.fingerprint)
        .bind(set.status.as_str())
        .bind(set.created_at.millis())
        .bind(set.requested_at.millis())
        .bind(&set.address)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Writes down what was decided about a key. A key that is not accepted has no tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_auth_status(
        &mut self,
        id: AuthSetId,
        status: AuthStatus,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let accepted_at = (status == AuthStatus::Accepted).then_some(now.millis());
        sqlx::query(
            "UPDATE auth_sets SET status = $1, accepted_at = COALESCE($2, accepted_at)
             WHERE id = $3",
        )
        .bind(status.as_str())
        .bind(accepted_at)
        .bind(id.to_string())
        .execute(self.connection())
        .await?;
        if accepted_at.is_none() {
            self.remove_tokens_of_set(id).await?;
        }
        Ok(())
    }

    /// Forgets a key and its tokens.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_auth_set(&mut self, id: AuthSetId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM auth_sets WHERE id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl Report {
    /// Notes that a device asked with this key just now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn touch_auth_set(
        &mut self,
        id: AuthSetId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE auth_sets SET requested_at = $1 WHERE id = $2")
            .bind(now.millis())
            .bind(id.to_string())
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
