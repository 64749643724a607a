//! What running programs cost a device: size on disk, memory, threads, wake-ups.
//!
//! Everything is read from /proc, so any program can be measured beside ours. A wake-up is a
//! voluntary context switch: the program had gone to sleep and something got it going again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The most an idle, connected agent may take on a device.
pub const AGENT_BUDGET: Budget = Budget {
    binary_kib: 3 * 1024,
    rss_kib: 6 * 1024,
    private_kib: 2 * 1024,
    wakeups_per_minute: 6.0,
    threads: 1,
};

/// Upper limits.
#[derive(Debug)]
pub struct Budget {
    /// Size of the program's file.
    pub binary_kib: u64,
    /// Memory in use, shared pages of files included (`VmRSS`).
    pub rss_kib: u64,
    /// Memory that is its own (`RssAnon`).
    pub private_kib: u64,
    /// Voluntary context switches of all threads.
    pub wakeups_per_minute: f64,
    /// Threads.
    pub threads: usize,
}

/// What one program took.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// Size of the program's file.
    pub binary_kib: u64,
    /// `VmRSS`.
    pub rss_kib: u64,
    /// `RssAnon`.
    pub private_kib: u64,
    /// Voluntary context switches of all threads.
    pub wakeups_per_minute: f64,
    /// Threads.
    pub threads: usize,
}

/// Watches running programs for `time` and returns what each took, in the same order. Memory and
/// threads are those at the end.
///
/// # Errors
/// When one of them ends meanwhile, or /proc does not show it.
pub fn measure(pids: &[u32], time: Duration) -> Result<Vec<Footprint>> {
    let begin = Instant::now();
    let before = pids
        .iter()
        .map(|pid| switches(*pid))
        .collect::<Result<Vec<_>>>()?;
    std::thread::sleep(time);
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    pids.iter()
        .zip(&before)
        .map(|(pid, before)| {
            let after = switches(*pid)?;
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            Ok(Footprint {
                binary_kib: fs::metadata(format!("/proc/{pid}/exe"))?
                    .len()
                    .div_ceil(1024),
                rss_kib: number(&status, "VmRSS")?,
                private_kib: number(&status, "RssAnon")?,
                wakeups_per_minute: woken(before, &after) / minutes,
                threads: after.len(),
            })
        })
        .collect()
}

/// Voluntary context switches of each thread so far.
fn switches(pid: u32) -> Result<BTreeMap<String, u64>> {
    let folder = format!("/proc/{pid}/task");
    let mut switches = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("process {pid} is not running"))? {
        let entry = entry?;
        // A thread may end while its siblings are read.
        if let Ok(status) = fs::read_to_string(entry.path().join("status")) {
            let name = entry.file_name().to_string_lossy().into_owned();
            switches.insert(name, number(&status, "voluntary_ctxt_switches")?);
        }
    }
    Ok(switches)
}

/// Switches between two readings; those of threads that ended in between are lost.
fn woken(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> f64 {
    let woken: u64 = after
        .iter()
        .map(|(thread, count)| count - before.get(thread).copied().unwrap_or(0).min(*count))
        .sum();
    u32::try_from(woken).map_or(f64::INFINITY, f64::from)
}

fn number(status: &str, key: &str) -> Result<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .with_context(|| format!("no {key} in /proc"))
}

impl Footprint {
    /// What exceeds `budget`, one line each.
    #[must_use]
    pub fn excesses(&self, budget: &Budget) -> Vec<String> {
        let mut excesses = Vec::new();
        for (what, is, may) in [
            ("KiB of program", self.binary_kib, budget.binary_kib),
            ("KiB of memory", self.rss_kib, budget.rss_kib),
            (
                "KiB of private memory",
                self.private_kib,
                budget.private_kib,
            ),
            ("threads", self.threads as u64, budget.threads as u64),
        ] {
            if is > may {
                excesses.push(format!("{is} {what}, {may} allowed"));
            }
        }
        if self.wakeups_per_minute > budget.wakeups_per_minute {
            excesses.push(format!(
                "{:.1} wake-ups a minute, {:.0} allowed",
                self.wakeups_per_minute, budget.wakeups_per_minute
            ));
        }
        excesses
    }
}

