//! `terminal`: open one, go back to one, or play a recording.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;

use longwire_client::session::{Opened, Role, Start, Who, Wish};
use longwire_client::{Client, Error, SessionRow};

use super::prompt::ask;
use super::{find, sessions};
use crate::args;
use crate::failure::{Code, Failure};
use crate::recording::{self, Recorder};
use crate::say::{is_terminal, notice, say};
use crate::terminal::{self, Finished, Title};
use crate::tty;
use crate::words::plain;

/// Opens a terminal and runs it to its end.
pub(super) async fn open(client: &Client, args: &args::Terminal) -> Result<ExitCode, Failure> {
    let Some(wanted) = &args.device else {
        return Err(Failure::usage("No device specified"));
    };
    // Scripts make mender-cli's calls and no others; people are asked.
    let asks = tty::is_typed() && is_terminal();
    let (device, start) = match &args.resume {
        Some(id) => {
            let device = find::device(client, wanted).await?.id;
            let start = resumed(client, &device, id).await?;
            (device, start)
        }
        None if asks && !args.new => {
            // A device that is away may have sessions all the same.
            let device = find::any(client, wanted).await?;
            match offer(client, &device.id, &[]).await? {
                Some(start) => (device.id, start),
                None if device.is_connected => (device.id, Start::New),
                None => return Err(find::offline()),
            }
        }
        None => (find::connected(client, wanted).await?, Start::New),
    };
    run(client, &device, wanted, start, args.record.as_deref()).await
}

/// Runs a session, or a plain terminal where the server has none, to its end.
pub(super) async fn run(
    client: &Client,
    device: &str,
    name: &str,
    mut start: Start,
    record: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let mut recorder = match record {
        Some(file) => Some(Recorder::create(file, device).map_err(|error| {
            Failure::from(error).while_doing(&format!("cannot record to {}", file.display()))
        })?),
        None => None,
    };
    loop {
        say(&format!("Connecting to the device {}...", plain(name)));
        let wish = Wish {
            start: start.clone(),
            size: Some(terminal::size()),
            who: if tty::is_typed() {
                Who::Person
            } else {
                Who::Script
            },
        };
        let opened = client.session(device, &wish).await.map_err(offline)?;
        let title = Title {
            device: name.to_owned(),
            watches: matches!(
                start,
                Start::Attach {
                    as_: Role::Watcher,
                    ..
                }
            ),
        };
        let finished = match opened {
            Opened::Longwire(session, events) => {
                terminal::run_session(session, events, &wish, &title, recorder).await?
            }
            Opened::Plain(..) if start != Start::New => {
                return Err(Failure::plain("this server keeps no sessions"));
            }
            Opened::Plain(link, events) => {
                Finished::Code(terminal::run_plain(link, events, recorder).await?)
            }
        };
        match finished {
            Finished::Code(code) => return Ok(ExitCode::from(code)),
            Finished::Refused {
                why,
                detached,
                recorder: unused,
            } => {
                recorder = unused;
                let failure = || Failure::plain(format!("Unable to start the shell: {why}"));
                if detached.is_empty() {
                    return Err(failure());
                }
                if !tty::is_typed() || !is_terminal() {
                    let ids: Vec<_> = detached.iter().map(|id| plain(id)).collect();
                    return Err(Failure::plain(format!(
                        "{}\nSessions of yours wait there; see longwire sessions attach and kill:\n  {}",
                        failure(),
                        ids.join("\n  ")
                    )));
                }
                say(&format!("{}", failure()));
                start = offer(client, device, &detached)
                    .await?
                    .unwrap_or(Start::New);
            }
        }
    }
}

fn offline(error: Error) -> Failure {
    // The device has gone since we looked.
    let offline = matches!(&error, Error::Status { status: 404, .. });
    let failure = Failure::from(error);
    if offline {
        Failure::new(Code::Offline, failure.to_string())
    } else {
        failure
    }
}

