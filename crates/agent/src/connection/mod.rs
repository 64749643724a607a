//! The link to the server: there while the device is authorised, again soon when it is lost.
//!
//! Shells belong to the [`Router`] and outlive every link.

mod heartbeat;
mod link;
pub(crate) mod outbox;
mod redial;
mod upgrade;
mod writing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::link::{LinkEnd, Surroundings};
use self::outbox::{Answers, LinkSwitch, Queues};
use self::redial::{Redial, Wait, named_seconds};
use self::upgrade::{Spoken, UpgradeError};
use crate::config::Config;
use crate::identity::{Authorization, Credentials, Identity};
use crate::route;
use crate::router::Router;
use crate::status::{self, Status};

/// How long shells get to end when there is no link to tell of it.
const LAST_SHELLS: Duration = Duration::from_millis(2500);

/// Keeps the device connected while it is authorised, until `shutdown`. Returns when all shells
/// have ended.
pub async fn run(
    config: Arc<Config>,
    identity: Identity,
    tls: Arc<ClientConfig>,
    shutdown: CancellationToken,
) {
    let (outbox, answers, queues, switch) = outbox::queues();
    let mut router = Router::new(config, outbox, answers.clone());
    let report = status::report(Status {
        identity: identity.clone(),
        link: switch.follow(),
        shells: router.sessions().count(),
    });
    let mut connection = Connection {
        router,
        answers,
        queues,
        switch,
        identity,
        tls,
        shutdown,
        redial: Redial::new(),
    };
    tokio::select! {
        () = connection.run() => {}
        () = report => {}
    }
}

struct Connection {
    router: Router,
    answers: Answers,
    queues: Queues,
    switch: LinkSwitch,
    identity: Identity,
    tls: Arc<ClientConfig>,
    shutdown: CancellationToken,
    redial: Redial,
}

/// What a wait without a link ended with.
enum Woken {
    /// The time is over, or a route has appeared: dial.
    Dial,
    /// The authorisation has changed.
    Authorization,
    /// The agent is ending.
    Shutdown,
}

impl Connection {
    async fn run(&mut self) {
        let mut wait = None;
        loop {
            let authorization = self.identity.authorization.borrow_and_update().clone();
            let woken = match (authorization, wait.take()) {
                (Authorization::Granted(credentials), None) => {
                    let (next, woken) = self.connect(&credentials).await;
                    wait = next;
                    woken
                }
                (Authorization::Granted(credentials), Some(next)) => {
                    self.pause(&credentials, next).await
                }
                (Authorization::Unknown, _) => self.wait_for_authorization().await,
                (Authorization::Denied, _) => {
                    let sessions = self.router.sessions();
                    sessions.stop_plain("the device is not authorised");
                    self.wait_for_authorization().await
                }
            };
            match woken {
                Woken::Dial => {}
                Woken::Authorization => self.redial.reset(),
                Woken::Shutdown => break,
            }
        }
        self.stop_shells().await;
    }

