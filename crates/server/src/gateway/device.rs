//! A device's websocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use longwire_protocol::limits::SERVER_READ_LIMIT;
use longwire_protocol::{Receiver, control, proto};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::driver::{Command, Said, ToLink};
use super::links::{DisconnectReason, NewLink};
use super::pulse::Pulse;
use super::socket::{self, Ending, Incoming, Outgoing};
use super::{close, user};
use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::auth::{DevicePrincipal, Peer};
use crate::error::ApiError;
use crate::time::Timestamp;

/// What is taken from the queue at a time.
const BATCH: usize = 64;

/// How long a device goes without a ping. Pings go with the questions that the session core asks, a little
/// more often than this, so that an idle device wakes once for both.
const PING_EVERY: Duration = Duration::from_secs(30);

/// When a device that is held off may try again, in seconds.
const HELD_OFF_S: u64 = 60;

/// How much a device may have said that nobody has dealt with, in units of [`UNIT`] bytes.
const ROOM: u32 = 64;
const UNIT: usize = 64 * 1024;

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
    let upgrade = user::handshake(upgrade)?;
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
    let tasks = app.tasks.clone();
    Ok(socket::limited(upgrade)
        .protocols([user::PLAIN_PROTOCOL])
        .on_upgrade(move |socket| tasks.track_future(serve(app, device, socket))))
}

async fn serve(app: App, device: DevicePrincipal, socket: WebSocket) {
    let id = device.device_id;
    let link = app.links.connect(&app, id).await;
    let generation = link.generation;
    tracing::info!(device = %id, generation, "device connected");
    // It may have been turned away between its token's check and now.
    if !is_let_in(&app, device).await {
        app.links.disconnect(id, DisconnectReason::Unauthorized);
    }
    let (mut incoming, mut outgoing) = socket::split(socket, Receiver::Device);
    let ending = run(link, &mut incoming, &mut outgoing).await;
    app.links.disconnected(id, generation).await;
    match &ending {
        Ending::Gone => tracing::info!(device = %id, generation, "device disconnected"),
        Ending::Close(frame) => {
            tracing::info!(device = %id, generation, code = frame.code, reason = frame.reason.as_str(), "device disconnected by the server");
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
    let NewLink {
        generation,
        commands,
        said,
        to_device,
        cut,
        pulse,
    } = link;
    tokio::select! {
        ending = listen(incoming, &said, &pulse) => ending,
        ending = talk(outgoing, to_device, &commands, generation, &pulse) => ending,
        frame = cut => frame.map_or(Ending::Gone, Ending::Close),
    }
}

/// Hands on what the device says.
async fn listen(incoming: &mut Incoming, said: &mpsc::Sender<Said>, pulse: &Pulse) -> Ending {
    let room = Arc::new(Semaphore::new(ROOM as usize));
    loop {
        let (message, size) = match incoming.next(pulse).await {
            Ok(next) => next,
            Err(ending) => return ending,
        };
        let Ok(taken) = Arc::clone(&room).acquire_many_owned(units(size)).await else {
            return Ending::Gone;
        };
        if said.send((message, taken)).await.is_err() {
            // Replaced, or the server ends: the close is on its way by the other road.
            return std::future::pending().await;
        }
    }
}

fn units(size: usize) -> u32 {
    const { assert!(SERVER_READ_LIMIT / UNIT < u32::MAX as usize) };
    u32::try_from(size / UNIT + 1).map_or(ROOM, |units| units.min(ROOM))
}

/// Sends what there is for the device, and pings.
async fn talk(
    outgoing: &mut Outgoing,
    mut queue: mpsc::Receiver<ToLink>,
    driver: &mpsc::Sender<Command>,
    generation: u64,
    pulse: &Pulse,
) -> Ending {
    let mut pings = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let sent = tokio::select! {
            count = queue.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    return std::future::pending().await;
                }
                send(outgoing, &mut batch, driver, generation, &mut pings).await
            }
            _ = pings.tick() => outgoing.ping().await,
            () = pulse.asked() => outgoing.ping().await,
        };
        if let Err(ending) = sent {
            return ending;
        }
    }
}

async fn send(
    outgoing: &mut Outgoing,
    batch: &mut Vec<ToLink>,
    driver: &mpsc::Sender<Command>,
    generation: u64,
    pings: &mut Interval,
) -> Result<(), Ending> {
    let (mut messages, mut bytes) = (0, 0);
    for item in batch.drain(..) {
        match item {
            ToLink::Message(message) => {
                messages += 1;
                bytes += message.body.len();
                outgoing.feed(&message).await?;
                if message.proto == proto::CONTROL && message.typ == control::typ::PING {
                    outgoing.feed_ping().await?;
                    pings.reset();
                }
            }
            ToLink::Close(why) => return Err(Ending::Close(close::link(why))),
        }
    }
    outgoing.flush().await?;
    let written = Command::LinkWritten {
        generation,
        messages,
        bytes,
    };
    // A driver that has ended needs to know nothing.
    let _ = driver.send(written).await;
    Ok(())
}
