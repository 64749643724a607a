//! Which devices are connected to this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

use super::device;
use super::displaced::Displaced;
use super::driver::{self, COMMANDS_MAX, Command, Left, LinkEnd, Queues, Said};
use super::live::LiveSessions;
use super::pipe::{self, Mouth};
use super::pulse::Pulse;
use crate::app::App;
use crate::bus::{self, LiveSession, NewViewer, OpenError, SessionChange, Terminal, ToSession};
use crate::ids::{DeviceId, UserId};
use crate::session::{LinkKind, Owner, ViewerId, ViewerKind};
use crate::time::Timestamp;

/// Presence changes that a slow listener may be behind.
const PRESENCE_MAX: usize = 1024;

/// Messages from a device that wait for its driver.
const SAID_MAX: usize = 64;

/// A device came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The device.
    pub device_id: DeviceId,
    /// Whether it is connected now.
    pub connected: bool,
    /// Since when.
    pub at: Timestamp,
}

/// Why the server ends a device's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The device was rejected, dismissed or removed: its sessions end, too.
    Unauthorized,
    /// Its token does not count any more. It may come back with another.
    TokenRevoked,
}

/// The device links of this process.
pub struct Links {
    devices: Mutex<HashMap<DeviceId, Device>>,
    presence: broadcast::Sender<Presence>,
    rights: watch::Sender<()>,
    live: LiveSessions,
    /// Numbers links and viewers.
    count: AtomicU64,
}

/// What is known of a device that is connected, or was and left something behind.
struct Device {
    commands: mpsc::Sender<Command>,
    viewers: mpsc::Sender<(ViewerId, ToSession)>,
    removed: Arc<Notify>,
    revoked: Arc<Notify>,
    link: Option<Standing>,
    displaced: Displaced,
}

struct Standing {
    generation: u64,
    since: Timestamp,
    pulse: Arc<Pulse>,
}

/// A device's websocket's side of its link.
pub(super) struct NewLink {
    pub(super) generation: u64,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) said: mpsc::Sender<Said>,
    pub(super) mouth: Mouth,
    pub(super) pulse: Arc<Pulse>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            devices: Mutex::default(),
            presence: broadcast::channel(PRESENCE_MAX).0,
            rights: watch::channel(()).0,
            live: LiveSessions::default(),
            count: AtomicU64::new(1),
        }
    }
}

impl Links {
    /// Since when the device is connected, if it is.
    #[must_use]
    pub fn connected_since(&self, device: DeviceId) -> Option<Timestamp> {
        let devices = self.devices();
        let link = devices.get(&device)?.link.as_ref()?;
        Some(link.since)
    }

    /// Ends the device's link, if there is one.
    pub fn disconnect(&self, device: DeviceId, reason: DisconnectReason) {
        if let Some(device) = self.devices().get(&device) {
            match reason {
                DisconnectReason::Unauthorized => device.removed.notify_one(),
                DisconnectReason::TokenRevoked => device.revoked.notify_one(),
            }
        }
    }

