//! Changes of devices and sessions as they happen, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::devices;
use super::sessions::{self, SessionOver};
use crate::app::{App, DeviceChange};
use crate::auth::Principal;
use crate::bus::SessionChange;
use crate::ids::DeviceId;
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

/// Watch devices and sessions
///
/// `event: device` carries a device as in the list, `event: removed` the id of one that is gone.
/// `event: session` carries a session as in the list, if you may see it, `event: session_removed` the id of
/// one that is over and its device's. `event: resync` says that changes were missed and everything is to
/// be read anew.
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
    let watcher = Watcher {
        devices: app.device_changes.subscribe(),
        sessions: app.bus.session_changes(),
        app,
        principal,
    };
    // The first event lets a client that reads everything now miss nothing.
    let opened = stream::iter([Ok(resync())]);
    let events = stream::unfold(watcher, |mut watcher| async move {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    });
    let stream = opened.chain(events);
    std::future::ready(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).await
}

/// Says that everything is to be read anew.
fn resync() -> Event {
    Event::default().event("resync").data("{}")
}

/// One who is told what changes.
struct Watcher {
    app: App,
    principal: Principal,
    devices: Receiver<DeviceChange>,
    sessions: Receiver<SessionChange>,
}

enum Change {
    Device(DeviceId),
    Session(SessionChange),
}

impl Watcher {
    /// What to tell next; nothing more once the watcher's sign-in or the server has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let change = tokio::select! {
                () = self.app.shutdown.cancelled() => return None,
                change = self.devices.recv() => match change {
                    Ok(DeviceChange::One(device)) => Change::Device(device),
                    Ok(DeviceChange::Many) | Err(RecvError::Lagged(_)) => return Some(resync()),
                    Err(RecvError::Closed) => return None,
                },
                change = self.sessions.recv() => match change {
                    Ok(change) => Change::Session(change),
                    Err(RecvError::Lagged(_)) => return Some(resync()),
                    Err(RecvError::Closed) => return None,
                },
            };
            match self.told(change).await {
                Ok(Told::This(event)) => return Some(event),
                Ok(Told::Nothing) => {}
                Ok(Told::SignedOut) => return None,
                Err(error) => tracing::error!(%error, "a change could not be told"),
            }
        }
    }

    async fn told(&mut self, change: Change) -> Result<Told, StoreError> {
        let mut read = self.app.store.read().await?;
        let owner = read
            .user_token_owner(self.principal.token_id, Timestamp::now())
            .await?;
        let Some(owner) = owner else {
            return Ok(Told::SignedOut);
        };
        self.principal.roles = owner.roles;
        let event = Event::default();
        let event = match change {
            Change::Device(id) => match devices::find(&self.app, &mut read, id).await? {
                Some(device) => event.event("device").json_data(device),
                None => event.event("removed").json_data(DeviceRemoved { id }),
            },
            Change::Session(SessionChange { session, .. })
                if !sessions::is_visible(&self.principal, &session) =>
            {
                return Ok(Told::Nothing);
            }
            Change::Session(SessionChange { session, is_over }) if is_over => {
                let over = SessionOver::from(&*session);
                event.event("session_removed").json_data(over)
            }
            Change::Session(SessionChange { session, .. }) => {
                let mut shown = sessions::assemble(&self.app, &mut read, &[session]).await?;
                let Some(session) = shown.pop() else {
                    return Ok(Told::Nothing);
                };
                event.event("session").json_data(session)
            }
        };
        Ok(event.map_or(Told::Nothing, Told::This))
    }
}

/// What a watcher is told of a change.
enum Told {
    This(Event),
    Nothing,
    /// The watcher's token has ended.
    SignedOut,
}
