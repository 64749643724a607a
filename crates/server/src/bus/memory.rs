//! The bus of a single process: both websockets end here.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use super::{Bus, LiveSession, NewViewer, OpenError, SessionChange, Terminal};
use crate::app::App;
use crate::gateway::Links;
use crate::ids::DeviceId;
use crate::session::Owner;

/// Looks no further than this process.
pub struct InProcess(pub Arc<Links>);

#[async_trait]
impl Bus for InProcess {
    async fn is_connected(&self, device: DeviceId) -> bool {
        self.0.connected_since(device).is_some()
    }

    async fn open(
        &self,
        app: &App,
        device: DeviceId,
        viewer: NewViewer,
    ) -> Result<Terminal, OpenError> {
        self.0.attach(app, device, viewer).await
    }

    async fn end(&self, device: DeviceId, sid: &str, by: Owner) {
        self.0.end_session(device, sid, by).await;
    }

    async fn sessions(&self) -> Vec<Arc<LiveSession>> {
        self.0.sessions()
    }

    fn session_changes(&self) -> broadcast::Receiver<SessionChange> {
        self.0.session_changes()
    }
}
