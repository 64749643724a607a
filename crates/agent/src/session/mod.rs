//! The shells of this device, by session id.
//!
//! Each runs in a task of its own ([`shell`]); this is the register of them: it opens, finds and
//! stops them and answers in the words real users know. It knows no websocket and decides nothing
//! about time.

mod environment;
mod expiry;
mod heartbeat;
mod processes;
mod shell;
mod stopping;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use longwire_protocol::limits::OUR_READ_LIMIT;
use longwire_protocol::shell::{FromDevice, Stop, Winsize, text};
use nix::unistd::geteuid;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::expiry::ExpiryLimits;
use self::shell::{Input, Order, Shell, StopOrder};
use crate::config::Config;
use crate::connection::outbox::Outbox;
use crate::limits::{OverLimit, ShellLimits, Slot};
use crate::pty::{Account, Launch, Pty};

/// What a waiting message costs beside its bytes.
const INPUT_OVERHEAD: usize = 256;
/// Bytes of input that may wait for one shell to take them. The largest message fits.
const INPUT_BUFFER: usize = OUR_READ_LIMIT + INPUT_OVERHEAD;
/// Orders that may wait for one shell.
const ORDERS: usize = 1024;
/// How long a message may wait for a shell that is slow to take its input. The plain protocol has
/// no way to slow down one session, so while this lasts the whole link waits.
const INPUT_PATIENCE: Duration = Duration::from_millis(250);
/// Session ids remembered after their shells have ended, so that the `stop` that user ends send
/// then is answered as real agents do.
const REMEMBERED: usize = 32;
/// How long input may cross the news that its shell has ended.
const CROSSING: Duration = Duration::from_secs(10);
/// Shells that have ended and could not say so yet (the link is down or stalled).
const UNDELIVERED: usize = 16;

/// The register of shells.
#[derive(Debug)]
pub(crate) struct Sessions {
    config: Arc<Config>,
    lang: String,
    limits: ShellLimits,
    outbox: Outbox,
    shells: HashMap<String, Handle>,
    ended: VecDeque<Ended>,
    /// Yields the session id of each shell whose last message is queued, and that message.
    tasks: JoinSet<(String, Option<Stop>)>,
}

impl Sessions {
    /// Makes an empty register. Messages of shells go to `outbox`.
    pub(crate) fn new(config: Arc<Config>, outbox: Outbox) -> Self {
        let limits = ShellLimits::new(config.max_per_user, config.max_shells);
        Self {
            config,
            lang: environment::machine_lang(),
            limits,
            outbox,
            shells: HashMap::new(),
            ended: VecDeque::new(),
            tasks: JoinSet::new(),
        }
    }

