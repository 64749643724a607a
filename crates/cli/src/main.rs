//! The `longwire` command for people and scripts.

mod access;
mod args;
mod commands;
mod failure;
mod fingerprint;
mod logins;
mod mender_config;
mod places;
mod recording;
mod say;
mod signals;
mod terminal;
mod tty;
mod words;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::CommandLine;
use crate::failure::Failure;

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return explain(&error),
    };
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(commands::run(line)));
    match result {
        Ok(code) => code,
        Err(failure) => {
            say::say_failure(&failure);
            failure.exit_code()
        }
    }
}

/// Help is what was asked for; anything else is a command line that makes no sense.
fn explain(error: &clap::Error) -> ExitCode {
    let help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let shown = if help || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print().map_err(Failure::from)
    } else {
        let text = error.to_string();
        say::say(&format!(
            "FAILURE: {}",
            text.trim_start_matches("error: ").trim_end()
        ));
        Ok(())
    };
    match shown {
        Ok(()) if help => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(failure::Code::Usage as u8),
        Err(failure) => failure.exit_code(),
    }
}
