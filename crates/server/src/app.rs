//! What every request handler and every background task shares.

use std::ops::Deref;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Auth;
use crate::config::Config;
use crate::gateway::Links;
use crate::store::Store;

/// The running server's state; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The parts of [`App`].
pub struct Inner {
    /// Settings, fixed for the life of the process.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// Keys, limits and everything else that decides who somebody is.
    pub auth: Auth,
    /// The devices that are connected to this process.
    pub links: Arc<Links>,
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
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