/// A Markdown table, one column for each program.
#[must_use]
pub fn table(columns: &[(String, Footprint)]) -> String {
    let mut table = String::from("| |");
    for (name, _) in columns {
        let _ = write!(table, " {name} |");
    }
    table.push_str("\n|---|");
    table.push_str(&"---:|".repeat(columns.len()));
    let mut row = |what: &str, value: &dyn Fn(&Footprint) -> String| {
        let _ = write!(table, "\n| {what} |");
        for (_, footprint) in columns {
            let _ = write!(table, " {} |", value(footprint));
        }
    };
    row("program", &|of| mib(of.binary_kib));
    row("memory (RSS)", &|of| mib(of.rss_kib));
    row("of it private (RssAnon)", &|of| mib(of.private_kib));
    row("wake-ups a minute", &|of| {
        format!("{:.0}", of.wakeups_per_minute)
    });
    row("threads", &|of| of.threads.to_string());
    table.push('\n');
    table
}

fn mib(kib: u64) -> String {
    let tenths = (kib * 10 + 512) / 1024;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// `footprint SECONDS NAME=PID...`: prints the table, and holds every program called
/// `longwire-agent…` to its budget.
///
/// # Errors
/// When the arguments are wrong, a program is not running, or an agent is over its budget.
pub fn run(arguments: impl IntoIterator<Item = String>) -> Result<String> {
    let mut arguments = arguments.into_iter();
    let seconds = arguments
        .next()
        .context("usage: xtask footprint SECONDS NAME=PID...")?;
    let time = Duration::from_secs(seconds.parse().context("SECONDS must be a whole number")?);
    let mut names = Vec::new();
    let mut pids = Vec::new();
    for argument in arguments {
        let (name, pid) = argument
            .rsplit_once('=')
            .context("programs are given as NAME=PID")?;
        names.push(name.to_owned());
        pids.push(pid.parse().context("PID must be a number")?);
    }
    let columns: Vec<_> = names.into_iter().zip(measure(&pids, time)?).collect();
    let table = table(&columns);
    let excesses: Vec<_> = columns
        .iter()
        .filter(|(name, _)| name.starts_with("longwire-agent"))
        .flat_map(|(name, footprint)| {
            let lines = footprint.excesses(&AGENT_BUDGET).into_iter();
            lines.map(move |line| format!("{name}: {line}"))
        })
        .collect();
    if !excesses.is_empty() {
        bail!("over budget:\n{}\n{table}", excesses.join("\n"));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Footprint {
        Footprint {
            binary_kib: 2061,
            rss_kib: 4592,
            private_kib: 496,
            wakeups_per_minute: 4.4,
            threads: 1,
        }
    }

    #[test]
    fn a_table_has_one_column_a_program() {
        let columns = [("a".to_owned(), small()), ("b".to_owned(), small())];
        assert_eq!(
            table(&columns),
            "| | a | b |\n|---|---:|---:|\n| program | 2.0 MiB | 2.0 MiB |\n\
             | memory (RSS) | 4.5 MiB | 4.5 MiB |\n\
             | of it private (RssAnon) | 0.5 MiB | 0.5 MiB |\n\
             | wake-ups a minute | 4 | 4 |\n| threads | 1 | 1 |\n"
        );
    }

    #[test]
    fn what_is_over_the_budget_is_named() {
        assert!(small().excesses(&AGENT_BUDGET).is_empty());
        let large = Footprint {
            private_kib: 2049,
            wakeups_per_minute: 7.0,
            threads: 2,
            ..small()
        };
        assert_eq!(
            large.excesses(&AGENT_BUDGET),
            [
                "2049 KiB of private memory, 2048 allowed",
                "2 threads, 1 allowed",
                "7.0 wake-ups a minute, 6 allowed"
            ]
        );
    }

    #[test]
    fn wake_ups_are_those_of_all_threads_that_live() {
        let reading = |pairs: &[(&str, u64)]| {
            pairs
                .iter()
                .map(|(thread, count)| ((*thread).to_owned(), *count))
                .collect()
        };
        let before = reading(&[("1", 10), ("2", 5)]);
        let after = reading(&[("1", 13), ("3", 4)]);
        assert!((woken(&before, &after) - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_running_program_is_measured_and_a_missing_one_is_an_error() {
        let own = std::process::id();
        let footprint = measure(&[own], Duration::from_millis(10))
            .unwrap()
            .remove(0);
        assert!(footprint.rss_kib > footprint.private_kib && footprint.threads >= 1);
        assert!(footprint.binary_kib > 100);
        // Beyond the largest process id there can be.
        assert!(measure(&[u32::MAX], Duration::ZERO).is_err());
        assert!(run(["0".to_owned(), "x".to_owned()]).is_err());
    }
}
