//! Processor time of running programs, from /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use longwire_e2e::process::children;
use nix::unistd::{Pid, SysconfVar, sysconf};

/// What a program, or a tree of programs, has used.
#[derive(Debug, Clone)]
pub(crate) enum Whose {
    /// Nobody's.
    Nobody,
    /// One program's.
    Program(Pid),
    /// A program's and that of all its descendants of the same name.
    Family(Pid),
}

impl Whose {
    /// Processor time so far, in user and kernel mode.
    pub(crate) fn used(&self) -> Result<Duration> {
        match self {
            Self::Nobody => Ok(Duration::ZERO),
            Self::Program(pid) => of(*pid),
            Self::Family(pid) => family(*pid),
        }
    }
}

fn family(pid: Pid) -> Result<Duration> {
    let name = name(pid)?;
    let mut used = of(pid)?;
    for child in children(pid) {
        // One that has just ended is not asked any more.
        if self::name(child).is_ok_and(|child| child == name) {
            used += family(child)?;
        }
    }
    Ok(used)
}

fn name(pid: Pid) -> Result<String> {
    Ok(fs::read_to_string(format!("/proc/{pid}/comm"))?)
}

fn of(pid: Pid) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may contain anything. After it come state and then numbers; user and
    // kernel time are the 14th and 15th field of all.
    let (_, fields) = stat.rsplit_once(')').context("a name in stat")?;
    let mut times = fields.split_whitespace().skip(11).take(2);
    let mut time = || -> Result<u64> { Ok(times.next().context("times in stat")?.parse()?) };
    let ticks = time()? + time()?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("a clock")?;
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}
