//! What recording costs: `cargo run --release -p longwire-server --example recorder -- [MIB] [CHUNK] [WINDOW]`.
//!
//! Appends MIB of output that looks like a build log, in entries of CHUNK bytes with at most WINDOW bytes
//! not yet durable, as a device's link does, and a keyframe for each MiB. Says how fast that was, what it
//! took of the processor until all was durable (and until all was compressed), how much was stored, and
//! how fast it is read back.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use longwire_protocol::shell::Winsize;
use longwire_server::ids::{DeviceId, UserId};
use longwire_server::recording::{KEYFRAME_AFTER, Opening, ReadBack, Recorder, RecorderConfig};
use longwire_server::session::Entry;
use longwire_server::time::Timestamp;
use nix::sys::resource::{UsageWho, getrusage};

const MIB: u64 = 1024 * 1024;

/// Processor time of the whole process.
fn cpu() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: nix::sys::time::TimeVal| -> anyhow::Result<Duration> {
        let micros = u64::try_from(time.tv_sec())? * 1_000_000 + u64::try_from(time.tv_usec())?;
        Ok(Duration::from_micros(micros))
    };
    Ok(seconds(usage.user_time())? + seconds(usage.system_time())?)
}

/// Lines as a compiler prints them, never twice the same.
fn lines(bytes: usize) -> Vec<u8> {
    let words = [
        "Compiling",
        "Checking",
        "warning: unused variable",
        "Finished",
        "  CC  ",
        "  LD  ",
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = Vec::with_capacity(bytes + 200);
    while text.len() < bytes {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let word = words
            .iter()
            .cycle()
            .nth((random % 97) as usize)
            .unwrap_or(&"");
        let line = format!(
            "\x1b[32m{word}\x1b[0m src/module_{}/part_{:x}.rs:{}:{}\r\n",
            random % 50,
            random >> 48,
            (random >> 20) % 2000,
            random % 80
        );
        text.extend_from_slice(line.as_bytes());
    }
    text
}

fn stored(folder: &Path, plain: &mut bool) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        let path = entry.path();
        if path.is_dir() {
            bytes += stored(&path, plain)?;
        } else if let Ok(found) = entry.metadata() {
            *plain |= path
                .extension()
                .is_some_and(|ending| ending == "seg" || ending == "new");
            bytes += found.len();
        }
    }
    Ok(bytes)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let argument = |at: usize, otherwise: u64| -> anyhow::Result<u64> {
        std::env::args()
            .nth(at)
            .map_or(Ok(otherwise), |text| text.parse().context(text))
    };
    let total = argument(1, 1024)? * MIB;
    let chunk = usize::try_from(argument(2, 32 * 1024)?)?;
    let window = argument(3, MIB)?;
    let folder = tempfile::tempdir_in(".")?;
    let recorder = Recorder::open(RecorderConfig {
        folder: folder.path().to_path_buf(),
        power_loss: std::env::var_os("POWER_LOSS").is_some(),
    })?;
    let opening = Opening {
        sid: "measured".to_owned(),
        device_id: DeviceId::new(),
        owner_id: UserId::new(),
        owner: "operator@example.com".to_owned(),
        started_at: Timestamp::now(),
        lossless: true,
    };
    let size = Winsize::new(24, 80).context("a size")?;
    let text = Bytes::from(lines(8 * 1024 * 1024));
    let screen = text.slice(..2000);
    let journal = recorder.device();
    let mut progress = journal.progress();
    journal.open(opening.clone(), Some(size));

    let (begun, before) = (Instant::now(), cpu()?);
    let (mut seq, mut offset, mut durable, mut keyframe) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut ends = VecDeque::new();
    while durable < total {
        while offset < total && offset - durable < window {
            let at = usize::try_from(offset % (text.len() as u64 - chunk as u64))?;
            let time_ms = u64::try_from(begun.elapsed().as_millis())?;
            if offset - keyframe >= KEYFRAME_AFTER {
                keyframe = offset;
                seq += 1;
                let screen = screen.clone();
                journal.append(
                    seq,
                    &opening.sid,
                    Entry::Keyframe {
                        offset,
                        time_ms,
                        size,
                        screen,
                    },
                );
            }
            seq += 1;
            let bytes = text.slice(at..at + chunk);
            journal.append(
                seq,
                &opening.sid,
                Entry::Output {
                    offset,
                    time_ms,
                    bytes,
                },
            );
            offset += chunk as u64;
            ends.push_back((seq, offset));
        }
        progress.changed().await?;
        let committed = progress.borrow_and_update().clone();
        anyhow::ensure!(committed.trouble.is_empty(), "{:?}", committed.trouble);
        while let Some((_, end)) = ends.pop_front_if(|(seq, _)| *seq <= committed.committed) {
            durable = end;
        }
    }
    let (written_in, written_cpu) = (begun.elapsed(), cpu()? - before);
    journal.close(&opening.sid);
    let size = loop {
        let mut plain = false;
        let size = stored(folder.path(), &mut plain)?;
        if !plain {
            break size;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (all_in, all_cpu) = (begun.elapsed(), cpu()? - before);

    let (begun, before) = (Instant::now(), cpu()?);
    let mut output = recorder.output(&opening.sid, opening.started_at)?;
    let mut at = 0;
    while let ReadBack::Bytes(bytes) = output.read(at, 32 * 1024)? {
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
    }
    anyhow::ensure!(at == durable, "read back {at} of {durable}");
    let peak_kib = getrusage(UsageWho::RUSAGE_SELF)?.max_rss();
    let (read_in, read_cpu) = (begun.elapsed(), cpu()? - before);

    let gib = durable as f64 / (1024.0 * 1024.0 * 1024.0);
    let mib = durable as f64 / MIB as f64;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "entries of {chunk} bytes, {mib:.0} MiB, window {window}"
    )?;
    writeln!(
        out,
        "durable:    {:7.1} MiB/s  {:6.2} CPU-s/GiB (compression begun meanwhile included)",
        mib / written_in.as_secs_f64(),
        written_cpu.as_secs_f64() / gib
    )?;
    writeln!(
        out,
        "compressed: {:7.1} MiB/s  {:6.2} CPU-s/GiB in all  {:.4} byte stored per byte shown",
        mib / all_in.as_secs_f64(),
        all_cpu.as_secs_f64() / gib,
        size as f64 / durable as f64
    )?;
    writeln!(
        out,
        "read back:  {:7.1} MiB/s  {:6.2} CPU-s/GiB",
        mib / read_in.as_secs_f64(),
        read_cpu.as_secs_f64() / gib
    )?;
    writeln!(
        out,
        "memory at most {} MiB, 8 of them the text",
        peak_kib / 1024
    )?;
    Ok(())
}
