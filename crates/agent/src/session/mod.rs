//! The shells of this device, by session id.
//!
//! Each runs in a task of its own ([`shell`]); this is the register of them: it opens, finds and
//! stops them. Those opened over a plain link are answered for in the words real users know
//! ([`answers`]), those of the stream through the shared end ([`stream`]). It knows no websocket and
//! decides nothing about time.

mod answers;
mod ending;
mod environment;
mod expiry;
mod handle;
mod heartbeat;
mod plain;
mod processes;
mod shell;
mod stopping;
mod stream;
mod streamed;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use longwire_protocol::shell::{Stop, Winsize, text};
use nix::unistd::geteuid;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use self::ending::StopOrder;
use self::expiry::ExpiryLimits;
use self::handle::{Handle, InputWay};
use self::shell::Shell;
use self::wire::{Order, Wire};
use crate::config::Config;
use crate::connection::outbox::Outbox;
use crate::limits::{OverLimit, ShellLimits};
use crate::pty::{Account, Launch, Pty};
use crate::shared_end::SharedEnd;

/// Orders that may wait for one shell.
const ORDERS: usize = 1024;
/// Output of all shells of plain links that may wait for a link, in bytes.
const PLAIN_HELD: usize = 1024 * 1024;
/// Session ids remembered after their shells have ended, so that the `stop` that user ends send
/// then is answered as real agents do.
const REMEMBERED: usize = 32;
/// Shells that have ended and could not say so yet (the link is down or stalled).
const UNDELIVERED: usize = 16;

/// The register of shells.
#[derive(Debug)]
pub(crate) struct Sessions {
    config: Arc<Config>,
    lang: String,
    limits: ShellLimits,
    outbox: Outbox,
    end: SharedEnd,
    shells: HashMap<String, Handle>,
    ended: VecDeque<Ended>,
    /// Yields the session id of each shell whose last message is queued, and that message.
    tasks: JoinSet<(String, Option<Stop>)>,
}

impl Sessions {
    /// Makes an empty register. Messages of shells go to `outbox` over plain links, and to `end`.
    pub(crate) fn new(config: Arc<Config>, outbox: Outbox, end: SharedEnd) -> Self {
        let limits = ShellLimits::new(config.max_per_user, config.max_shells);
        Self {
            config,
            lang: environment::machine_lang(),
            limits,
            outbox,
            end,
            shells: HashMap::new(),
            ended: VecDeque::new(),
            tasks: JoinSet::new(),
        }
    }

    /// How many shells there are, now and from now on.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.limits.taken()
    }

    /// Resizes a shell's window; as with real agents there is never an answer.
    pub(crate) fn resize(&mut self, sid: &str, size: Winsize) {
        if let Some(handle) = self.running(sid) {
            handle.tell(Order::Resize(size));
        }
    }

    /// Stops every shell, for a reason that its operator reads.
    pub(crate) fn stop_all(&mut self, why: &str) {
        self.stop_each(why, |_| true);
    }

    /// Stops the shells that were opened over plain links. Those of the stream live on: without a
    /// link nobody can type into them, and a server that does not want them ends them on return.
    pub(crate) fn stop_plain(&mut self, why: &str) {
        self.stop_each(why, |handle| !handle.is_streamed());
    }

    fn stop_each(&mut self, why: &str, which: impl Fn(&Handle) -> bool) {
        for handle in self.shells.values_mut() {
            if which(handle) && !handle.is_over() {
                handle.stop(StopOrder::Because(format!("shell stopped: {why}")));
            }
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

    /// The same for the shells that were opened over plain links.
    pub(crate) async fn plain_told(&mut self) {
        while self.shells.values().any(|handle| !handle.is_streamed())
            && let Some(done) = self.tasks.join_next().await
        {
            self.forget(done);
        }
    }

    /// Starts a shell and returns the size of its terminal, or in words why there is none.
    fn start(
        &mut self,
        sid: &str,
        user: &str,
        size: Option<Winsize>,
        input: InputWay,
        wire: impl FnOnce(Winsize) -> Wire,
    ) -> Result<Winsize, String> {
        let slot = self.limits.take(user).map_err(|limit| match limit {
            OverLimit::PerUser => text::TOO_MANY_SESSIONS.to_owned(),
            OverLimit::Total => text::TOO_MANY_SHELLS.to_owned(),
        })?;
        let failed = |error: &str| {
            log::error!("cannot start a shell: {error}");
            text::start_failed(error)
        };
        let size = size.unwrap_or(self.default_size());
        let launched = self.launch(size);
        let (pty, child) = launched.map_err(|error| failed(&error.to_string()))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.ok_or_else(|| failed("it has ended at once"))?;
        let (orders, order_queue) = mpsc::channel(ORDERS);
        let (stop, stop_order) = oneshot::channel();
        let config = &self.config;
        let shell = Shell {
            pty,
            child,
            pid,
            slot,
            orders: order_queue,
            stop: stop_order,
            wire: wire(size),
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
            input,
            stop: Some(stop),
        };
        self.shells.insert(sid.to_owned(), handle);
        let sid = sid.to_owned();
        self.tasks.spawn(async move {
            let news = shell.run().await;
            (sid, news)
        });
        Ok(size)
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
                if self
                    .shells
                    .remove(&sid)
                    .is_some_and(|handle| handle.is_streamed())
                {
                    return;
                }
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
