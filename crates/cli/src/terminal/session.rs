//! A session that outlives its connections, in the local terminal or in a script.

use std::time::Duration;

use longwire_client::session::{Event, Events, Role, Session, Start, Who, Wish};
use tokio::time::{sleep, timeout};

use super::keyboard::Keyboard;
use super::running::{Ended, Running};
use super::screen::Screen;
use super::{START_TIMEOUT, finish, notices};
use crate::failure::{Code, Failure};
use crate::recording::Recorder;
use crate::say::{is_terminal, say, say_failure};
use crate::signals::Signals;
use crate::tty;
use crate::words::plain;

/// How long the server is given to take the last words.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// What to call a session, and how to look at it.
pub(crate) struct Title {
    /// The device, in the user's own words.
    pub(crate) device: String,
    /// Whether nothing is to be typed.
    pub(crate) watches: bool,
}

/// How a terminal ended.
pub(crate) enum Finished {
    /// With this exit code.
    Code(u8),
    /// Before it began: the device takes no more sessions.
    Refused {
        /// The device's words.
        why: String,
        /// Sessions of ours that hold the place.
        detached: Vec<String>,
        /// The recording, still empty.
        recorder: Option<Recorder>,
    },
}

/// Runs a session until it ends or is left.
pub(crate) async fn run_session(
    session: Session,
    mut events: Events,
    wish: &Wish,
    title: &Title,
    recorder: Option<Recorder>,
) -> Result<Finished, Failure> {
    let mut signals = Signals::new()?;
    let begun = tokio::select! {
        begun = begin(&mut events, &wish.start) => begun,
        () = sleep(START_TIMEOUT) => {
            Err(Failure::plain("Unable to start the shell: the device does not answer"))
        }
        signal = signals.end() => Err(Failure::plain(format!("ended by {signal}"))),
    };
    let early = match begun {
        Ok(Begun::Early(early)) => early,
        Ok(Begun::Refused { why, detached }) => {
            return Ok(Finished::Refused {
                why,
                detached,
                recorder,
            });
        }
        Err(failure) => {
            if wish.start == Start::New {
                // Nobody has seen it, so nobody would miss it.
                let _ = session.stop().await;
            }
            leave(session, events).await;
            return Err(failure);
        }
    };

    let is_person = wish.who == Who::Person;
    if is_person && is_terminal() {
        say(if title.watches {
            "You look on: q or Ctrl-] leaves, t takes control"
        } else {
            "Ctrl-] leaves and the shell runs on; exit or Ctrl-D ends it"
        });
    }
    let raw = if is_person {
        Some(tty::Changed::raw()?)
    } else {
        None
    };
    let screen = Screen::start(recorder)?;
    let mut keyboard = Keyboard::start(is_person)?;
    let mut running = Running::new(
        &session,
        &screen,
        is_person,
        title.watches,
        matches!(
            wish.start,
            Start::Attach {
                as_: Role::Controller,
                ..
            }
        ),
    );
    if let Some(now) = tty::size()
        && wish.size != Some(now)
    {
        // It changed while nobody listened. Where the session is gone, its end is next.
        let _ = session.resize(now);
    }
    let outcome = running
        .until_end(
            early,
            &mut events,
            &mut signals,
            &mut keyboard,
            raw.as_ref(),
        )
        .await;
    let end = match outcome {
        Ended::Shell(outcome) => {
            // What was shown is acknowledged, and the server need not keep it.
            finish(screen, &mut signals, &mut keyboard.leave).await;
            leave(session, events).await;
            outcome
        }
        Ended::Otherwise(outcome) => {
            if !is_person && wish.start == Start::New {
                // Nobody comes back to what a script has left.
                let _ = session.stop().await;
            }
            let sid = session.id().to_owned();
            leave(session, events).await;
            finish(screen, &mut signals, &mut keyboard.leave).await;
            drop(raw);
            if is_person && !title.watches {
                say(&how_to_return(&title.device, &sid));
            }
            if let Some(words) = outcome.words {
                say_failure(&Failure::plain(words));
            }
            return Ok(Finished::Code(outcome.code));
        }
    };
    drop(raw);
    if let Some(words) = end.words {
        say_failure(&Failure::plain(words));
    }
    Ok(Finished::Code(end.code))
}

fn how_to_return(device: &str, sid: &str) -> String {
    format!(
        "The session runs on. Back to it: longwire terminal {} --resume {sid}\n\
         End it: longwire sessions kill {sid}",
        plain(device)
    )
}

/// How a session began.
enum Begun {
    /// With what came before the news.
    Early(Vec<Event>),
    Refused {
        why: String,
        detached: Vec<String>,
    },
}

/// Waits until there is something to look at.
async fn begin(events: &mut Events, start: &Start) -> Result<Begun, Failure> {
    let mut early = Vec::new();
    let failed = |why: String| Err(Failure::plain(format!("Unable to start the shell: {why}")));
    while let Some(event) = events.next().await {
        match event {
            Event::Started => return Ok(Begun::Early(early)),
            Event::Control { .. } if *start != Start::New => {
                early.push(event);
                return Ok(Begun::Early(early));
            }
            Event::Refused { why, detached } => return Ok(Begun::Refused { why, detached }),
            Event::Unknown => {
                return Err(Failure::new(
                    Code::NotFound,
                    "there is no such session any more",
                ));
            }
            Event::Closed(closed) => return failed(notices::closed(&closed)),
            Event::Ended(_) => {
                early.push(event);
                return Ok(Begun::Early(early));
            }
            Event::Reconnecting { why, .. } => say(&plain(&why)),
            Event::Connected => {}
            Event::Control { .. }
            | Event::Output { .. }
            | Event::Screen { .. }
            | Event::Resized(_)
            | Event::Device(_)
            | Event::Presence(_)
            | Event::Notice(_)
            | Event::Refusal(_)
            | Event::InputHeld(_)
            | Event::Interrupted(_) => early.push(event),
        }
    }
    failed("connection to the server lost".to_owned())
}

/// Waits until the server has heard what was said last.
async fn leave(session: Session, mut events: Events) {
    drop(session);
    let last = async { while events.next().await.is_some() {} };
    // A connection that does not even take this has had its chance.
    let _ = timeout(GOODBYE_TIMEOUT, last).await;
}
