//! Takes over the sessions that a former run of the server has left, before anybody is let in.

use std::collections::BTreeMap;
use std::time::Duration;

use longwire_protocol::shell::Ended;

use super::driver::{Adoptee, Left};
use crate::app::App;
use crate::ids::DeviceId;
use crate::recording::{Recorder, RecordingError, Recovered};
use crate::session::{Adopted, Controller, Ending, Entry, Owner};
use crate::store::{self, AuthStatus, StoreError, StoredSession};
use crate::time::Timestamp;

/// How much output a screen is made from that was not drawn at a keyframe: more than a screen and its
/// scrollback hold.
const REPLAY_BYTES: u64 = 1024 * 1024;

/// Why sessions cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptionError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server ends before they are.
    #[error("the server ends")]
    Ended,
}

/// Why a session ends whose recording cannot be gone on with.
const UNREADABLE: &str = "its recording cannot be read";

/// Takes over all of them. A recording that cannot be read costs its own session and no other.
///
/// # Errors
/// When the database cannot be read, or the server ends.
pub(crate) async fn adopt(app: &App) -> Result<(), AdoptionError> {
    let mut read = app.store.read().await?;
    let rows = read.live_sessions(None).await?;
    let mut devices: BTreeMap<DeviceId, Vec<StoredSession>> = BTreeMap::new();
    for row in rows {
        devices.entry(row.device_id).or_default().push(row);
    }
    for (device, rows) in devices {
        let known = read.device(device).await?;
        let is_let_in = known.is_some_and(|device| device.status == AuthStatus::Accepted);
        tracing::info!(%device, sessions = rows.len(), "sessions are taken over");
        let recorder = app.recorder.clone();
        let adopting = app.tasks.spawn_blocking(move || {
            let adoptees = rows.into_iter().map(|row| adoptee(&recorder, row));
            adoptees.collect::<Vec<_>>()
        });
        let sessions = adopting.await.map_err(|_| AdoptionError::Ended)?;
        let left = Left {
            sessions,
            is_let_in,
        };
        app.links.adopt(app, device, left).await;
    }
    Ok(())
}

fn adoptee(recorder: &Recorder, mut row: StoredSession) -> Adoptee {
    let found = recorder
        .recover(&row.sid, row.created_at)
        .and_then(|recovered| {
            let replay = match &recovered {
                Some(recovered) => replay(recorder, recovered)?,
                None => Vec::new(),
            };
            Ok((recovered, replay))
        });
    let (recovered, replay) = found.unwrap_or_else(|error| {
        tracing::error!(%error, sid = row.sid, "{UNREADABLE}: the session ends");
        row.to_stop.get_or_insert_with(|| store::Ending {
            at: Timestamp::now(),
            reason: Some(Ended::OverLimit),
            exit_status: None,
            text: UNREADABLE.to_owned(),
        });
        (None, Vec::new())
    });
    Adoptee {
        opened_at: row.created_at,
        adopted: adopted(row, recovered.as_ref(), replay),
        recovered,
    }
}

/// What the screen is made from, up to the first entry that is damaged: what comes after that is read by
/// nobody.
fn replay(recorder: &Recorder, recovered: &Recovered) -> Result<Vec<Entry>, RecordingError> {
    let mut entries = Vec::new();
    for entry in recorder.replay(recovered, REPLAY_BYTES)? {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(damage) => {
                tracing::error!(%damage, sid = recovered.opening.sid, "a recording is damaged");
                break;
            }
        }
    }
    Ok(entries)
}

fn adopted(row: StoredSession, recovered: Option<&Recovered>, replay: Vec<Entry>) -> Adopted {
    let now = Timestamp::now();
    let after = |one: Timestamp, other: Timestamp| {
        let millis = other.millis().saturating_sub(one.millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or_default())
    };
    Adopted {
        owner: Owner::stored(row.owner.id, row.owner.email, row.address),
        sid: row.sid,
        epoch: row.epoch,
        controller: row.controller.map(|controller| Controller {
            user_id: controller.person.id,
            email: controller.person.email,
            instance: controller.instance,
        }),
        lossless: row.lossless,
        plain_only: row.plain_only,
        age: after(row.created_at, now),
        started: row.started_at.map(|at| after(row.created_at, at)),
        detached: row.detached_at.map(|at| after(at, now)),
        to_stop: row.to_stop.map(ending),
        size: row.size,
        recorded: recovered.map_or(0, |recovered| recovered.position.offset),
        ended: replay.iter().rev().find_map(end),
        replay,
        restored: row.restored,
    }
}

fn ending(stored: store::Ending) -> Ending {
    Ending {
        reason: stored.reason,
        exit_status: stored.exit_status,
        text: stored.text,
    }
}

/// The end that a recording holds.
fn end(entry: &Entry) -> Option<Ending> {
    match entry {
        Entry::End {
            reason,
            exit_status,
            text,
            ..
        } => Some(Ending {
            reason: *reason,
            exit_status: *exit_status,
            text: text.clone(),
        }),
        Entry::Output { .. }
        | Entry::Resized { .. }
        | Entry::Keyframe { .. }
        | Entry::Gap { .. }
        | Entry::Marker { .. } => None,
    }
}
