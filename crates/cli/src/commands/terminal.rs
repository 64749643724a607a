//! `terminal`: open one, or play a recording.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;

use longwire_client::{Client, Error};

use super::find;
use crate::args;
use crate::failure::{Code, Failure};
use crate::recording::{self, Recorder};
use crate::say::{notice, say};
use crate::terminal;
use crate::words::plain;

/// Opens a terminal and runs it to its end.
pub(super) async fn open(client: &Client, args: &args::Terminal) -> Result<ExitCode, Failure> {
    let Some(wanted) = &args.device else {
        return Err(Failure::usage("No device specified"));
    };
    let device = find::connected(client, wanted).await?;
    let recorder = match &args.record {
        Some(file) => Some(Recorder::create(file, &device).map_err(|error| {
            Failure::from(error).while_doing(&format!("cannot record to {}", file.display()))
        })?),
        None => None,
    };
    say(&format!("Connecting to the device {}...", plain(wanted)));
    let (link, events) = client.terminal(&device).await.map_err(|error| {
        // The device has gone since we looked.
        let offline = matches!(&error, Error::Status { status: 404, .. });
        let failure = Failure::from(error);
        if offline {
            Failure::new(Code::Offline, failure.to_string())
        } else {
            failure
        }
    })?;
    Ok(ExitCode::from(terminal::run(link, events, recorder).await?))
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
