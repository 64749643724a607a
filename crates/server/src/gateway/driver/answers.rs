//! Questions of the session core that take a while: whether somebody may do something, and output from the
//! journal.

use std::collections::HashMap;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::access::{self, SessionAct};
use crate::app::App;
use crate::auth::Principal;
use crate::ids::{DeviceId, UserId};
use crate::recording::{self, OutputReader, RecordingError};
use crate::session::{Input, ReadBack, ViewerId};
use crate::time::Timestamp;

type Pending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Who reads which session.
type Reading = (ViewerId, String);

/// An answer, and with it the reader that was used for it.
struct Answer {
    input: Input,
    reader: Option<(Reading, OutputReader)>,
}

/// Questions that are not answered yet. There are no more of them than sessions and viewers: each asks one
/// at a time.
#[derive(Default)]
pub(super) struct Answers {
    pending: FuturesUnordered<Pending>,
    /// Where somebody who is behind reads on. One that is not here is being read, or has not begun.
    readers: HashMap<Reading, OutputReader>,
}

/// A wish for output from the journal.
pub(super) struct Wish {
    pub(super) viewer: ViewerId,
    pub(super) sid: String,
    pub(super) started_at: Timestamp,
    pub(super) from: u64,
    pub(super) max: usize,
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The next answer; never while nothing is asked.
    pub(super) async fn next(&mut self) -> Input {
        let Some(answer) = self.pending.next().await else {
            return std::future::pending().await;
        };
        if let Some((reading, reader)) = answer.reader {
            self.readers.insert(reading, reader);
        }
        answer.input
    }

    /// A viewer has left.
    pub(super) fn forget(&mut self, viewer: ViewerId) {
        self.readers.retain(|(who, _), _| *who != viewer);
    }

    /// May they?
    pub(super) fn ask(
        &mut self,
        app: &App,
        ask: u64,
        principal: Principal,
        device: DeviceId,
        owner: UserId,
        act: SessionAct,
    ) {
        let app = app.clone();
        self.pending.push(Box::pin(async move {
            let allowed = may(&app, principal, device, owner, act).await;
            let input = Input::Decided { ask, allowed };
            Answer {
                input,
                reader: None,
            }
        }));
    }

    /// What needs no thought.
    pub(super) fn say(&mut self, input: Input) {
        let answer = Answer {
            input,
            reader: None,
        };
        self.pending.push(Box::pin(std::future::ready(answer)));
    }

    /// What does the journal have?
    pub(super) fn read_back(&mut self, app: &App, wish: Wish) {
        let Wish {
            viewer,
            sid,
            started_at,
            from,
            max,
        } = wish;
        let reading = (viewer, sid.clone());
        let reader = self.readers.remove(&reading);
        let recorder = app.recorder.clone();
        let read = app.tasks.spawn_blocking(move || {
            let mut reader = match reader {
                Some(reader) => reader,
                None => recorder.output(&reading.1, started_at)?,
            };
            let read = reader.read(from, max)?;
            Ok::<_, RecordingError>((read, (reading, reader)))
        });
        self.pending.push(Box::pin(async move {
            let (found, reader) = match read.await {
                Ok(Ok((read, reader))) => {
                    let found = match read {
                        recording::ReadBack::Bytes(bytes) => ReadBack::Bytes(bytes),
                        recording::ReadBack::Gap { to } => ReadBack::Gap { to },
                    };
                    (found, Some(reader))
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, sid, "a recording could not be read");
                    (ReadBack::Failed, None)
                }
                Err(_) => (ReadBack::Failed, None),
            };
            let input = Input::ReadBack {
                viewer,
                sid,
                from,
                found,
            };
            Answer { input, reader }
        }));
    }
}

/// Decides anew, with the roles that the person has now.
async fn may(
    app: &App,
    mut principal: Principal,
    device: DeviceId,
    owner: UserId,
    act: SessionAct,
) -> bool {
    let known = async {
        let mut store = app.store.read().await?;
        store
            .user_token_owner(principal.token_id, Timestamp::now())
            .await
    };
    match known.await {
        Ok(Some(known)) if known.user_id == principal.user_id => {
            principal.roles = known.roles;
            access::require_session(&principal, act, device, owner).is_ok()
        }
        Ok(_) => false,
        Err(error) => {
            tracing::error!(%error, "a right could not be looked up");
            false
        }
    }
}
