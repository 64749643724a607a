//! The management API that Mender servers and ours share.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderValue;
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::http::{Answer, Call, call, segment};
use crate::{Error, ServerUrl, Trust, tls};

const USERADM: &str = "/api/management/v1/useradm";
const DEVAUTH: &str = "/api/management/v2/devauth";
const DEVICECONNECT: &str = "/api/management/v1/deviceconnect";

/// One user's access to one server.
#[derive(Clone)]
pub struct Client {
    pub(crate) server: ServerUrl,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// `Bearer …`; marked as sensitive, so that no debug text shows it.
    pub(crate) bearer: Option<HeaderValue>,
}

/// A device as device authentication knows it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Device {
    /// The device's id.
    pub id: String,
    /// What the device says it is.
    #[serde(default)]
    pub identity_data: serde_json::Map<String, serde_json::Value>,
    /// The strongest status of its keys: `accepted`, `preauthorized`, `pending`, `rejected` or
    /// `noauth`.
    #[serde(default)]
    pub status: String,
    /// When it was first seen, RFC 3339.
    #[serde(default)]
    pub created_ts: String,
    /// When it last changed, RFC 3339.
    #[serde(default)]
    pub updated_ts: String,
    /// Its keys.
    #[serde(default)]
    pub auth_sets: Vec<AuthSet>,
    /// Whether it is being removed.
    #[serde(default)]
    pub decommissioning: bool,
}

/// One key with which a device asked to be let in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AuthSet {
    /// The id of this request.
    pub id: String,
    /// The public key, PEM.
    #[serde(default)]
    pub pubkey: String,
    /// What the device says it is.
    #[serde(default)]
    pub identity_data: serde_json::Map<String, serde_json::Value>,
    /// `accepted`, `preauthorized`, `pending` or `rejected`.
    #[serde(default)]
    pub status: String,
    /// When it was asked, RFC 3339.
    #[serde(default)]
    pub ts: String,
}

/// What one can say to a device's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthStatus {
    /// Let it in.
    Accepted,
    /// Do not let it in.
    Rejected,
    /// Undecided again.
    Pending,
}

/// Whether a device has a link to the server.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DeviceState {
    /// The device's id.
    pub device_id: String,
    /// `connected`, `disconnected` or `unknown`.
    pub status: String,
}

impl DeviceState {
    /// Whether a terminal can be opened.
    pub fn is_connected(&self) -> bool {
        self.status == "connected"
    }
}

impl Client {
    /// A client without a token, good for [`Client::login`].
    pub fn new(server: ServerUrl, trust: Trust) -> Result<Self, Error> {
        let tls = if server.is_https() {
            Some(tls::config(trust).map_err(|error| Error::Unexpected(error.to_string()))?)
        } else {
            None
        };
        Ok(Client {
            server,
            tls,
            bearer: None,
        })
    }