    /// How many shells there are, now and from now on.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.limits.taken()
    }

    /// Starts a shell for a session. The shell says itself that it has started; what is returned
    /// is the refusal, if there is one.
    pub(crate) fn open(
        &mut self,
        sid: &str,
        user: &str,
        size: Option<Winsize>,
    ) -> Option<FromDevice> {
        self.tidy();
        if self.running(sid).is_some() {
            return Some(FromDevice::Refused(text::ALREADY_RUNNING.to_owned()));
        }
        if self.tasks.len() >= self.config.max_shells + UNDELIVERED {
            return Some(FromDevice::Refused(text::TOO_MANY_SHELLS.to_owned()));
        }
        let slot = match self.limits.take(user) {
            Ok(slot) => slot,
            Err(limit) => {
                let text = match limit {
                    OverLimit::PerUser => text::TOO_MANY_SESSIONS,
                    OverLimit::Total => text::TOO_MANY_SHELLS,
                };
                return Some(FromDevice::Refused(text.to_owned()));
            }
        };
        match self.start(sid, user, slot, size.unwrap_or(self.default_size())) {
            Ok(()) => None,
            Err(error) => {
                log::error!("cannot start a shell: {error}");
                Some(FromDevice::Refused(text::start_failed(&error)))
            }
        }
    }

    /// Notes that there is another link. The last words of shells may have been lost with the one
    /// before: they are said again to whoever still believes that such a shell runs.
    pub(crate) fn new_link(&mut self) {
        self.tidy();
        for ended in &mut self.ended {
            ended.perhaps_lost = true;
        }
    }

    /// Types bytes into a shell. Returns the complaint, if there is one.
    pub(crate) async fn input(&mut self, sid: &str, bytes: Bytes) -> Option<FromDevice> {
        let Some(handle) = self.running_mut(sid) else {
            // What was typed while the shell ended crosses the news of its end; a complaint could
            // overtake it.
            if self.has_news(sid) {
                return None;
            }
            let complaint = Some(FromDevice::InputFailed(text::SESSION_NOT_FOUND.to_owned()));
            let Some(ended) = self.ended.iter_mut().find(|ended| ended.sid == sid) else {
                return complaint;
            };
            if std::mem::take(&mut ended.perhaps_lost) {
                return Some(FromDevice::Stop(ended.news.clone()));
            }
            return complaint.filter(|_| ended.at.elapsed() >= CROSSING);
        };
        match handle.input(bytes).await {
            // It has ended meanwhile, and says so.
            Ok(()) | Err(Untaken::Gone) => None,
            Err(Untaken::Full) => Some(FromDevice::InputFailed(text::command_failed(
                sid,
                "its input buffer is full",
            ))),
        }
    }

    /// Resizes a shell's window; as with real agents there is never an answer.
    pub(crate) fn resize(&mut self, sid: &str, size: Winsize) {
        if let Some(handle) = self.running(sid) {
            handle.tell(Order::Resize(size));
        }
    }

    /// Notes the answer to a shell's ping; a late one does no harm.
    pub(crate) fn pong(&mut self, sid: &str) {
        if let Some(handle) = self.running(sid) {
            handle.tell(Order::Pong);
        }
    }

    /// Stops one shell, or without session id all shells of a user. Each shell answers when it has
    /// ended; what is returned is the answer when there is none to wait for.
    pub(crate) fn stop(&mut self, sid: &str, user: &str) -> Option<FromDevice> {
        if sid.is_empty() {
            return self.stop_user(user);
        }
        let stopped = Some(FromDevice::Stop(Stop::default()));
        if let Some(handle) = self.running_mut(sid) {
            // A second request while the first is being worked on is answered at once.
            return if handle.stop(StopOrder::Requested) {
                None
            } else {
                stopped
            };
        }
        if self.has_news(sid) {
            return None;
        }
        if self.ended.iter().any(|ended| ended.sid == sid) {
            return stopped;
        }
        Some(stop_failed(text::stop_session_not_found(sid)))
    }

    /// Stops every shell, for a reason that its operator reads.
    pub(crate) fn stop_all(&mut self, why: &str) {
        for handle in self.shells.values_mut().filter(|handle| !handle.is_over()) {
            handle.stop(StopOrder::Because(why.to_owned()));
        }
    }

    /// Waits until no shell's process is left.
    pub(crate) async fn none_left(&self) {
        self.limits.none_taken().await;
    }

    /// Waits until every shell has ended and its last message is queued. Cancel safe.
    pub(crate) async fn all_told(&mut self) {
        while let Some(done) = self.tasks.join_next().await {
            self.forget(done);
        }
    }

    fn stop_user(&mut self, user: &str) -> Option<FromDevice> {
        if user.is_empty() {
            return Some(stop_failed(text::STOP_WITHOUT_SESSION.to_owned()));
        }
        let mut found = false;
        for handle in self.shells.values_mut() {
            if handle.user == user && !handle.is_over() {
                found |= handle.stop(StopOrder::Requested);
            }
        }
        if found {
            None
        } else {
            Some(stop_failed(text::SESSION_NOT_FOUND.to_owned()))
        }
    }

    fn start(&mut self, sid: &str, user: &str, slot: Slot, size: Winsize) -> Result<(), String> {
        let (pty, child) = self.launch(size).map_err(|error| error.to_string())?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.ok_or_else(|| "it has ended at once".to_owned())?;
        let (orders, order_queue) = mpsc::channel(ORDERS);
        let (stop, stop_order) = oneshot::channel();
        let config = &self.config;
        let shell = Shell {
            sid: sid.to_owned(),
            pty,
            child,
            pid,
            slot,
            orders: order_queue,
            stop: stop_order,
            outbox: self.outbox.for_shell(),
            expiry: ExpiryLimits {
                after: config.expire_after,
                after_idle: config.expire_after_idle,
                after_idle_job: config.expire_after_idle_job,
            },
        };
        log::info!("started a shell as {}, process {pid}", config.user.name);
        self.ended.retain(|ended| ended.sid != sid);
        let handle = Handle {
            user: user.to_owned(),
            orders,
            input_space: Arc::new(Semaphore::new(INPUT_BUFFER)),
            stalled: false,
            stop: Some(stop),
        };
        self.shells.insert(sid.to_owned(), handle);
        let sid = sid.to_owned();
        self.tasks.spawn(async move {
            let news = shell.run().await;
            (sid, news)
        });
        Ok(())
    }

    fn launch(
        &self,
        size: Winsize,
    ) -> Result<(Pty, tokio::process::Child), crate::pty::SpawnError> {
        let config = &self.config;
        let user = &config.user;
        let name = config.shell_command.file_name().map_or_else(
            || "sh".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        let arg0 = if config.login_shell {
            format!("-{name}")
        } else {
            config.shell_command.display().to_string()
        };
        let account = Account {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.clone(),
        };
        let home: &Path = &user.home;
        Pty::spawn(&Launch {
            program: &config.shell_command,
            arg0: &arg0,
            args: &config.shell_arguments,
            environment: &environment::login(
                &user.name,
                user.uid,
                home,
                &config.shell_command,
                &self.lang,
            ),
            directory: home,
            // Only root can become somebody else; otherwise the configuration has made sure that
            // the user is the agent's own.
            account: geteuid().is_root().then_some(&account),
            size,
        })
    }

    fn default_size(&self) -> Winsize {
        Winsize {
            rows: self.config.height,
            cols: self.config.width,
        }
    }

    fn running(&self, sid: &str) -> Option<&Handle> {
        self.shells.get(sid).filter(|handle| !handle.is_over())
    }

    fn running_mut(&mut self, sid: &str) -> Option<&mut Handle> {
        self.shells.get_mut(sid).filter(|handle| !handle.is_over())
    }

    /// Whether the shell has ended and its last message is still to come.
    fn has_news(&mut self, sid: &str) -> bool {
        self.tidy();
        self.shells.get(sid).is_some_and(Handle::is_over)
    }

    /// Forgets the shells whose last message is queued.
    fn tidy(&mut self) {
        while let Some(done) = self.tasks.try_join_next() {
            self.forget(done);
        }
    }

    fn forget(&mut self, done: Result<(String, Option<Stop>), tokio::task::JoinError>) {
        match done {
            // A new shell may have taken the session's place already.
            Ok((sid, news)) if self.shells.get(&sid).is_some_and(Handle::is_over) => {
                self.shells.remove(&sid);
                self.ended.push_back(Ended {
                    sid,
                    at: Instant::now(),
                    news: news.unwrap_or_default(),
                    perhaps_lost: false,
                });
                if self.ended.len() > REMEMBERED {
                    self.ended.pop_front();
                }
            }
            Ok(_) => {}
            Err(error) => log::error!("a shell's task has failed: {error}"),
        }
    }
}

