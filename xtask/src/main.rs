//! `cargo run -p xtask -- COMMAND`: project chores that are too long for a shell line.
#![allow(clippy::print_stdout, reason = "a command line tool")]

use anyhow::{Result, bail};
use xtask::items::Tests;
use xtask::workspace::{self, Workspace};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("items") => items(),
        Some("footprint") => {
            println!("{}", xtask::footprint::run(arguments)?);
            Ok(())
        }
        _ => bail!("usage: xtask items | footprint SECONDS NAME=PID..."),
    }
}

/// Prints where each numbered promise is tested.
fn items() -> Result<()> {
    let tests = Tests::collect(&Workspace::load(&workspace::root())?)?;
    for (item, places) in &tests.by_item {
        for place in places {
            println!("item_{item:02}  {place}");
        }
    }
    for item in tests.missing() {
        println!("item_{item:02}  no test");
    }
    Ok(())
}
