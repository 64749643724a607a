//! The processes of a shell's POSIX session, found in `/proc`.
//!
//! Job control gives every pipeline a process group of its own, so neither the shell's process id
//! nor its group reaches all of them; the session id does. What called `setsid` has left it, and
//! what ignores SIGHUP (`nohup`) has asked to outlive its terminal: neither is listed.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::pty::ProcessHandle;

/// Bit of SIGHUP in the signal masks of `/proc/PID/status`.
const SIGHUP_BIT: u64 = 1;

/// A living process of a shell's session.
#[derive(Debug)]
pub(crate) struct Process {
    pid: i32,
    /// Absent on kernels without process descriptors.
    handle: Option<ProcessHandle>,
}

impl Process {
    /// Sends a signal. A process that has ended meanwhile, or that belongs to somebody the agent
    /// may not signal, is nobody's error.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = match &self.handle {
            Some(handle) => handle.signal(signal).map_err(drop),
            None => kill(Pid::from_raw(self.pid), signal).map_err(drop),
        };
    }

    /// Waits until the process has ended; for ever when this kernel cannot say.
    pub(crate) async fn ended(&self) {
        match &self.handle {
            Some(handle) => handle.ended().await,
            None => std::future::pending().await,
        }
    }
}

/// Lists the living processes of the session that `leader` opened. The leader itself is always
/// listed, whatever it ignores.
pub(crate) fn of_session(leader: i32) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| belongs(*pid, leader))
        .filter_map(|pid| {
            let handle = ProcessHandle::open(pid).ok();
            // Looked at again: the number may have gone to another process in between.
            belongs(pid, leader).then_some(Process { pid, handle })
        })
        .collect()
}

fn belongs(pid: i32, leader: i32) -> bool {
    let folder = Path::new("/proc").join(pid.to_string());
    let session = fs::read_to_string(folder.join("stat"))
        .ok()
        .and_then(|stat| session_of(&stat));
    session == Some(leader)
        && (pid == leader
            || !fs::read_to_string(folder.join("status"))
                .is_ok_and(|status| ignores_hangup(&status)))
}

/// Returns the session id out of `/proc/PID/stat`, `None` for a zombie. The command name in it is
/// in parentheses and may contain anything.
fn session_of(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // After the state: parent, process group, session.
    fields.nth(2)?.parse().ok()
}

fn ignores_hangup(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & SIGHUP_BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_behind_any_command_name() {
        assert_eq!(session_of("12 (bash) S 1 12 11 34816 12 4194304"), Some(11));
        assert_eq!(session_of("12 (a) R 9 (b) S) T 1 12 77 0 -1"), Some(77));
        assert_eq!(session_of("12 (gone) Z 1 12 11 0 -1"), None);
        assert_eq!(session_of("nonsense"), None);
        assert_eq!(session_of("1 (x) S 1"), None);
    }

    #[test]
    fn nohup_shows_in_the_ignored_signals() {
        assert!(ignores_hangup("Name:\tsleep\nSigIgn:\t0000000000000001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001006\n"));
        assert!(!ignores_hangup("Name:\tx\n"));
    }
}
