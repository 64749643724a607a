//! What an operator does beside typing.

use anyhow::{Context, Result};
use longwire_client::{AuthStatus, Client, Device, ServerUrl, Trust};

use crate::until::until;

/// A signed-in user of a lab's server.
pub struct Operator {
    /// The API with the user's token.
    pub api: Client,
    /// The session token.
    pub token: String,
}

impl Operator {
    /// Signs in.
    ///
    /// # Errors
    /// When the server does not let the user in.
    pub async fn login(server: &str, email: &str, password: &str) -> Result<Self> {
        let api = Client::new(ServerUrl::parse(server, false)?, Trust::System)?;
        let token = api.login(email, password, None).await?;
        Ok(Self {
            api: api.with_token(&token)?,
            token,
        })
    }

    /// Waits for the device with this MAC address to ask, accepts it and returns its id.
    ///
    /// # Errors
    /// When it does not ask by the deadline, or the server refuses.
    pub async fn accept(&self, mac: &str) -> Result<String> {
        self.accept_if(|device| {
            device.identity_data.get("mac").and_then(|mac| mac.as_str()) == Some(mac)
        })
        .await
    }

    /// Waits for any device to ask, accepts it and returns its id.
    ///
    /// # Errors
    /// When none asks by the deadline, or the server refuses.
    pub async fn accept_first(&self) -> Result<String> {
        self.accept_if(|_| true).await
    }

    async fn accept_if(&self, is_it: impl Fn(&Device) -> bool) -> Result<String> {
        let device = until("a device to ask", async || {
            let devices = self.api.devices(None).await?;
            let asks = |device: &Device| device.status == "pending" && is_it(device);
            Ok(devices.into_iter().find(asks))
        })
        .await?;
        self.decide(&device.id, AuthStatus::Accepted).await?;
        Ok(device.id)
    }

    /// Decides about a device's first key.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn decide(&self, id: &str, status: AuthStatus) -> Result<()> {
        let device = self.api.device(id).await?;
        let set = device.auth_sets.first().context("a device has a key")?;
        Ok(self.api.set_auth_status(id, &set.id, status).await?)
    }

    /// Waits until a device is connected.
    ///
    /// # Errors
    /// When it is not by the deadline.
    pub async fn connected(&self, id: &str) -> Result<()> {
        until(format!("device {id} to be connected"), async || {
            Ok(self
                .api
                .device_state(id)
                .await?
                .is_connected()
                .then_some(()))
        })
        .await
    }

    /// Waits until a device is disconnected.
    ///
    /// # Errors
    /// When it is not by the deadline.
    pub async fn disconnected(&self, id: &str) -> Result<()> {
        until(format!("device {id} to be disconnected"), async || {
            Ok((!self.api.device_state(id).await?.is_connected()).then_some(()))
        })
        .await
    }

    /// Since when a device's present link is up, to tell whether it was ever lost.
    ///
    /// # Errors
    /// When it is not connected.
    pub async fn connected_since(&self, id: &str) -> Result<String> {
        self.api
            .device_row(id)
            .await?
            .connected_since
            .context("the device is connected")
    }
}
