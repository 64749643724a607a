//! Live terminal sessions. Whoever may neither watch, control nor end a session is not told of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::devices;
use super::query::{PagingParams, Query};
use crate::access::{self, SessionAct};
use crate::app::App;
use crate::audit::{Action, AuditEvent, Object};
use crate::auth::{Peer, Principal};
use crate::bus::LiveSession;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::ids::{DeviceId, UserId};
use crate::session::{EndReason, Owner, SessionState, ViewerView};
use crate::store::{Ending, Reader, StoreError};
use crate::time::Timestamp;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = SessionState)]
#[serde(rename_all = "lowercase")]
pub(super) enum StateOut {
    /// Somebody is there.
    Attached,
    /// Nobody is there; the shell runs on.
    Detached,
    /// It is to end, and the device has not said yet that it has.
    Ending,
}

impl From<SessionState> for StateOut {
    fn from(state: SessionState) -> Self {
        match state {
            SessionState::Attached => Self::Attached,
            SessionState::Detached => Self::Detached,
            SessionState::Ending => Self::Ending,
        }
    }
}

/// A terminal session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionOut {
    id: String,
    #[schema(value_type = String)]
    device_id: DeviceId,
    /// The name people know the device by.
    device_name: String,
    owner: OwnerOut,
    state: StateOut,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Since when nobody is there, if nobody is.
    #[schema(value_type = Option<String>, format = DateTime)]
    detached_at: Option<Timestamp>,
    /// Whether the device's link is up.
    device_connected: bool,
    /// Whether its output survives a lost link of the device. With agents of others it does not.
    lossless: bool,
    rows: Option<u16>,
    cols: Option<u16>,
    /// The title that a program in it has set.
    title: Option<String>,
    /// Counts changes of control.
    epoch: u64,
    /// Who is there, in the order they came.
    viewers: Vec<ViewerOut>,
}

/// Whose session it is.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionOwner)]
pub(super) struct OwnerOut {
    #[schema(value_type = String)]
    id: UserId,
    email: String,
}

/// One who is there.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionViewer)]
pub(super) struct ViewerOut {
    email: String,
    /// Whether their typing counts.
    control: bool,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// A session that is over.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionOver {
    id: String,
    #[schema(value_type = String)]
    device_id: DeviceId,
}

impl From<&LiveSession> for SessionOver {
    fn from(session: &LiveSession) -> Self {
        Self {
            id: session.view.sid.clone(),
            device_id: session.device,
        }
    }
}

impl From<&ViewerView> for ViewerOut {
    fn from(present: &ViewerView) -> Self {
        Self {
            email: present.email.clone(),
            control: present.control,
            since: present.since,
        }
    }
}

fn not_found() -> ApiError {
    ApiError::not_found("session not found")
}

/// Whether somebody may know of a session.
pub(super) fn is_visible(principal: &Principal, session: &LiveSession) -> bool {
    access::require_session(
        principal,
        SessionAct::See,
        session.device,
        session.view.owner,
    )
    .is_ok()
}

/// Sessions as they are shown.
pub(super) async fn assemble(
    app: &App,
    read: &mut Reader,
    sessions: &[Arc<LiveSession>],
) -> Result<Vec<SessionOut>, StoreError> {
    let mut ids: Vec<_> = sessions.iter().map(|session| session.device).collect();
    ids.sort_unstable();
    ids.dedup();
    let names = devices::names(read, &ids).await?;
    let shown = sessions
        .iter()
        .map(|session| show_one(app, session, &names));
    Ok(shown.collect())
}

fn show_one(app: &App, session: &LiveSession, names: &HashMap<DeviceId, String>) -> SessionOut {
    let name = names.get(&session.device).cloned();
    SessionOut {
        id: session.view.sid.clone(),
        device_id: session.device,
        device_name: name.unwrap_or_else(|| session.device.to_string()),
        owner: OwnerOut {
            id: session.view.owner,
            email: session.view.owner_email.clone(),
        },
        state: session.view.state.into(),
        started_at: session.view.started_at,
        detached_at: session.view.detached_at,
        device_connected: app.links.connected_since(session.device).is_some(),
        lossless: session.view.lossless,
        rows: session.view.size.map(|size| size.rows),
        cols: session.view.size.map(|size| size.cols),
        title: session.view.title.clone(),
        epoch: session.view.epoch,
        viewers: session.view.viewers.iter().map(ViewerOut::from).collect(),
    }
}

/// What a list is narrowed to.
struct Wanted {
    devices: Vec<DeviceId>,
    states: Vec<StateOut>,
    owner: Option<UserId>,
}