    /// Dials and runs the link to its end. Returns how long to wait before the next try.
    async fn connect(&mut self, credentials: &Credentials) -> (Option<Wait>, Woken) {
        let dialled = tokio::select! {
            dialled = upgrade::connect(credentials, &self.tls) => dialled,
            woken = changed(&mut self.identity, &self.shutdown, credentials) => {
                return (None, woken);
            }
        };
        let (socket, spoken) = match dialled {
            Ok(dialled) => dialled,
            Err(error) => {
                return (Some(self.not_connected(credentials, &error)), Woken::Dial);
            }
        };
        match spoken {
            Spoken::Plain => log::info!("connected to {}", credentials.server),
            Spoken::Longwire => log::info!("connected to {}, longwire.v1", credentials.server),
        }
        let since = Instant::now();
        let around = Surroundings {
            router: &mut self.router,
            answers: &self.answers,
            queues: &mut self.queues,
            switch: &self.switch,
            identity: &mut self.identity,
            shutdown: &self.shutdown,
        };
        let end = link::run(socket, spoken, credentials, around).await;
        let lived = since.elapsed();
        match end {
            LinkEnd::Shutdown => (None, Woken::Shutdown),
            LinkEnd::NewCredentials | LinkEnd::Denied => (None, Woken::Authorization),
            LinkEnd::Closed(code @ (1012 | 1013), reason) => {
                log::info!("the server closed the link ({code}): {reason}");
                (Some(self.redial.asked(named_seconds(&reason))), Woken::Dial)
            }
            LinkEnd::Closed(code, reason) => {
                log::warn!("the server closed the link ({code}): {reason}");
                (Some(self.redial.lost(lived)), Woken::Dial)
            }
            LinkEnd::Lost(reason) => {
                log::warn!("the link is lost: {reason}");
                (Some(self.redial.lost(lived)), Woken::Dial)
            }
            LinkEnd::TooLarge(size) => {
                log::error!("the server sent a message of {size} bytes: link closed");
                (Some(self.redial.lost(lived)), Woken::Dial)
            }
            LinkEnd::Broken(error) => {
                log::error!("the server broke a rule of longwire.v1: {error}");
                (Some(self.redial.lost(lived)), Woken::Dial)
            }
            LinkEnd::Silent => {
                log::warn!("the link is lost: nothing was heard for 60 s");
                (Some(self.redial.lost(lived)), Woken::Dial)
            }
        }
    }

    fn not_connected(&mut self, credentials: &Credentials, error: &UpgradeError) -> Wait {
        if let UpgradeError::Answered {
            status: 401 | 403, ..
        } = error
        {
            self.identity.report_refused(&credentials.token);
        }
        let wait = match error {
            UpgradeError::Answered {
                retry_after: Some(spread),
                ..
            } => self.redial.asked(Some(*spread)),
            UpgradeError::Answered { .. }
            | UpgradeError::Dial(_)
            | UpgradeError::Request(_)
            | UpgradeError::Exchange(_)
            | UpgradeError::Answer(_)
            | UpgradeError::Timeout => self.redial.failed(),
        };
        log::warn!("{error}; next try in {:.1} s", wait.delay.as_secs_f32());
        wait
    }

    /// Waits before the next try, less long when the network comes back.
    async fn pause(&mut self, credentials: &Credentials, wait: Wait) -> Woken {
        tokio::select! {
            () = sleep(wait.delay) => Woken::Dial,
            () = route::appeared(), if !wait.asked_for => Woken::Dial,
            woken = changed(&mut self.identity, &self.shutdown, credentials) => woken,
        }
    }

    async fn wait_for_authorization(&mut self) -> Woken {
        tokio::select! {
            changed = self.identity.authorization.changed() => match changed {
                Ok(()) => Woken::Authorization,
                Err(_) => Woken::Shutdown,
            },
            () = self.shutdown.cancelled() => Woken::Shutdown,
        }
    }

    async fn stop_shells(&mut self) {
        let sessions = self.router.sessions();
        sessions.stop_all("the agent is ending");
        if timeout(LAST_SHELLS, sessions.none_left()).await.is_err() {
            log::warn!("some shells have not ended in time");
        }
    }
}

/// Waits until `credentials` are no longer the ones to use, or the agent ends.
async fn changed(
    identity: &mut Identity,
    shutdown: &CancellationToken,
    credentials: &Credentials,
) -> Woken {
    loop {
        tokio::select! {
            changed = identity.authorization.changed() => match changed {
                Ok(()) => {}
                Err(_) => return Woken::Shutdown,
            },
            () = shutdown.cancelled() => return Woken::Shutdown,
        }
        match &*identity.authorization.borrow_and_update() {
            Authorization::Granted(new) if new == credentials => {}
            Authorization::Granted(_) | Authorization::Denied | Authorization::Unknown => {
                return Woken::Authorization;
            }
        }
    }
}