/// A session whose shell has ended and said so.
#[derive(Debug)]
struct Ended {
    sid: String,
    at: Instant,
    /// What it said.
    news: Stop,
    /// There is another link since; nobody knows whether the news went out over the one before.
    perhaps_lost: bool,
}

/// A running shell as seen from outside.
#[derive(Debug)]
struct Handle {
    user: String,
    orders: mpsc::Sender<Order>,
    input_space: Arc<Semaphore>,
    /// Its input buffer was full for longer than the link may wait, and is not half empty yet.
    stalled: bool,
    /// Taken by the first who asks the shell to stop.
    stop: Option<oneshot::Sender<StopOrder>>,
}

/// Why input was not taken.
enum Untaken {
    /// The shell has ended.
    Gone,
    /// Too much waits already.
    Full,
}

impl Handle {
    /// Whether the shell has ended (its last messages may still have to be sent).
    fn is_over(&self) -> bool {
        self.orders.is_closed()
    }

    /// Asks the shell to stop; false if it has been asked before.
    fn stop(&mut self, order: StopOrder) -> bool {
        // Not taken means that it has just ended by itself; it says so.
        self.stop.take().map(|stop| stop.send(order)).is_some()
    }

    /// Gives an order that may be lost only behind a thousand others.
    fn tell(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            log::debug!("a shell that takes no orders was given one");
        }
    }

    async fn input(&mut self, bytes: Bytes) -> Result<(), Untaken> {
        let share = (bytes.len() + INPUT_OVERHEAD).min(INPUT_BUFFER);
        let share = u32::try_from(share).unwrap_or(u32::MAX);
        if self.stalled && self.input_space.available_permits() < INPUT_BUFFER / 2 {
            return Err(Untaken::Full);
        }
        self.stalled = false;
        let queued = timeout(INPUT_PATIENCE, async {
            let space = Arc::clone(&self.input_space);
            let share = space
                .acquire_many_owned(share)
                .await
                .map_err(|_| Untaken::Gone)?;
            let input = Order::Input(Input {
                bytes,
                _share: share,
            });
            self.orders.send(input).await.map_err(|_| Untaken::Gone)
        });
        match queued.await {
            Ok(result) => result,
            Err(_) => {
                self.stalled = true;
                Err(Untaken::Full)
            }
        }
    }
}

fn stop_failed(text: String) -> FromDevice {
    FromDevice::Stop(Stop {
        error: true,
        text,
        ..Stop::default()
    })
}