impl Wanted {
    fn read(query: &Query, principal: &Principal) -> Result<Self, ApiError> {
        let states = query.all("state").map(|state| match state {
            "attached" => Ok(StateOut::Attached),
            "detached" => Ok(StateOut::Detached),
            "ending" => Ok(StateOut::Ending),
            _ => Err(ApiError::bad_request("incorrect session state")),
        });
        let mine = match query.first("mine") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(ApiError::bad_request("incorrect value of \"mine\"")),
        };
        Ok(Self {
            devices: query.parsed("device_id", "incorrect device id")?,
            states: states.collect::<Result<_, _>>()?,
            owner: mine.then_some(principal.user_id),
        })
    }

    fn holds(&self, session: &LiveSession) -> bool {
        (self.devices.is_empty() || self.devices.contains(&session.device))
            && (self.states.is_empty() || self.states.contains(&session.view.state.into()))
            && self.owner.is_none_or(|owner| owner == session.view.owner)
    }
}

/// List sessions
///
/// Those that run now or are to end, newest first, as far as you may see them: your own, and with
/// `session.watch`, `session.control` or `session.end` those of others.
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/sessions",
    operation_id = "listSessions",
    tag = "Longwire",
    params(
        PagingParams,
        ("device_id" = Option<Vec<String>>, Query, description = "Only sessions on one of these devices"),
        ("state" = Option<Vec<StateOut>>, Query, description = "Only sessions in one of these states"),
        ("mine" = Option<bool>, Query, description = "Only your own"),
    ),
    responses(
        (status = 200, description = "A page, with `Link` headers to others and `X-Total-Count`", body = Vec<SessionOut>),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
    query: Query,
) -> Result<(HeaderMap, axum::Json<Vec<SessionOut>>), ApiError> {
    let paging = query.paging()?;
    let wanted = Wanted::read(&query, &principal)?;
    let mut sessions = app.bus.sessions().await;
    sessions.retain(|session| wanted.holds(session) && is_visible(&principal, session));
    let total = sessions.len() as u64;
    let skipped = usize::try_from(paging.offset()).unwrap_or(usize::MAX);
    let page: Vec<_> = sessions
        .into_iter()
        .skip(skipped)
        .take(paging.per_page as usize)
        .collect();
    let mut read = app.store.read().await?;
    let shown = assemble(&app, &mut read, &page).await?;
    let headers = query.links(paging, shown.len(), Some(total));
    Ok((headers, axum::Json(shown)))
}

async fn find(app: &App, principal: &Principal, id: &str) -> Result<Arc<LiveSession>, ApiError> {
    let sessions = app.bus.sessions().await;
    sessions
        .into_iter()
        .find(|session| session.view.sid == id)
        .filter(|session| is_visible(principal, session))
        .ok_or_else(not_found)
}

/// One session
#[utoipa::path(
    get,
    path = "/api/management/v1/longwire/sessions/{id}",
    operation_id = "getSession",
    tag = "Longwire",
    params(("id" = String, Path, description = "Session")),
    responses(
        (status = 200, description = "The session", body = SessionOut),
        (status = 404, description = "No such session, or it is over", body = ErrorBody),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<axum::Json<SessionOut>, ApiError> {
    let session = find(&app, &principal, &id).await?;
    let mut read = app.store.read().await?;
    let mut shown = assemble(&app, &mut read, &[session]).await?;
    shown.pop().map(axum::Json).ok_or_else(not_found)
}

/// End a session
///
/// Its shell is ended now, or, if the device is away, as soon as it comes back. Nobody can attach to it any
/// more.
#[utoipa::path(
    delete,
    path = "/api/management/v1/longwire/sessions/{id}",
    operation_id = "endSession",
    tag = "Longwire",
    params(("id" = String, Path, description = "Session")),
    responses(
        (status = 204, description = "It will be ended, whatever happens to the server"),
        (status = 403, description = "You see it and may not end it", body = ErrorBody),
        (status = 404, description = "No such session, or it is over", body = ErrorBody),
    )
)]
pub(super) async fn end(
    State(app): State<App>,
    principal: Principal,
    Peer(address): Peer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let session = find(&app, &principal, &id).await?;
    let (device, owner) = (session.device, session.view.owner);
    let granted = access::require_session(&principal, SessionAct::End, device, owner)?;
    let why = EndReason::Stopped;
    let ending = Ending {
        at: Timestamp::now(),
        reason: Some(why.ended()),
        exit_status: None,
        text: why.text().to_owned(),
    };
    let mut change = app.store.change().await?;
    if change.stop_session(&id, &ending).await? {
        let event = AuditEvent::new(Action::SessionStopped, &granted, Object::Device(device))
            .from_address(address)
            .with("session_id", id.as_str())
            .with("text", why.text());
        change.commit(&event).await?;
    }
    let by = Owner::new(&granted, Some(address));
    app.bus.end(device, &id, by).await;
    Ok(StatusCode::NO_CONTENT)
}
