//! A session across a network that breaks and a server that is killed: every byte arrives, once and in
//! order, in both directions.
//!
//! `SOAK_OUTPUT` and `SOAK_INPUT` (bytes), `SOAK_FAULTS` (how many at least), `SOAK_RUNS` (seeds) and
//! `SOAK_SEED` (the first of them) make it longer: `make soak`. Every run prints its seed.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test"
)]

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use longwire_e2e::faults::{Dice, Network, Storm};
use longwire_e2e::lab::Lab;
use longwire_e2e::line::{READY, far_end};
use longwire_e2e::numbered::{self, Reader};
use longwire_e2e::seat::{Happens, Seat};
use longwire_protocol::shell::Ended;
use tokio::sync::watch;
use tokio::time::timeout;

/// Nothing stands still for longer, whatever was broken before.
const STANDS_STILL: Duration = Duration::from_secs(180);

/// What goes through one session.
#[derive(Debug, Clone, Copy)]
struct Load {
    output: u64,
    input: u64,
    /// Both take at least so many faults.
    faults: u64,
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().unwrap())
}

#[tokio::test]
async fn every_byte_arrives_once_and_in_order_whatever_breaks() -> Result<()> {
    let load = Load {
        output: setting("SOAK_OUTPUT", 2 << 20),
        input: setting("SOAK_INPUT", 64 << 10),
        faults: setting("SOAK_FAULTS", 12),
    };
    let first = setting("SOAK_SEED", 1);
    for seed in first..first + setting("SOAK_RUNS", 1) {
        println!("SOAK_SEED={seed}: {load:?}");
        let run = run(load, seed).await;
        run.with_context(|| format!("SOAK_SEED={seed} with {load:?}"))?;
    }
    Ok(())
}

async fn run(load: Load, seed: u64) -> Result<()> {
    let mut lab = Lab::start().await?;
    let mut network = Network::around(&lab).await?;
    let mut agent = lab.agent_by("device", &network.device.url())?;
    let admin = lab.admin().await?;
    let device = admin.accept_first().await?;
    admin.connected(&device).await?;
    let mut seat = Seat::open(&network.viewer.url(), &admin.token, &device).await?;

    // How much may be typed, which the faults decide.
    let (allow, allowed) = watch::channel(0);
    let command = format!(
        "unset HISTFILE; exec {} numbered {} {}\r",
        far_end()?.display(),
        load.output,
        load.input
    );
    seat.session.input(command.into()).await?;
    let early = ready(&mut seat).await?;
    let typing = tokio::spawn(types(
        seat.session.clone(),
        Dice::new(seed),
        load.input,
        allowed,
    ));
    let (tell, mut shown) = watch::channel(0);
    let reading = tokio::spawn(reads(seat, early, load, tell));

    let mut dice = Dice::new(!seed);
    for (number, step) in (1..=load.faults).zip(Storm::new(seed)) {
        network.suffer(step, &mut lab).await?;
        let may = load.input * number / load.faults;
        allow.send_replace(may);
        // Now and then everything comes first, otherwise the next fault hits what is under way, or
        // ends that have not even come back.
        let wanted = match dice.below(4) {
            0 => load.output * number / load.faults,
            1 => *shown.borrow() + 1,
            _ => 0,
        };
        let wanted = wanted.min(load.output * number / load.faults);
        let gets_on = shown.wait_for(|shown| *shown >= wanted);
        match timeout(STANDS_STILL, gets_on).await {
            Ok(Ok(_)) => {}
            // Whoever reads says why there is no more.
            Ok(Err(_)) => break,
            Err(_) => bail!("nothing gets on after {:?}", step.what),
        }
    }
    let reconnections = reading.await??;
    typing.await??;
    println!(
        "{} faults, {reconnections} reconnections of the viewer: {:?}",
        network.counts.total(),
        network.counts
    );
    agent.alone().await?;
    agent.terminate().await?;
    lab.end().await
}

/// Waits for the far end and returns what it said first.
async fn ready(seat: &mut Seat) -> Result<Vec<u8>> {
    let mut seen = Vec::new();
    loop {
        match next(seat).await? {
            Happens::Output(bytes) => seen.extend_from_slice(&bytes),
            Happens::Ended(stop) => bail!("{stop:?} after “{}”", seen.escape_ascii()),
        }
        let ready = READY.as_bytes();
        if let Some(at) = seen.windows(ready.len()).position(|part| part == ready) {
            return Ok(seen.split_off(at + ready.len()));
        }
    }
}

async fn next(seat: &mut Seat) -> Result<Happens> {
    let next = timeout(STANDS_STILL, seat.next()).await;
    next.context("nothing happens any more")?
}

/// Types the numbered stream in parts of any size.
async fn types(
    session: longwire_client::session::Session,
    mut dice: Dice,
    size: u64,
    mut allowed: watch::Receiver<u64>,
) -> Result<()> {
    let mut typed = 0;
    while typed < size {
        let may = *allowed.wait_for(|allowed| *allowed > typed).await?;
        let part = (1 + dice.below(3000)).min(may - typed);
        let bytes = numbered::bytes(typed, usize::try_from(part)?);
        session.input(bytes.into()).await?;
        typed += part;
    }
    Ok(())
}

/// Reads the numbered stream and what the far end says of its own; then has it end. Returns how often
/// the connection was lost.
async fn reads(
    mut seat: Seat,
    early: Vec<u8>,
    load: Load,
    shown: watch::Sender<u64>,
) -> Result<usize> {
    let mut reader = Reader::default();
    let words = format!("\nread {} bytes\n", load.input);
    let mut said = Vec::new();
    let mut bytes = early;
    while said.len() < words.len() {
        let left = usize::try_from(load.output - reader.offset)?;
        let (output, rest) = bytes.split_at(left.min(bytes.len()));
        reader.read(output)?;
        shown.send_replace(reader.offset);
        said.extend_from_slice(rest);
        let so_far = words.as_bytes().get(..said.len());
        ensure!(
            so_far == Some(&said),
            "the far end says “{}”",
            said.escape_ascii()
        );
        if said.len() < words.len() {
            bytes = match next(&mut seat).await? {
                Happens::Output(bytes) => bytes.to_vec(),
                Happens::Ended(stop) => bail!("{stop:?} at {}", reader.offset),
            };
        }
    }
    seat.session.input("q".into()).await?;
    match next(&mut seat).await? {
        Happens::Ended(stop)
            if stop.reason == Some(Ended::Exited) && stop.exit_status == Some(0) =>
        {
            Ok(seat.reconnections)
        }
        other @ (Happens::Output(_) | Happens::Ended(_)) => bail!("{other:?} instead of the end"),
    }
}
