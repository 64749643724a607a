//! An operator's websocket.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::Response;
use longwire_protocol::{Message, Receiver};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::close;
use super::pulse::Pulse;
use super::pump::{Owner, Pump};
use super::socket::{self, Ending, Incoming, Outgoing, is_longwire, negotiated};
use crate::access::{self, Granted, Permission, Role, Scope};
use crate::app::App;
use crate::auth::{Peer, Principal};
use crate::bus::{CREDITS, NewViewer, OpenError, Terminal, ToSession};
use crate::error::ApiError;
use crate::ids::DeviceId;
use crate::session::{self, EndReason, ViewerId, ViewerKind};
use crate::store::{AuthStatus, StoreError};
use crate::time::Timestamp;

/// How often an operator's end is pinged. Browsers cannot do it themselves.
const PING_EVERY: Duration = Duration::from_secs(25);

/// How often an operator's right to be here is looked at although nothing was heard of a change: accounts
/// can be changed on the server's machine without a word to this process.
const RIGHTS_EVERY: Duration = Duration::from_secs(30);

/// `GET /api/management/v1/deviceconnect/devices/{id}/connect`: an operator's terminal.
///
/// # Errors
/// 400 when it is no websocket handshake, 403 without the right, 404 when the device is not connected.
pub async fn user_connect(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path(device): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let disconnected = || ApiError::not_found("failed to connect to device: device disconnected");
    let device: DeviceId = device.parse().map_err(|_| disconnected())?;
    let granted = granted(&principal, device)?;
    let is_connected = app.bus.is_connected(device).await;
    let upgrade = negotiated(upgrade)?;
    let kind = if is_longwire(&upgrade) {
        ViewerKind::Longwire
    } else {
        ViewerKind::Plain
    };
    // Whoever speaks longwire.v1 can wait for a device that is away, and look at what there is meanwhile.
    if !is_connected && (kind == ViewerKind::Plain || !is_let_in(&app, device).await?) {
        return Err(disconnected());
    }
    let viewer = NewViewer {
        person: session::Owner::new(&granted, Some(address)),
        principal: principal.clone(),
        kind,
    };
    let tasks = app.tasks.clone();
    Ok(upgrade.on_upgrade(move |socket| {
        tasks.track_future(serve(app, principal, device, viewer, socket))
    }))
}

async fn is_let_in(app: &App, device: DeviceId) -> Result<bool, ApiError> {
    let known = app.store.read().await?.device(device).await?;
    Ok(known.is_some_and(|device| device.status == AuthStatus::Accepted))
}

fn granted(principal: &Principal, device: DeviceId) -> Result<Granted, ApiError> {
    access::require(principal, Permission::DeviceConnect, Scope::Device(device))
}

async fn serve(
    app: App,
    principal: Principal,
    device: DeviceId,
    viewer: NewViewer,
    socket: WebSocket,
) {
    let (mut incoming, mut outgoing) = socket::split(socket, Receiver::User);
    let ending = match app.bus.open(&app, device, viewer).await {
        Ok(terminal) => {
            run(
                &app,
                principal,
                device,
                terminal,
                &mut incoming,
                &mut outgoing,
            )
            .await
        }
        Err(error) => {
            let code = match error {
                OpenError::Disconnected => close_code::AWAY,
                OpenError::TooMany => close_code::AGAIN,
            };
            Ending::Close(close::with(code, error.to_string()))
        }
    };
    if let Ending::Close(closing) = &ending {
        tracing::info!(%device, code = closing.code, reason = %closing.reason, "terminal closed by the server");
    }
    socket::finish(ending, incoming, outgoing).await;
}

async fn run(
    app: &App,
    principal: Principal,
    device: DeviceId,
    terminal: Terminal,
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
) -> Ending {
    let Terminal {
        viewer,
        to_session,
        from_session,
        cut,
    } = terminal;
    let session = Session { viewer, to_session };
    let pump = Pump {
        owner: &session,
        queue: from_session,
        credits: CREDITS,
        ping_every: PING_EVERY,
        pulse: &Pulse::default(),
    };
    let ending = tokio::select! {
        ending = pump.run(incoming, outgoing) => ending,
        closing = cut => closing.map_or(Ending::Gone, Ending::Close),
        ending = watch_rights(app, principal, device, &session) => ending,
    };
    session.tell(ToSession::Gone).await;
    ending
}

/// The way to the session.
struct Session {
    viewer: ViewerId,
    to_session: mpsc::Sender<(ViewerId, ToSession)>,
}

impl Session {
    /// A session that has ended needs to know nothing; its end is told by the other road.
    async fn tell(&self, what: ToSession) {
        let _ = self.to_session.send((self.viewer, what)).await;
    }
}

impl Owner for &Session {
    async fn said(&self, message: Message, cost: u32) -> bool {
        self.tell(ToSession::Said { message, cost }).await;
        true
    }

    async fn written(&self) {
        self.tell(ToSession::Written).await;
    }
}

/// Tells the sessions when the operator's roles have changed, and leaves when they have signed out or may
/// not open terminals any more. The websocket is then closed by the sessions, after what they have to say.
async fn watch_rights(
    app: &App,
    mut principal: Principal,
    device: DeviceId,
    session: &Session,
) -> Ending {
    let mut rights = app.links.rights();
    // The first tick is at once: something may have changed between the token's check and now.
    let mut ticks = interval(RIGHTS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let changed = async {
            if rights.changed().await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            _ = ticks.tick() => {}
            () = changed => {}
        }
        let roles = match roles_now(app, &principal).await {
            Ok(roles) => roles.unwrap_or_default(),
            Err(error) => {
                // Nobody has lost a right because the database is busy; it is looked at again.
                tracing::error!(%error, "a login could not be looked up");
                continue;
            }
        };
        if roles != principal.roles {
            principal.roles.clone_from(&roles);
            session.tell(ToSession::Rights(roles)).await;
        }
        if granted(&principal, device).is_err() {
            session.tell(ToSession::End(EndReason::NotAllowed)).await;
            return std::future::pending().await;
        }
    }
}

/// The roles that a person has now; none if they have signed out.
async fn roles_now(app: &App, principal: &Principal) -> Result<Option<Vec<Role>>, StoreError> {
    let mut store = app.store.read().await?;
    let owner = store
        .user_token_owner(principal.token_id, Timestamp::now())
        .await?;
    Ok(owner
        .filter(|owner| owner.user_id == principal.user_id)
        .map(|owner| owner.roles))
}
