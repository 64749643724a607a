//! One pseudo-terminal: open it, start a program on it as a given account, read, write, resize.
//!
//! With `heap` the only module of the workspace with `unsafe`: what the kernel asks of a process between
//! fork and exec has no safe form, nor have `TIOCSWINSZ` and process descriptors. It knows no session,
//! no message and no configuration.
#![allow(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::Stdio;

use nix::fcntl::{OFlag, open};
use nix::pty::{posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, tcflush, tcgetattr,
    tcsetattr,
};
use nix::unistd::{Pid, Uid, fchown};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use longwire_protocol::shell::Winsize;

/// The first descriptor that is not standard input, output or error.
const FIRST_INHERITABLE: libc::c_uint = 3;
/// Where the search for open descriptors ends on kernels without `close_range`.
const MOST_DESCRIPTORS: libc::rlim_t = 65_536;
/// What one `read` may give; a Linux pty never gives more than 4095 bytes at once.
const READ_STEP: usize = 4096;

/// The account a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// User id.
    pub(crate) uid: u32,
    /// Primary group id.
    pub(crate) gid: u32,
    /// Supplementary group ids.
    pub(crate) groups: Vec<u32>,
}

/// What to start on a new pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// Absolute path of the program.
    pub(crate) program: &'a Path,
    /// `argv[0]`; a leading `-` makes every shell a login shell.
    pub arg0: &'a str,
    /// The other arguments.
    pub(crate) args: &'a [String],
    /// The whole environment; nothing of the agent's own is passed on.
    pub(crate) environment: &'a [(String, String)],
    /// Working directory; `/` is used when it cannot be entered.
    pub(crate) directory: &'a Path,
    /// Who the program runs as; `None` leaves the agent's own identity in place.
    pub(crate) account: Option<&'a Account>,
    /// Window size before the program's first instruction.
    pub(crate) size: Winsize,
}

