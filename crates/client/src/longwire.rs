//! What our server offers beyond the Mender APIs, under `/api/management/v1/longwire`. A real Mender
//! server answers 404 to all of it.

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::api::from_json;
use crate::http::segment;
use crate::{Client, Error};

const LONGWIRE: &str = "/api/management/v1/longwire";

/// The user that a token belongs to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Me {
    /// The user's id.
    pub id: String,
    /// The name to sign in with.
    pub email: String,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What these roles allow.
    #[serde(default)]
    pub permissions: Vec<String>,
}

/// A device with everything a list shows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DeviceRow {
    /// The device's id.
    pub id: String,
    /// What people call it; not necessarily unique.
    #[serde(default)]
    pub name: String,
    /// The strongest status of its keys.
    #[serde(default)]
    pub status: String,
    /// Whether it has a link now.
    #[serde(default)]
    pub connected: bool,
    /// Since when, RFC 3339.
    #[serde(default)]
    pub connected_since: Option<String>,
    /// Fingerprint of the key it is known by.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// What the device says it is.
    #[serde(default)]
    pub identity: serde_json::Map<String, serde_json::Value>,
    /// Its keys.
    #[serde(default)]
    pub auth_sets: Vec<DeviceRowAuthSet>,
    /// Whatever else the server says.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// One key of a device.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DeviceRowAuthSet {
    /// The id of the request.
    pub id: String,
    /// `accepted`, `preauthorized`, `pending` or `rejected`.
    #[serde(default)]
    pub status: String,
    /// As the device's own agent prints it.
    #[serde(default)]
    pub fingerprint: String,
    /// When it was asked, RFC 3339.
    #[serde(default)]
    pub requested_at: Option<String>,
    /// Whether accepting it replaces the key of a known device.
    #[serde(default)]
    pub replaces_key: bool,
}

/// A terminal session, attached or detached.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SessionRow {
    /// The session's id.
    pub id: String,
    /// The device it is on.
    pub device_id: String,
    /// What people call that device.
    #[serde(default)]
    pub device_name: String,
    /// Whose it is.
    pub owner: SessionOwner,
    /// `attached`, `detached` or `ending`.
    pub state: String,
    /// When its shell was started, RFC 3339.
    #[serde(default)]
    pub started_at: String,
    /// Since when nobody is there, RFC 3339.
    #[serde(default)]
    pub detached_at: Option<String>,
    /// The title that a program in it has set.
    #[serde(default)]
    pub title: Option<String>,
    /// Who is there.
    #[serde(default)]
    pub viewers: Vec<SessionViewer>,
    /// Whatever else the server says.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

impl SessionRow {
    /// Whether nobody is there.
    pub fn is_detached(&self) -> bool {
        self.state == "detached"
    }
}

/// Whose a session is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SessionOwner {
    /// The user's id.
    #[serde(default)]
    pub id: String,
    /// The name to sign in with.
    #[serde(default)]
    pub email: String,
}

/// Somebody who is attached to a session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SessionViewer {
    /// The name to sign in with.
    #[serde(default)]
    pub email: String,
    /// Whether their input counts.
    #[serde(default)]
    pub control: bool,
    /// Since when, RFC 3339.
    #[serde(default)]
    pub since: String,
}

/// What a server says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ServerInfo {
    /// Its version.
    pub version: String,
    /// Where people find it, if it was told.
    #[serde(default)]
    pub public_url: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// How many there are on all pages, if the server says so.
    pub total: Option<u64>,
}

impl Client {
    /// Whom the token belongs to.
    pub async fn me(&self) -> Result<Me, Error> {
        self.get_json(&format!("{LONGWIRE}/me")).await
    }

    /// What the server says of itself.
    pub async fn server_info(&self) -> Result<ServerInfo, Error> {
        self.get_json(&format!("{LONGWIRE}/server")).await
    }

    /// One page of devices, counted from 1; `search` keeps those that have it in their name or
    /// identity.
    pub async fn device_rows(
        &self,
        page: u32,
        per_page: u32,
        search: Option<&str>,
    ) -> Result<Page<DeviceRow>, Error> {
        let search = search
            .map(|text| format!("&q={}", segment(text)))
            .unwrap_or_default();
        let answer = self
            .get(&format!(
                "{LONGWIRE}/devices?page={page}&per_page={per_page}{search}"
            ))
            .await?;
        let total = answer.headers.get("X-Total-Count");
        Ok(Page {
            items: from_json(&answer.body)?,
            total: total.and_then(|total| total.to_str().ok()?.parse().ok()),
        })
    }

    /// One device.
    pub async fn device_row(&self, id: &str) -> Result<DeviceRow, Error> {
        self.get_json(&format!("{LONGWIRE}/devices/{}", segment(id)))
            .await
    }

    /// All sessions that one may see, newest first: on one device or on all, one's own or everybody's.
    pub async fn sessions(
        &self,
        device: Option<&str>,
        mine: bool,
    ) -> Result<Vec<SessionRow>, Error> {
        const PER_PAGE: usize = 500;
        let device = device
            .map(|id| format!("&device_id={}", segment(id)))
            .unwrap_or_default();
        let mine = if mine { "&mine=true" } else { "" };
        let mut all: Vec<SessionRow> = Vec::new();
        for page in 1_u32.. {
            let path = format!("{LONGWIRE}/sessions?page={page}&per_page={PER_PAGE}{device}{mine}");
            let rows: Vec<SessionRow> = self.get_json(&path).await?;
            let is_last = rows.len() < PER_PAGE;
            all.extend(rows);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// One session.
    pub async fn session_row(&self, id: &str) -> Result<SessionRow, Error> {
        self.get_json(&format!("{LONGWIRE}/sessions/{}", segment(id)))
            .await
    }

    /// Ends a session. One whose device is away ends first thing when that returns.
    pub async fn end_session(&self, id: &str) -> Result<(), Error> {
        let path = format!("{LONGWIRE}/sessions/{}", segment(id));
        self.send(Method::DELETE, &path, None).await.map(drop)
    }
}
