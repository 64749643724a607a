//! Which devices come and go, written down and told to whoever watches.

use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::gateway::Presence;
use crate::store::{Routine, StoreError};

/// Follows the links until the server ends.
pub async fn follow(app: App) {
    let mut changes = app.links.subscribe();
    loop {
        let change = tokio::select! {
            () = app.shutdown.cancelled() => return,
            change = changes.recv() => change,
        };
        match change {
            Ok(presence) => {
                if let Err(error) = note(&app, presence).await {
                    tracing::error!(%error, device = %presence.device_id, "presence was not written down");
                }
                app.device_changed(presence.device_id);
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "devices come and go faster than it can be written down"
                );
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn note(app: &App, presence: Presence) -> Result<(), StoreError> {
    let mut change = app.store.change().await?;
    change.set_link_at(presence.device_id, presence.at).await?;
    if presence.connected {
        change.check_in(presence.device_id, presence.at).await?;
    }
    change.commit_routine(Routine::DeviceReport).await
}
