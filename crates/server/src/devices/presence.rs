//! Which devices come and go, written down and told to whoever watches.

use std::collections::HashMap;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::app::App;
use crate::gateway::Presence;
use crate::ids::DeviceId;
use crate::store::StoreError;

/// Devices that are written down at once. A whole fleet comes back at the same moment when a server or a
/// network does, and each transaction waits for the disk.
const BATCH: usize = 500;

/// Follows the links until the server ends.
pub async fn follow(app: App) {
    let mut changes = app.links.subscribe();
    loop {
        let first = tokio::select! {
            () = app.shutdown.cancelled() => return,
            change = changes.recv() => change,
        };
        let mut latest = HashMap::new();
        let mut missed = false;
        match first {
            Ok(presence) => {
                latest.insert(presence.device_id, presence);
            }
            Err(RecvError::Lagged(_)) => missed = true,
            Err(RecvError::Closed) => return,
        }
        missed |= take_waiting(&mut changes, &mut latest);
        if let Err(error) = write_down(&app, &latest).await {
            tracing::error!(%error, "presence was not written down");
        }
        if missed {
            tracing::warn!("devices come and go faster than it can be written down");
            app.devices_changed();
        }
        for device in latest.keys() {
            app.device_changed(*device);
        }
    }
}

/// Takes what else has happened already, the latest of each device. True when something was missed.
fn take_waiting(
    changes: &mut Receiver<Presence>,
    latest: &mut HashMap<DeviceId, Presence>,
) -> bool {
    let mut missed = false;
    while latest.len() < BATCH {
        match changes.try_recv() {
            Ok(presence) => {
                latest.insert(presence.device_id, presence);
            }
            Err(TryRecvError::Lagged(_)) => missed = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    missed
}

async fn write_down(app: &App, latest: &HashMap<DeviceId, Presence>) -> Result<(), StoreError> {
    let mut report = app.store.report().await?;
    for presence in latest.values() {
        report.set_link_at(presence.device_id, presence.at).await?;
        if presence.connected {
            report.check_in(presence.device_id, presence.at).await?;
        }
    }
    report.commit().await
}
