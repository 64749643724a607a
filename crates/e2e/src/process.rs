//! What the kernel knows about processes, from /proc.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::unistd::Pid;

/// A process in a pid namespace, as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid outside.
    pub pid: Pid,
    /// Its pid inside the innermost namespace.
    pub inner_pid: i32,
    /// The kernel's name for what it runs, at most 15 bytes.
    pub name: String,
    /// One letter as in ps: `R`, `S`, `T`, `Z`, …
    pub state: char,
}

/// The processes of the pid namespace that `member` is in.
///
/// # Errors
/// When `member` is gone.
pub fn in_namespace_of(member: Pid) -> Result<Vec<Process>> {
    let wanted = namespace(member).with_context(|| format!("process {member} is gone"))?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name
            .to_str()
            .and_then(|name| name.parse().ok())
            .map(Pid::from_raw)
        else {
            continue;
        };
        // A process may end between two looks; then it is no longer of interest.
        if namespace(pid).is_some_and(|namespace| namespace == wanted)
            && let Some(process) = read(pid)
        {
            found.push(process);
        }
    }
    Ok(found)
}

/// The children of a process.
#[must_use]
pub fn children(pid: Pid) -> Vec<Pid> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .map(Pid::from_raw)
        .collect()
}

fn namespace(pid: Pid) -> Option<String> {
    let link = fs::read_link(Path::new("/proc").join(pid.to_string()).join("ns/pid")).ok()?;
    Some(link.to_string_lossy().into_owned())
}

fn read(pid: Pid) -> Option<Process> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    Some(Process {
        pid,
        inner_pid: field("NSpid")?.split_whitespace().last()?.parse().ok()?,
        name: field("Name")?.to_owned(),
        state: field("State")?.chars().next()?,
    })
}
