//! The commands, one file each.

mod accept;
mod devices;
mod find;
mod login;
mod prompt;
mod sessions;
mod terminal;

use std::process::ExitCode;

use clap::CommandFactory;
use longwire_client::Client;

use crate::access::Access;
use crate::args::{Command, CommandLine, Devices};
use crate::failure::Failure;
use crate::places::Places;
use crate::say::print;

/// Runs a command line; the exit code is 0 or a shell's.
pub(crate) async fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    // Not everything needs a server or a configuration.
    let access = || Access::new(line.global, Places::from_env());
    match line.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut CommandLine::command(), "longwire", &mut script);
            print(&String::from_utf8_lossy(&script))?;
        }
        Command::Login(args) => login::login(&access()?, &args).await?,
        Command::Logout => login::logout(&access()?).await?,
        Command::Devices(command) => on_devices(&access()?.client()?, &command).await?,
        Command::Sessions(command) => return sessions::run(&access()?.client()?, &command).await,
        Command::Terminal(args) => {
            return match &args.playback {
                Some(file) => terminal::play_back(file),
                None => terminal::open(&access()?.client()?, &args).await,
            };
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn on_devices(client: &Client, command: &Devices) -> Result<(), Failure> {
    match command {
        Devices::List(args) => devices::list(client, args).await,
        Devices::Show { device, json } => devices::show(client, device, *json).await,
        Devices::Accept(args) => accept::accept(client, args).await,
        Devices::Reject { device, key } => accept::reject(client, device, key.as_deref()).await,
        Devices::Remove { device } => accept::remove(client, device).await,
    }
}
