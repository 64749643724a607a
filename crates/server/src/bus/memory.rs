//! The bus of a single process: both websockets end here.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Bus, LiveSession, NewViewer, OpenError, SessionChange, Terminal};
use crate::gateway::Links;
use crate::ids::DeviceId;

/// Looks no further than this process.
pub struct InProcess(pub Arc<Links>);

#[async_trait]
impl Bus for InProcess {
    async fn is_connected(&self, device: DeviceId) -> bool {
        self.0.connected_since(device).is_some()
    }

    async fn open(&self, device: DeviceId, viewer: NewViewer) -> Result<Terminal, OpenError> {
        self.0.attach(device, viewer).await
    }

    async fn sessions(&self) -> Vec<Arc<LiveSession>> {
        self.0.sessions()
    }

    fn session_changes(&self) -> broadcast::Receiver<SessionChange> {
        self.0.session_changes()
    }
}