/// The session of ours that is meant by `--resume ID`, or the newest that nobody is at.
async fn resumed(client: &Client, device: &str, id: &str) -> Result<Start, Failure> {
    let rows = client
        .sessions(Some(device), true)
        .await
        .map_err(sessions::unsupported)?;
    let row = if id.is_empty() {
        rows.iter()
            .find(|row| row.is_detached())
            .or_else(|| rows.first())
    } else {
        rows.iter().find(|row| row.id == id)
    };
    row.map(back_to)
        .ok_or_else(|| Failure::new(Code::NotFound, "you have no such session on this device"))
}

fn back_to(row: &SessionRow) -> Start {
    Start::Attach {
        sid: row.id.clone(),
        // Our own, wherever we left it open.
        as_: Role::Controller,
    }
}

/// What somebody answers when asked about sessions they left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Resume(usize),
    New,
    End(usize),
}

/// Asks about own sessions on a device, if there are any: about those that are named, or all. `None`
/// for a new one.
async fn offer(client: &Client, device: &str, only: &[String]) -> Result<Option<Start>, Failure> {
    loop {
        let rows = match client.sessions(Some(device), true).await {
            Ok(rows) => rows,
            // A real Mender server keeps none.
            Err(error) if matches!(error.status(), Some(404)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|row| row.state != "ending")
            .filter(|row| only.is_empty() || only.contains(&row.id))
            .collect();
        if rows.is_empty() {
            return Ok(None);
        }
        say("You have sessions on this device:");
        for (number, row) in rows.iter().enumerate() {
            say(&format!("  {}  {}", number + 1, described(row)));
        }
        let question = "Enter takes you back to the first, a number to another; n starts a new one, \
                        e and a number ends one";
        match answer(&ask(question).await?, rows.len()) {
            Some(Answer::Resume(index)) => return Ok(rows.get(index).map(back_to)),
            Some(Answer::New) => return Ok(None),
            Some(Answer::End(index)) => {
                if let Some(row) = rows.get(index) {
                    client.end_session(&row.id).await?;
                    say(&format!("ended {}", plain(&row.id)));
                }
            }
            None => say("That is none of the answers."),
        }
    }
}

fn described(row: &SessionRow) -> String {
    let what = match row.title.as_deref() {
        Some(title) if !title.is_empty() => format!(", {}", plain(title)),
        _ => String::new(),
    };
    let since = match &row.detached_at {
        Some(since) => format!("detached since {}", plain(since)),
        None => format!(
            "open elsewhere since {} (you would take it over)",
            plain(&row.started_at)
        ),
    };
    format!("{}  {since}{what}", plain(&row.id))
}

fn answer(line: &str, count: usize) -> Option<Answer> {
    let line = line.trim();
    let index = |text: &str| {
        let text = text.trim();
        let number = if text.is_empty() {
            1
        } else {
            text.parse().ok()?
        };
        (1..=count).contains(&number).then(|| number - 1)
    };
    if line.eq_ignore_ascii_case("n") {
        return Some(Answer::New);
    }
    if let Some(number) = line.strip_prefix(['e', 'E']) {
        return index(number).map(Answer::End);
    }
    index(line.strip_prefix(['r', 'R']).unwrap_or(line)).map(Answer::Resume)
}

/// Plays a recording.
pub(super) fn play_back(file: &Path) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match recording::play(file, &mut out, sleep) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => {
            // Usual for those of mender-cli: nothing has gone wrong.
            notice("the recording ends here without an end mark");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::from(error).while_doing(&file.display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        assert_eq!(answer("", 2), Some(Answer::Resume(0)));
        assert_eq!(answer("r", 2), Some(Answer::Resume(0)));
        assert_eq!(answer(" 2 ", 2), Some(Answer::Resume(1)));
        assert_eq!(answer("n", 2), Some(Answer::New));
        assert_eq!(answer("e 2", 2), Some(Answer::End(1)));
        assert_eq!(answer("E", 2), Some(Answer::End(0)));
        for line in ["3", "0", "e 3", "x", "-1"] {
            assert_eq!(answer(line, 2), None, "{line}");
        }
    }
}
