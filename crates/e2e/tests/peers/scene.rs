//! The scene most tests begin with: one device, accepted and connected.

use anyhow::Result;
use longwire_e2e::lab::Lab;
use longwire_e2e::operator::Operator;
use longwire_e2e::peers::{Device, connect_config};
use longwire_e2e::program::Program;
use longwire_e2e::viewer::Viewer;
use longwire_protocol::shell::Winsize;
use serde_json::{Value, json};

/// The size of every viewer's terminal.
pub(crate) const SIZE: Winsize = Winsize {
    rows: 40,
    cols: 120,
};

const MAC: &str = "02:00:00:00:00:01";

/// A server, and a device with mender-client and whatever keeps its link.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
    pub(crate) admin: Operator,
    pub(crate) device: Device,
    /// mender-connect, or our agent in its place.
    pub(crate) connect: Program,
    /// The device's id.
    pub(crate) id: String,
}

/// With room for several shells of one user.
pub(crate) fn four_shells_a_user() -> Value {
    let mut config = connect_config();
    if let Some(keys) = config.as_object_mut() {
        keys.insert("Sessions".to_owned(), json!({ "MaxPerUser": 4 }));
    }
    config
}

impl Scene {
    /// With Debian's mender-connect.
    pub(crate) async fn real(config: &Value) -> Result<Self> {
        Self::start(|device| device.start_connect(config)).await
    }

    /// With our agent in mender-connect's place.
    pub(crate) async fn ours(config: &Value) -> Result<Self> {
        Self::start(|device| device.start_agent(config)).await
    }

    async fn start(connect: impl FnOnce(&Device) -> Result<Program>) -> Result<Self> {
        let lab = Lab::start().await?;
        let mut device = lab.device(MAC).await?;
        // mender-connect starts to forward a shell's output in a goroutine that gives up for good
        // when it runs before the next statement, which marks the shell as running, has been
        // reached. On a busy machine that happens now and then; with one Go thread it does not.
        device.environment.push(("GOMAXPROCS", "1"));
        let admin = lab.admin().await?;
        let id = admin.accept(MAC).await?;
        let connect = connect(&device)?;
        admin.connected(&id).await?;
        Ok(Self {
            lab,
            admin,
            device,
            connect,
            id,
        })
    }

    /// A terminal of the administrator, message by message.
    pub(crate) async fn viewer(&self) -> Result<Viewer> {
        Viewer::open(&self.lab.url, &self.admin.token, &self.id, Some(SIZE)).await
    }

    /// Ends everything, and sees that no shell was left behind.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.connect.alone().await?;
        self.connect.terminate().await?;
        self.device.end().await?;
        self.lab.end().await
    }
}
