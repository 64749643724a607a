//! How fast a terminal is, beside what else there is: a raw pty, OpenSSH and Debian's mender-connect,
//! all in one run, in turns, so that whatever else the machine does hits all of them.
//!
//! `bench [--rounds N] [--readme FILE]`. `scripts/bench` builds what it needs. Our programs are taken
//! from the folder that `LONGWIRE_PROGRAMS` names.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

mod authority;
mod cpu;
mod measure;
mod piped;
mod raw_pty;
mod sshd;
mod table;
mod ways;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::measure::Measures;
use crate::ways::Ways;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut rounds = 3;
    let mut readme = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().context("a value is missing");
        match argument.as_str() {
            "--rounds" => rounds = value()?.parse()?,
            "--readme" => readme = Some(PathBuf::from(value()?)),
            _ => bail!("usage: bench [--rounds N] [--readme FILE]"),
        }
    }
    let ways = Ways::start().await?;
    let mut all: Vec<Measures> = ways.all().iter().map(|_| Measures::default()).collect();
    for round in 1..=rounds {
        for (way, measures) in ways.all().iter().zip(&mut all) {
            eprintln!("round {round} of {rounds}: {}", way.name());
            let measured = measure::once(way, measures).await;
            measured.with_context(|| way.name().to_owned())?;
        }
    }
    let names: Vec<&str> = ways.all().iter().map(|way| way.name()).collect();
    let rows: Vec<table::Row> = names
        .iter()
        .zip(&all)
        .map(|(name, of)| table::row(name, of))
        .collect();
    let text = table::text(&rows);
    println!("{text}");
    for line in table::aims(&rows) {
        println!("{line}");
    }
    if let Some(readme) = readme {
        table::write_into(&readme, &text)?;
    }
    ways.end().await
}
