//! A device's websocket.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use longwire_protocol::{Message, Receiver};
use tokio::sync::mpsc;

use super::driver::{Command, Said};
use super::links::{DisconnectReason, NewLink};
use super::pump::{Owner, Pump};
use super::socket::{self, Ending, Incoming, Outgoing, is_longwire, negotiated};
use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::auth::{DevicePrincipal, Peer};
use crate::error::ApiError;
use crate::session::LinkKind;
use crate::time::Timestamp;

/// How long a device goes without a ping. Pings go with the questions that the session core asks, a little
/// more often than this, so that an idle device wakes once for both.
const PING_EVERY: Duration = Duration::from_secs(30);

/// When a device that is held off may try again, in seconds.
const HELD_OFF_S: u64 = 60;

/// How much a device may have said that nobody has dealt with: 64 messages or 4 MiB.
pub(super) const CREDITS: u32 = 64;

/// `GET /api/devices/v1/deviceconnect/connect`: a device's link.
///
/// # Errors
/// 400 when it is no websocket handshake, 503 for the second of two devices with the same identity.
pub async fn device_connect(
    State(app): State<App>,
    device: DevicePrincipal,
    Peer(address): Peer,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = negotiated(upgrade)?;
    let id = device.device_id;
    if app.links.is_duplicate(id).await {
        if app.links.alarm(id) {
            tracing::warn!(device = %id, %address, "two devices with the same identity displace each other; the second is held off");
            let event = AuditEvent::new(
                Action::DeviceDuplicated,
                Actor::Device(id),
                Object::Device(id),
            );
            app.store.record(&event.from_address(address)).await?;
        }
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "another device with the same identity is connected",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(HELD_OFF_S)));
    }
    let kind = if is_longwire(&upgrade) {
        LinkKind::Longwire
    } else {
        LinkKind::Plain
    };
    let tasks = app.tasks.clone();
    Ok(upgrade.on_upgrade(move |socket| tasks.track_future(serve(app, device, kind, socket))))
}

async fn serve(app: App, device: DevicePrincipal, kind: LinkKind, socket: WebSocket) {
    let id = device.device_id;
    let link = app.links.connect(&app, id, kind).await;
    let generation = link.generation;
    tracing::info!(device = %id, generation, ?kind, "device connected");
    // It may have been turned away between its token's check and now; its sessions know that already.
    if !is_let_in(&app, device).await {
        app.links.disconnect(id, DisconnectReason::TokenRevoked);
    }
    let (mut incoming, mut outgoing) = socket::split(socket, Receiver::Device);
    let ending = run(link, &mut incoming, &mut outgoing).await;
    app.links.disconnected(id, generation).await;
    match &ending {
        Ending::Gone => tracing::info!(device = %id, generation, "device disconnected"),
        Ending::Close(closing) => {
            tracing::info!(device = %id, generation, code = closing.code, reason = %closing.reason, "device disconnected by the server");
        }
    }
    socket::finish(ending, incoming, outgoing).await;
}

async fn is_let_in(app: &App, device: DevicePrincipal) -> bool {
    let owner = async {
        let mut store = app.store.read().await?;
        store
            .device_token_owner(device.token_id, Timestamp::now())
            .await
    };
    match owner.await {
        Ok(owner) => owner.is_some(),
        Err(error) => {
            tracing::error!(%error, "a token could not be looked up");
            false
        }
    }
}

async fn run(link: NewLink, incoming: &mut Incoming, outgoing: &mut Outgoing) -> Ending {
    let pump = Pump {
        owner: Driver {
            said: link.said,
            commands: link.commands,
            generation: link.generation,
        },
        queue: link.mouth.queue,
        credits: CREDITS,
        ping_every: PING_EVERY,
        pulse: &link.pulse,
    };
    tokio::select! {
        ending = pump.run(incoming, outgoing) => ending,
        closing = link.mouth.cut => closing.map_or(Ending::Gone, Ending::Close),
    }
}

/// The way to the driver of the device's sessions. One that has ended needs to know nothing.
struct Driver {
    said: mpsc::Sender<Said>,
    commands: mpsc::Sender<Command>,
    generation: u64,
}

impl Owner for Driver {
    async fn said(&self, message: Message, cost: u32) -> bool {
        self.said.send((message, cost)).await.is_ok()
    }

    async fn written(&self) {
        let generation = self.generation;
        let _ = self
            .commands
            .send(Command::LinkWritten { generation })
            .await;
    }
}
