//! Changes of devices as they happen, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::devices;
use crate::app::{App, DeviceChange};
use crate::auth::Principal;
use crate::ids::{DeviceId, TokenId};
use crate::store::StoreError;
use crate::time::Timestamp;

/// Between two comments that keep proxies from closing a silent stream.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A device that is no more.
#[derive(Serialize, ToSchema)]
pub(super) struct DeviceRemoved {
    #[schema(value_type = String)]
    id: DeviceId,
}

/// Watch devices
///
/// `event: device` carries a device as in the list, `event: removed` the id of one that is gone, and
/// `event: resync` says that changes were missed and everything is to be read anew.
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/events",
    operation_id = "watchDevices",
    tag = "Longwire",
    responses((status = 200, description = "A stream that ends with the sign-in", body = String, content_type = "text/event-stream"))
)]
pub(super) async fn watch(
    State(app): State<App>,
    principal: Principal,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = app.device_changes.subscribe();
    // The first event lets a client that reads everything now miss nothing.
    let opened = stream::iter([Ok(resync())]);
    let events = stream::unfold(
        (app, changes, principal.token_id),
        |(app, mut changes, token)| async move {
            loop {
                let change = tokio::select! {
                    () = app.shutdown.cancelled() => return None,
                    change = changes.recv() => change,
                };
                let event = match change {
                    Ok(DeviceChange::One(device)) => match told(&app, device, token).await {
                        Ok(Some(event)) => event,
                        Ok(None) => return None,
                        Err(error) => {
                            tracing::error!(%error, "a change could not be told");
                            continue;
                        }
                    },
                    Ok(DeviceChange::Many) | Err(RecvError::Lagged(_)) => resync(),
                    Err(RecvError::Closed) => return None,
                };
                return Some((Ok(event), (app, changes, token)));
            }
        },
    );
    let stream = opened.chain(events);
    std::future::ready(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).await
}

/// Says that everything is to be read anew.
fn resync() -> Event {
    Event::default().event("resync").data("{}")
}

/// The event for a device that changed; none when the watcher's token has ended.
async fn told(app: &App, device: DeviceId, token: TokenId) -> Result<Option<Event>, StoreError> {
    let mut read = app.store.read().await?;
    if read
        .user_token_owner(token, Timestamp::now())
        .await?
        .is_none()
    {
        return Ok(None);
    }
    let event = Event::default();
    let event = match devices::find(app, &mut read, device).await? {
        Some(device) => event.event("device").json_data(device),
        None => event
            .event("removed")
            .json_data(DeviceRemoved { id: device }),
    };
    Ok(event.ok())
}
