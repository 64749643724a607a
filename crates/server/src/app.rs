//! What every request handler and every background task shares.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Auth;
use crate::bus::Bus;
use crate::config::Config;
use crate::devices::admission::Admission;
use crate::gateway::Links;
use crate::ids::DeviceId;
use crate::recording::Recorder;
use crate::store::Store;

/// The running server's state; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// A device came, went, was decided about or reported something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// This one.
    One(DeviceId),
    /// More than could be followed.
    Many,
}

/// The parts of [`App`].
pub struct Inner {
    /// Settings, fixed for the life of the process.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// What is recorded of sessions.
    pub recorder: Recorder,
    /// Which run of the server this is; peers are told.
    pub instance: String,
    /// Keys, limits and everything else that decides who somebody is.
    pub auth: Auth,
    /// Holds unknown devices to their limits.
    pub admission: Admission,
    /// What changed just now. Whoever lags behind reads everything anew.
    pub device_changes: broadcast::Sender<DeviceChange>,
    /// The devices that are connected to this process.
    pub links: Arc<Links>,
    /// The way to devices, whichever process they are connected to.
    pub bus: Arc<dyn Bus>,
    /// Cancelled when the server is to end. Every loop selects on it.
    pub shutdown: CancellationToken,
    /// Every task that outlives a request is spawned here, so that the end can wait for it.
    pub tasks: TaskTracker,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Tells whoever watches that a device changed. Call it after the change is committed.
    pub fn device_changed(&self, device: DeviceId) {
        // An error only says that nobody watches.
        let _ = self.device_changes.send(DeviceChange::One(device));
    }

    /// Tells whoever watches that more changed than could be followed.
    pub fn devices_changed(&self) {
        let _ = self.device_changes.send(DeviceChange::Many);
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
