//! Writes down what happens to sessions, one after another, so that an end never comes before its start.

use longwire_protocol::shell::Ended;
use tokio::sync::mpsc;

use super::driver::Command;
use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::ids::DeviceId;
use crate::session::{Happened, Record};

/// Runs until the sender is dropped, and everything has been written.
pub(super) async fn run(
    app: App,
    device: DeviceId,
    mut records: mpsc::Receiver<Record>,
    driver: mpsc::Sender<Command>,
) {
    while let Some(record) = records.recv().await {
        let written = app.store.record(&event(device, &record)).await;
        if let Err(error) = &written {
            tracing::error!(%error, %device, sid = record.sid, "a session could not be written down");
        }
        if record.happened == Happened::Opened {
            let recorded = Command::Recorded {
                sid: record.sid,
                ok: written.is_ok(),
            };
            // A driver that has ended needs no answer.
            let _ = driver.send(recorded).await;
        }
    }
}

fn event(device: DeviceId, record: &Record) -> AuditEvent {
    let action = match record.happened {
        Happened::Opened => Action::SessionOpened,
        Happened::Refused { .. } => Action::SessionRefused,
        Happened::Ended { .. } => Action::SessionEnded,
    };
    let actor = Actor::User {
        id: record.owner.user_id(),
        email: record.owner.email().to_owned(),
    };
    let event = AuditEvent::new(action, actor, Object::Device(device))
        .from_address(record.owner.address())
        .with("session_id", record.sid.as_str());
    match &record.happened {
        Happened::Opened => event,
        Happened::Refused { text } => event.with("text", text.as_str()),
        Happened::Ended {
            reason,
            exit_status,
            text,
        } => event
            .with("reason", reason.map(Ended::as_str))
            .with("exit_status", *exit_status)
            .with("text", text.as_str()),
    }
}
