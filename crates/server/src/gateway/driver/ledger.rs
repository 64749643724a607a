//! What the session core wants in the database, one transaction after another, each with its line in the
//! audit log.

use std::collections::VecDeque;
use std::pin::Pin;

use longwire_protocol::shell::Ended;

use crate::app::App;
use crate::audit::{Action, Actor, AuditEvent, Object};
use crate::ids::DeviceId;
use crate::session::{Change, Controller, Ending, Input, Owner, SessionChange};
use crate::store::{self, NewSession, Person, StoreError};
use crate::time::Timestamp;

/// Changes that wait. Beyond that nobody is listened to, so that nothing causes more of them.
const WAITING_MAX: usize = 256;

/// The changes of one device's sessions.
pub(super) struct Ledger {
    app: App,
    device: DeviceId,
    waiting: VecDeque<Change>,
    writing: Option<Pin<Box<dyn Future<Output = Input> + Send>>>,
}

impl Ledger {
    pub(super) fn new(app: &App, device: DeviceId) -> Self {
        Self {
            app: app.clone(),
            device,
            waiting: VecDeque::new(),
            writing: None,
        }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.waiting.push_back(change);
    }

    /// Whether there is room for what others may cause.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_none()
    }

    /// Goes on writing; gives the outcome of the next change, never while there is none.
    pub(super) async fn next(&mut self) -> Input {
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => match self.waiting.pop_front() {
                Some(change) => none.insert(Box::pin(write(self.app.clone(), self.device, change))),
                None => return std::future::pending().await,
            },
        };
        let done = writing.await;
        self.writing = None;
        done
    }
}

async fn write(app: App, device: DeviceId, change: Change) -> Input {
    let (id, sid) = (change.id, change.sid.clone());
    let ok = match commit(&app, device, change).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, %device, sid, "a session could not be written down");
            false
        }
    };
    Input::CommitDone { change: id, ok }
}

/// Whether it is done. What was decided or has happened before is done, too.
async fn commit(app: &App, device: DeviceId, change: Change) -> Result<bool, StoreError> {
    let Change { sid, by, what, .. } = change;
    match what {
        SessionChange::Started => {
            let mut report = app.store.report().await?;
            report.start_session(&sid, Timestamp::now()).await?;
            report.commit().await?;
            Ok(true)
        }
        SessionChange::Resized(size) => {
            let mut report = app.store.report().await?;
            report.resize_session(&sid, size).await?;
            report.commit().await?;
            Ok(true)
        }
        SessionChange::Opened {
            owner,
            controller,
            plain_only,
            lossless,
            size,
            at,
        } => {
            let new = NewSession {
                sid: sid.clone(),
                device_id: device,
                owner: Person {
                    id: owner.user_id(),
                    email: owner.email().to_owned(),
                },
                controller_instance: controller.instance,
                address: owner.address(),
                plain_only,
                lossless,
                size,
                created_at: at,
            };
            let mut change = app.store.change().await?;
            change.open_session(&new).await?;
            let event = event(Action::SessionOpened, device, &sid, Some(&owner));
            change.commit(&event).await?;
            Ok(true)
        }
        SessionChange::Refused { text } => {
            let ending = Ending {
                reason: Some(Ended::Refused),
                exit_status: None,
                text,
            };
            let mut change = app.store.change().await?;
            change.end_session(&sid, &stored(&ending)).await?;
            let event = event(Action::SessionRefused, device, &sid, by.as_ref());
            change.commit(&event.with("text", ending.text)).await?;
            Ok(true)
        }
        SessionChange::Epoch {
            epoch,
            controller,
            taken_over,
        } => {
            let mut change = app.store.change().await?;
            let controller = controller.as_ref().map(stored_controller);
            if !change
                .begin_session_epoch(&sid, epoch, controller.as_ref())
                .await?
            {
                return Ok(false);
            }
            let action = if taken_over {
                Action::SessionTakenOver
            } else {
                Action::SessionControlBegun
            };
            let event = event(action, device, &sid, by.as_ref());
            change.commit(&event.with("epoch", epoch)).await?;
            Ok(true)
        }
        SessionChange::Attached { plain } => {
            let mut change = app.store.change().await?;
            change.attach_session(&sid, plain).await?;
            let event = event(Action::SessionAttached, device, &sid, by.as_ref());
            change.commit(&event).await?;
            Ok(true)
        }
        SessionChange::Detached { last } => {
            let mut change = app.store.change().await?;
            if last {
                change.detach_session(&sid, Timestamp::now()).await?;
            }
            let event = event(Action::SessionDetached, device, &sid, by.as_ref());
            change.commit(&event.with("last", last)).await?;
            Ok(true)
        }
        SessionChange::Stop(ending) => {
            let mut change = app.store.change().await?;
            if change.stop_session(&sid, &stored(&ending)).await? {
                let event = event(Action::SessionStopped, device, &sid, by.as_ref());
                change.commit(&because(event, &ending)).await?;
            }
            Ok(true)
        }
        SessionChange::Ended(ending) => {
            let mut change = app.store.change().await?;
            if change.end_session(&sid, &stored(&ending)).await? {
                let event = event(Action::SessionEnded, device, &sid, by.as_ref());
                change.commit(&because(event, &ending)).await?;
            }
            Ok(true)
        }
        SessionChange::OutputLost { from, to } => {
            let event = event(Action::SessionOutputLost, device, &sid, by.as_ref());
            let event = event.with("from", from).with("to", to);
            app.store.record(&event).await?;
            Ok(true)
        }
        SessionChange::Stranger => {
            let event = event(Action::SessionUnknown, device, &sid, by.as_ref());
            app.store.record(&event).await?;
            Ok(true)
        }
        SessionChange::NotRecorded => {
            let event = event(Action::SessionNotRecorded, device, &sid, by.as_ref());
            app.store.record(&event).await?;
            Ok(true)
        }
    }
}

/// What was done to a session: by a person, or by its device.
fn event(action: Action, device: DeviceId, sid: &str, by: Option<&Owner>) -> AuditEvent {
    let actor = match by {
        Some(person) => Actor::User {
            id: person.user_id(),
            email: person.email().to_owned(),
        },
        None => Actor::Device(device),
    };
    AuditEvent::new(action, actor, Object::Device(device))
        .from_address(by.and_then(Owner::address))
        .with("session_id", sid)
}

fn because(event: AuditEvent, ending: &Ending) -> AuditEvent {
    event
        .with("reason", ending.reason.map(Ended::as_str))
        .with("exit_status", ending.exit_status)
        .with("text", ending.text.as_str())
}

fn stored(ending: &Ending) -> store::Ending {
    store::Ending {
        at: Timestamp::now(),
        reason: ending.reason,
        exit_status: ending.exit_status,
        text: ending.text.clone(),
    }
}

fn stored_controller(controller: &Controller) -> store::Controller {
    store::Controller {
        person: Person {
            id: controller.user_id,
            email: controller.email.clone(),
        },
        instance: controller.instance.clone(),
    }
}