    /// The same client with the token that a login gave, without the white space around it.
    pub fn with_token(mut self, token: &str) -> Result<Self, Error> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_| Error::Unexpected("the token is not a token".into()))?;
        bearer.set_sensitive(true);
        self.bearer = Some(bearer);
        Ok(self)
    }

    /// The server this client speaks to.
    pub fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Signs in and returns the token, exactly as the server sent it. `second_factor` is the code
    /// of the day, if the account wants one.
    pub async fn login(
        &self,
        email: &str,
        password: &str,
        second_factor: Option<&str>,
    ) -> Result<String, Error> {
        #[derive(Serialize)]
        struct SecondFactor<'a> {
            token2fa: &'a str,
        }
        let basic = STANDARD.encode(format!("{email}:{password}"));
        let mut authorization = HeaderValue::from_str(&format!("Basic {basic}"))
            .map_err(|error| Error::Unexpected(error.to_string()))?;
        authorization.set_sensitive(true);
        let json = second_factor
            .map(|token2fa| to_json(&SecondFactor { token2fa }))
            .transpose()?;
        let answer = call(
            &self.server,
            self.tls.as_ref(),
            Call {
                method: Method::POST,
                path: &format!("{USERADM}/auth/login"),
                authorization: Some(authorization),
                json,
            },
        )
        .await?;
        String::from_utf8(answer.body.into())
            .ok()
            .filter(|token| !token.trim().is_empty())
            .ok_or_else(|| Error::Unexpected("the token is not a token".into()))
    }

    /// Makes the token worthless.
    pub async fn logout(&self) -> Result<(), Error> {
        self.send(Method::POST, &format!("{USERADM}/auth/logout"), None)
            .await
            .map(drop)
    }

    /// One page of devices, counted from 1, with up to `per_page` (at most 500) of them. `None`
    /// leaves both to the server.
    pub async fn devices(&self, page: Option<(u32, u32)>) -> Result<Vec<Device>, Error> {
        from_json(&self.devices_raw(page).await?)
    }

    /// The same, as the server sent it.
    pub async fn devices_raw(&self, page: Option<(u32, u32)>) -> Result<Bytes, Error> {
        let query = page
            .map(|(page, per_page)| format!("?page={page}&per_page={per_page}"))
            .unwrap_or_default();
        Ok(self.get(&format!("{DEVAUTH}/devices{query}")).await?.body)
    }

    /// How many devices there are, of one status or of all.
    pub async fn device_count(&self, status: Option<&str>) -> Result<u64, Error> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        let query = status
            .map(|status| format!("?status={}", segment(status)))
            .unwrap_or_default();
        let count: Count = self
            .get_json(&format!("{DEVAUTH}/devices/count{query}"))
            .await?;
        Ok(count.count)
    }

    /// One device.
    pub async fn device(&self, id: &str) -> Result<Device, Error> {
        self.get_json(&format!("{DEVAUTH}/devices/{}", segment(id)))
            .await
    }

    /// Decides about one key of a device.
    pub async fn set_auth_status(
        &self,
        device: &str,
        auth_set: &str,
        status: AuthStatus,
    ) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Status<'a> {
            status: &'a str,
        }
        let status = match status {
            AuthStatus::Accepted => "accepted",
            AuthStatus::Rejected => "rejected",
            AuthStatus::Pending => "pending",
        };
        let path = format!(
            "{DEVAUTH}/devices/{}/auth/{}/status",
            segment(device),
            segment(auth_set)
        );
        self.send(Method::PUT, &path, Some(to_json(&Status { status })?))
            .await
            .map(drop)
    }

    /// Forgets one key of a device.
    pub async fn dismiss(&self, device: &str, auth_set: &str) -> Result<(), Error> {
        let path = format!(
            "{DEVAUTH}/devices/{}/auth/{}",
            segment(device),
            segment(auth_set)
        );
        self.send(Method::DELETE, &path, None).await.map(drop)
    }

    /// Removes a device with all that is known of it.
    pub async fn decommission(&self, device: &str) -> Result<(), Error> {
        let path = format!("{DEVAUTH}/devices/{}", segment(device));
        self.send(Method::DELETE, &path, None).await.map(drop)
    }

    /// Whether a device has a link.
    pub async fn device_state(&self, device: &str) -> Result<DeviceState, Error> {
        self.get_json(&format!("{DEVICECONNECT}/devices/{}", segment(device)))
            .await
    }

    /// The ids of devices whose inventory gives them this host name.
    pub async fn devices_by_hostname(&self, hostname: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let path = format!(
            "/api/management/v1/inventory/devices?page=1&per_page=20&hostname={}",
            segment(hostname)
        );
        let devices: Vec<Id> = self.get_json(&path).await?;
        Ok(devices.into_iter().map(|device| device.id).collect())
    }

    pub(crate) fn terminal_path(device: &str) -> String {
        format!("{DEVICECONNECT}/devices/{}/connect", segment(device))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        from_json(&self.get(path).await?.body)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        json: Option<Bytes>,
    ) -> Result<Answer, Error> {
        let authorization = self.bearer.clone();
        call(
            &self.server,
            self.tls.as_ref(),
            Call {
                method,
                path,
                authorization,
                json,
            },
        )
        .await
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|error| Error::Unexpected(error.to_string()))
}

pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Unexpected(error.to_string()))
}