/// Why no program could be started; its text is what the operator reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// The kernel gave no pseudo-terminal.
    #[error("no pseudo-terminal: {0}")]
    Terminal(#[source] io::Error),
    /// A path or the environment contains a NUL byte.
    #[error("{0}: contains a NUL byte")]
    Nul(String),
    /// fork, a step after it, or exec failed.
    #[error("{program}: {source}")]
    Exec {
        /// The program that should have been started.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// What one [`Pty::read`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// As many bytes as were asked for, or a little less; there may be more.
    Full,
    /// Everything the terminal held at this moment.
    Drained,
    /// The other side is gone for good.
    Closed,
}

/// The master side of a pseudo-terminal, registered with the runtime.
///
/// A descriptor of the slave side is held too: so a shell that closes its own for a moment does
/// not look like one that has ended. Dropping this hangs the terminal up.
#[derive(Debug)]
pub(crate) struct Pty {
    master: AsyncFd<OwnedFd>,
    slave: OwnedFd,
}

/// A character that the terminal turns into a signal at present, and that signal.
pub(crate) type SignalKey = (u8, Signal);

impl Pty {
    /// Opens a pseudo-terminal and starts a program on it, in a POSIX session of its own with the
    /// terminal as its controlling one, default signal dispositions and no inherited descriptor.
    ///
    /// Must be called within a tokio runtime. The child has to be waited for.
    pub(crate) fn spawn(launch: &Launch<'_>) -> Result<(Self, Child), SpawnError> {
        let terminal = |errno: nix::Error| SpawnError::Terminal(errno.into());
        let master =
            posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
                .map_err(terminal)?;
        unlockpt(&master).map_err(terminal)?;
        let name = ptsname_r(&master).map_err(terminal)?;
        let slave = open(
            name.as_str(),
            OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(terminal)?;
        prepare_terminal(&slave).map_err(terminal)?;
        if let Some(account) = launch.account {
            // As login and sshd do: programs open their terminal again by its name. Those that do
            // not can do without, where a container does not allow it.
            let _ = fchown(&slave, Some(Uid::from_raw(account.uid)), None);
        }
        // SAFETY: `PtyMaster` gives up its descriptor, which is open and owned by nobody else.
        let master = unsafe { OwnedFd::from_raw_fd(std::os::fd::IntoRawFd::into_raw_fd(master)) };
        set_window_size(master.as_raw_fd(), launch.size).map_err(SpawnError::Terminal)?;
        let child = start(launch, &slave)?;
        let master =
            watch(master, Interest::READABLE | Interest::WRITABLE).map_err(SpawnError::Terminal)?;
        Ok((Self { master, slave }, child))
    }

    /// Waits until there may be something to read; cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.master.readable().await.map(drop)
    }

    /// Takes what the terminal holds, as far as it fits into `space`; never waits. Returns how many
    /// bytes, and what there is behind them.
    pub(crate) fn read(&self, space: &mut [u8]) -> (usize, Read) {
        read_until(space, |space| {
            self.master.try_io(Interest::READABLE, |master| {
                Ok(nix::unistd::read(master, space)?)
            })
        })
    }

    /// The same, for when a program has ended: asks the kernel itself, since the runtime may not
    /// have heard yet of what the program wrote just before.
    pub(crate) fn read_last(&self, space: &mut [u8]) -> (usize, Read) {
        read_until(space, |space| {
            Ok(nix::unistd::read(self.master.get_ref(), space)?)
        })
    }

    /// Writes a prefix of `bytes` as soon as the terminal takes some; cancel safe.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.master
            .async_io(Interest::WRITABLE, |master| {
                Ok(nix::unistd::write(master, bytes)?)
            })
            .await
    }

    /// Writes a prefix of `bytes`, or says by `None` that the terminal takes nothing now; never waits.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        // The kernel itself is asked: the runtime may not have heard yet that there is room.
        match nix::unistd::write(self.master.get_ref(), bytes) {
            Ok(count) => return Ok(Some(count)),
            Err(nix::Error::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        // Once more for the runtime, which from now on has to wait for room.
        let again = self.master.try_io(Interest::WRITABLE, |master| {
            Ok(nix::unistd::write(master, bytes)?)
        });
        match again {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until the terminal may take something; cancel safe.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.master.writable().await.map(drop)
    }

    /// The characters that the terminal turns into signals, as its program has set it.
    pub(crate) fn signal_keys(&self) -> Vec<SignalKey> {
        let Ok(settings) = tcgetattr(&self.slave) else {
            return Vec::new();
        };
        if !settings.local_flags.contains(LocalFlags::ISIG) {
            return Vec::new();
        }
        [
            (SpecialCharacterIndices::VINTR, Signal::SIGINT),
            (SpecialCharacterIndices::VQUIT, Signal::SIGQUIT),
            (SpecialCharacterIndices::VSUSP, Signal::SIGTSTP),
        ]
        .into_iter()
        .filter_map(|(index, signal)| Some((*settings.control_chars.get(index as usize)?, signal)))
        // 0 is how a terminal says that it has no such key.
        .filter(|(key, _)| *key != 0)
        .collect()
    }

    /// Does what the terminal does for a signal key, although it takes no more input: what waits in
    /// it is thrown away, unless its program wants to keep it, and the foreground job is signalled.
    pub(crate) fn interrupt(&self, signal: Signal) -> io::Result<()> {
        let keeps = tcgetattr(&self.slave)?
            .local_flags
            .contains(LocalFlags::NOFLSH);
        if !keeps {
            tcflush(&self.slave, FlushArg::TCIFLUSH)?;
        }
        // SAFETY: the descriptor is open; TIOCSIG takes the signal's number as its argument.
        check(unsafe {
            libc::ioctl(
                self.master.as_raw_fd(),
                libc::TIOCSIG,
                signal as libc::c_int,
            )
        })
    }

    /// Sets the window size; the kernel tells the foreground process group (SIGWINCH).
    pub(crate) fn resize(&self, size: Winsize) -> io::Result<()> {
        set_window_size(self.master.as_raw_fd(), size)
    }

    /// Returns the foreground process group, if the terminal has one.
    pub(crate) fn foreground_group(&self) -> Option<i32> {
        nix::unistd::tcgetpgrp(self.master.as_fd())
            .ok()
            .map(Pid::as_raw)
    }
}

/// Reads once and again until `space` is about full or there is nothing more.
fn read_until(
    space: &mut [u8],
    mut read_once: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> (usize, Read) {
    let mut filled = 0;
    // A last read for a handful of bytes would cost as much as a whole one.
    while filled == 0 || filled + READ_STEP <= space.len() {
        let rest = space.get_mut(filled..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        match read_once(rest) {
            Ok(0) => return (filled, Read::Closed),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return (filled, Read::Drained);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                // How a terminal says that its other side is gone.
                if error.raw_os_error() != Some(libc::EIO) {
                    log::debug!("reading a terminal: {error}");
                }
                return (filled, Read::Closed);
            }
        }
    }
    (filled, Read::Full)
}

/// A descriptor that becomes readable when the process ends, and that no later process with the
/// same number can be mistaken for.
#[derive(Debug)]
pub(crate) struct ProcessHandle(AsyncFd<OwnedFd>);

impl ProcessHandle {
    /// Opens the process; fails with `ENOSYS` before Linux 5.3, with `ESRCH` when there is none.
    pub(crate) fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: takes two integers and returns a new descriptor or -1.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, libc::O_NONBLOCK) };
        let fd = RawFd::try_from(fd).unwrap_or(-1);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above has just returned this descriptor; it is close-on-exec.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self(watch(fd, Interest::READABLE)?))
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) -> io::Result<()> {
        let none: *const libc::siginfo_t = std::ptr::null();
        // SAFETY: an open descriptor, integers, and a null siginfo, which means "as kill does".
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal as libc::c_int,
                none,
                0 as libc::c_uint,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Waits until the process has ended (it may still be a zombie of somebody else's).
    pub(crate) async fn ended(&self) {
        // An error here means the runtime is going away, and with it every caller.
        let _ = self.0.readable().await;
    }
}

/// Registers a descriptor with the runtime.
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` that nobody can reach mutably is the same open descriptor until it is
    // dropped; `AsyncFd` gives no mutable access to code of ours that would replace it.
    let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
    Ok(registered?)
}

/// Makes the kernel's erase key delete whole UTF-8 characters.
fn prepare_terminal(slave: &OwnedFd) -> nix::Result<()> {
    let mut settings = tcgetattr(slave)?;
    settings.input_flags |= InputFlags::IUTF8;
    tcsetattr(slave, SetArg::TCSANOW, &settings)
}

fn set_window_size(master: RawFd, size: Winsize) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptor is open and TIOCSWINSZ reads exactly one `winsize`.
    let result = unsafe { libc::ioctl(master, libc::TIOCSWINSZ, &raw const size) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn start(launch: &Launch<'_>, slave: &OwnedFd) -> Result<Child, SpawnError> {
    let program = launch.program.display().to_string();
    let failed = |source| SpawnError::Exec {
        program: program.clone(),
        source,
    };
    let directory = CString::new(launch.directory.as_os_str().as_encoded_bytes())
        .map_err(|_| SpawnError::Nul(launch.directory.display().to_string()))?;
    let account = launch.account.cloned();

    let mut command = Command::new(launch.program);
    command
        .arg0(OsStr::new(launch.arg0))
        .args(launch.args)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(stdio(slave).map_err(failed)?)
        .stdout(stdio(slave).map_err(failed)?)
        .stderr(stdio(slave).map_err(failed)?);
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are
    // allowed: it makes system calls and touches memory that was allocated before the fork.
    unsafe {
        command.pre_exec(move || become_session(account.as_ref(), &directory));
    }
    command.spawn().map_err(failed)
}

fn stdio(slave: &OwnedFd) -> io::Result<Stdio> {
    slave.try_clone().map(Stdio::from)
}

/// Turns the forked child into the leader of its own session, as the given account.
///
/// Runs between fork and exec: no allocation, no lock. Standard input is the terminal already.
fn become_session(account: Option<&Account>, directory: &CString) -> io::Result<()> {
    // SAFETY: setsid, ioctl with an integer argument, umask and chdir with a NUL-terminated string
    // are plain system calls.
    unsafe {
        check(libc::setsid())?;
        check(libc::ioctl(0, libc::TIOCSCTTY, 0))?;
        libc::umask(0o022);
    }
    reset_signals();
    if let Some(account) = account {
        // SAFETY: `groups` points to as many ids as are announced. Groups go first, the user id
        // last: after it the right to change the others is gone.
        unsafe {
            let grouped = libc::setgroups(account.groups.len(), account.groups.as_ptr());
            // A rootless container may forbid it; to a root that stays root it makes no difference.
            if account.uid != libc::geteuid() {
                check(grouped)?;
            }
            check(libc::setgid(account.gid))?;
            check(libc::setuid(account.uid))?;
        }
    }
    // After the change of user: its home may be closed to root (NFS).
    // SAFETY: both are NUL-terminated strings.
    unsafe {
        if libc::chdir(directory.as_ptr()) != 0 {
            check(libc::chdir(c"/".as_ptr()))?;
        }
    }
    close_descriptors_on_exec();
    Ok(())
}

/// Sets every signal to its default and unblocks all: whoever started the agent may have ignored
/// some (`nohup`), and a shell cannot undo that.
fn reset_signals() {
    // SAFETY: `set` is initialised by sigemptyset before it is read; the calls change this
    // process only. `signal` fails for the few numbers that cannot be changed, which is right.
    // `default` is at least as long as the kernel's `sigaction`, of which zero means SIG_DFL.
    unsafe {
        for number in 1..=libc::SIGRTMAX() {
            libc::signal(number, libc::SIG_DFL);
        }
        // The C library keeps two signals to itself and does not let them be set; whoever started
        // the agent may have ignored them all the same.
        let default = [0usize; 8];
        for number in 32..libc::SIGRTMIN() {
            let none: *mut libc::c_void = std::ptr::null_mut();
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                default.as_ptr(),
                none,
                size_of::<u64>(),
            );
        }
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}

/// Marks every descriptor but the standard ones close-on-exec.
///
/// Marked and not closed: the pipe that reports a failed exec must live until then.
fn close_descriptors_on_exec() {
    // SAFETY: integers only. `setrlimit` structures are initialised by the call that fills them.
    unsafe {
        let marked = libc::syscall(
            libc::SYS_close_range,
            FIRST_INHERITABLE,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
        if marked == 0 {
            return;
        }
        // Before Linux 5.11.
        let mut limit = libc::rlimit {
            rlim_cur: MOST_DESCRIPTORS,
            rlim_max: MOST_DESCRIPTORS,
        };
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let end = libc::c_int::try_from(limit.rlim_cur.min(MOST_DESCRIPTORS)).unwrap_or(1024);
        for fd in 3..end {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
