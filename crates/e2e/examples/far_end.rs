//! The program at the far end of a terminal under test: with its terminal in raw mode it does one
//! thing, so that every byte that goes in or comes out is known.
//!
//! - `far_end echo`: writes what it reads, until a byte 4 comes.
//! - `far_end flood SIZE`: waits for a byte, writes SIZE bytes (0: without end), and ends with the next
//!   byte that it reads.
//! - `far_end numbered OUT IN`: reads IN bytes of the numbered stream, and writes OUT of them in step;
//!   then says on a line whether what it read was right.
//!
//! It says [`longwire_e2e::line::READY`] once the terminal is raw.
#![allow(clippy::print_stderr, reason = "a command line tool")]

use std::io::{self, Read, Write};
use std::sync::mpsc;

use anyhow::{Context, Result, bail};
use longwire_e2e::line::READY;
use longwire_e2e::numbered::{self, Reader};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// Written at a time, as a program does that has a lot to say.
const BLOCK: usize = 64 * 1024;

/// What ends an echo.
const END: u8 = 4;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Result<u64> {
        let argument = arguments.get(at).context("one more number is needed")?;
        Ok(argument.parse()?)
    };
    let stdin = io::stdin();
    let mut modes = tcgetattr(&stdin)?;
    cfmakeraw(&mut modes);
    // Without TCSAFLUSH: nothing that has been typed is to be lost.
    tcsetattr(&stdin, SetArg::TCSANOW, &modes)?;
    say(READY.as_bytes())?;
    match arguments.first().map(String::as_str) {
        Some("echo") => echo(),
        Some("flood") => flood(number(1)?),
        Some("numbered") => numbered(number(1)?, number(2)?),
        _ => bail!("usage: far_end echo | flood SIZE | numbered OUT IN"),
    }
}

fn say(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Reads what is there; 0 when the terminal is gone.
fn hear(block: &mut [u8]) -> Result<usize> {
    Ok(io::stdin().lock().read(block)?)
}

fn echo() -> Result<()> {
    let mut block = [0; 4096];
    loop {
        let count = hear(&mut block)?;
        let heard = block.get(..count).unwrap_or_default();
        if count == 0 || heard.contains(&END) {
            return Ok(());
        }
        say(heard)?;
    }
}

fn flood(size: u64) -> Result<()> {
    let block = numbered::bytes(0, BLOCK);
    hear(&mut [0])?;
    let end = std::thread::spawn(move || {
        // A terminal that is gone is an end as well.
        let _ = hear(&mut [0]);
        if size == 0 {
            std::process::exit(0);
        }
    });
    let mut written = 0;
    while size == 0 || written < size {
        let left = usize::try_from(size - written.min(size)).unwrap_or(BLOCK);
        let part = if size == 0 { BLOCK } else { left.min(BLOCK) };
        say(block.get(..part).unwrap_or_default())?;
        written += part as u64;
    }
    let _ = end.join();
    Ok(())
}

/// As much is written of the output as has been read of the input: whoever types decides how fast
/// both go.
fn numbered(output: u64, input: u64) -> Result<()> {
    let (sender, read) = mpsc::sync_channel(1);
    let reading = std::thread::spawn(move || -> Result<()> {
        let mut reader = Reader::default();
        let mut block = [0; 4096];
        while reader.offset < input {
            let count = hear(&mut block)?;
            if count == 0 {
                bail!("the terminal is gone at {}", reader.offset);
            }
            reader.read(block.get(..count).unwrap_or_default())?;
            if sender.send(reader.offset).is_err() {
                break;
            }
        }
        Ok(())
    });
    let mut written = 0;
    // The channel ends when all is read, or something else.
    for offset in read {
        let may = u64::try_from(u128::from(output) * u128::from(offset) / u128::from(input))?;
        while written < may {
            let part = BLOCK.min(usize::try_from(may - written)?);
            say(&numbered::bytes(written, part))?;
            written += part as u64;
        }
    }
    let read = match reading.join() {
        Ok(Ok(())) => format!("\nread {input} bytes\n"),
        Ok(Err(error)) => format!("\nwrong input: {error}\n"),
        Err(_) => bail!("the reader panicked"),
    };
    say(read.as_bytes())
}