    /// Hears of every device that comes or goes from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Presence> {
        self.presence.subscribe()
    }

    /// To be called when a login was ended, an account or its roles changed: terminals whose operators may
    /// not use them any more are closed. (They are looked at from time to time in any case.)
    pub fn rights_changed(&self) {
        self.rights.send_replace(());
    }

    /// Hears of [`Self::rights_changed`].
    pub(super) fn rights(&self) -> watch::Receiver<()> {
        self.rights.subscribe()
    }

    /// The sessions of this process, newest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<LiveSession>> {
        self.live.all()
    }

    /// Hears of every session that begins, changes or ends from now on.
    #[must_use]
    pub fn session_changes(&self) -> broadcast::Receiver<SessionChange> {
        self.live.subscribe()
    }

    /// These are a device's sessions now.
    pub(super) fn publish(&self, device: DeviceId, sessions: Vec<LiveSession>) {
        self.live.publish(device, sessions);
    }

    /// Brings an operator's end to the sessions of a device.
    ///
    /// # Errors
    /// When the device is not connected and the end cannot wait for it, or there are too many.
    pub(crate) async fn attach(
        &self,
        app: &App,
        device: DeviceId,
        new: NewViewer,
    ) -> Result<Terminal, OpenError> {
        let (commands, to_session) = {
            let mut devices = self.devices();
            let entry = match new.kind {
                ViewerKind::Longwire => devices.entry(device).or_insert_with(|| start(app, device)),
                ViewerKind::Plain => devices.get_mut(&device).ok_or(OpenError::Disconnected)?,
            };
            (entry.commands.clone(), entry.viewers.clone())
        };
        let viewer = ViewerId(self.next());
        let (pipe, Mouth { queue, cut }) = pipe::new(bus::CREDITS);
        let (answer, answered) = oneshot::channel();
        let attach = Command::Attach {
            viewer,
            new,
            pipe,
            answer,
        };
        let gone = |_| OpenError::Disconnected;
        commands
            .send(attach)
            .await
            .map_err(|_| OpenError::Disconnected)?;
        answered.await.map_err(gone)??;
        Ok(Terminal {
            viewer,
            to_session,
            from_session: queue,
            cut,
        })
    }

    /// Ends a session; the database knows already.
    pub(crate) async fn end_session(&self, device: DeviceId, sid: &str, by: Owner) {
        let sid = sid.to_owned();
        self.tell(device, Command::EndSession { sid, by }).await;
    }

    /// Ends the sessions of somebody who may not use the device any more.
    pub(super) async fn end_owned(&self, device: DeviceId, owner: UserId) {
        self.tell(device, Command::EndOwned { owner }).await;
    }

    /// A device without a driver has no sessions, and nothing to be told.
    async fn tell(&self, device: DeviceId, what: Command) {
        let commands = self
            .devices()
            .get(&device)
            .map(|entry| entry.commands.clone());
        if let Some(commands) = commands {
            let _ = commands.send(what).await;
        }
    }

    /// Takes over the sessions that a former run has left, before anybody is let in.
    pub(super) async fn adopt(&self, app: &App, device: DeviceId, left: Left) {
        let commands = {
            let mut devices = self.devices();
            let entry = devices.entry(device).or_insert_with(|| start(app, device));
            entry.commands.clone()
        };
        let (done, is_done) = oneshot::channel();
        // A driver ends only when the server does.
        let _ = commands.send(Command::Adopt { left, done }).await;
        let _ = is_done.await;
    }

    /// A device has connected: its link replaces the one before.
    pub(super) async fn connect(&self, app: &App, device: DeviceId, kind: LinkKind) -> NewLink {
        let (say, said) = mpsc::channel(SAID_MAX);
        let (pipe, mouth) = pipe::new(device::CREDITS);
        let pulse = Arc::new(Pulse::default());
        let (commands, generation) = self.stand(app, device, &pulse);
        let end = LinkEnd {
            generation,
            kind,
            said,
            pipe,
        };
        // Without a driver (the server ends) the link's side of `cut` is dropped, and the link with it.
        let _ = commands.send(Command::LinkUp(end)).await;
        NewLink {
            generation,
            commands,
            said: say,
            mouth,
            pulse,
        }
    }

    fn stand(
        &self,
        app: &App,
        device: DeviceId,
        pulse: &Arc<Pulse>,
    ) -> (mpsc::Sender<Command>, u64) {
        let generation = self.next();
        let since = Timestamp::now();
        let mut devices = self.devices();
        let entry = devices.entry(device).or_insert_with(|| start(app, device));
        if entry.link.is_some() {
            entry.displaced.happened(now());
        }
        entry.link = Some(Standing {
            generation,
            since,
            pulse: Arc::clone(pulse),
        });
        self.announce(device, true, since);
        (entry.commands.clone(), generation)
    }

    /// A device's websocket has ended. If it was replaced before, that changes nothing.
    pub(super) async fn disconnected(&self, device: DeviceId, generation: u64) {
        let commands = {
            let mut devices = self.devices();
            let Some(entry) = devices.get_mut(&device) else {
                return;
            };
            let present = entry.link.as_ref().map(|link| link.generation);
            if present == Some(generation) {
                entry.link = None;
                self.announce(device, false, Timestamp::now());
            }
            entry.commands.clone()
        };
        // A driver that has ended needs to know nothing.
        let _ = commands.send(Command::LinkDown { generation }).await;
    }

    /// Whether the device that wants to connect is another than the one that is connected, with the same
    /// identity. Only asked about devices whose links have displaced each other again and again; then the
    /// standing link is asked for a sign of life.
    pub(super) async fn is_duplicate(&self, device: DeviceId) -> bool {
        let pulse = {
            let mut devices = self.devices();
            let Some(entry) = devices.get_mut(&device) else {
                return false;
            };
            if !entry.displaced.is_suspicious(now()) {
                return false;
            }
            let Some(link) = &entry.link else {
                return false;
            };
            Arc::clone(&link.pulse)
        };
        pulse.is_alive().await
    }

    /// Whether the alarm about a duplicate is due.
    pub(super) fn alarm(&self, device: DeviceId) -> bool {
        self.devices()
            .get_mut(&device)
            .is_some_and(|entry| entry.displaced.alarm(now()))
    }

    /// Forgets a device about which there is nothing to remember. False if something has come meanwhile.
    pub(super) fn retire(&self, device: DeviceId, commands: &mpsc::Receiver<Command>) -> bool {
        let mut devices = self.devices();
        let idle = devices
            .get(&device)
            .is_some_and(|entry| entry.link.is_none() && commands.is_empty());
        if idle {
            devices.remove(&device);
        }
        idle
    }

    fn announce(&self, device_id: DeviceId, connected: bool, at: Timestamp) {
        // Nobody listening is fine.
        let _ = self.presence.send(Presence {
            device_id,
            connected,
            at,
        });
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<DeviceId, Device>> {
        // Nothing panics while it holds the lock.
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the driver of a device's sessions.
fn start(app: &App, device: DeviceId) -> Device {
    let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
    let (viewers, from_viewers) = mpsc::channel(COMMANDS_MAX);
    let (removed, revoked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let queues = Queues {
        commands: commanded,
        viewers: from_viewers,
        removed: Arc::clone(&removed),
        revoked: Arc::clone(&revoked),
    };
    app.tasks.spawn(driver::run(app.clone(), device, queues));
    Device {
        commands,
        viewers,
        removed,
        revoked,
        link: None,
        displaced: Displaced::default(),
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
