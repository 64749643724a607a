//! The commands, one file each.

mod accept;
mod devices;
mod find;
mod login;
mod prompt;
mod terminal;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::access::Access;
use crate::args::{Command, CommandLine, Devices};
use crate::failure::Failure;
use crate::places::Places;
use crate::say::print;

/// Runs a command line; the exit code is 0 or a shell's.
pub(crate) async fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    if let Command::Completions { shell } = line.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut CommandLine::command(), "longwire", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Terminal(terminal) = &line.command
        && let Some(file) = &terminal.playback
    {
        return terminal::play_back(file);
    }
    let access = Access::new(line.global, Places::from_env())?;
    match line.command {
        Command::Login(login) => login::login(&access, &login).await?,
        Command::Logout => login::logout(&access).await?,
        Command::Devices(devices) => {
            let client = access.client()?;
            match devices {
                Devices::List(list) => devices::list(&client, &list).await?,
                Devices::Show { device, json } => devices::show(&client, &device, json).await?,
                Devices::Accept(accept) => accept::accept(&client, &accept).await?,
                Devices::Reject { device, key } => {
                    accept::reject(&client, &device, key.as_deref()).await?;
                }
                Devices::Remove { device } => accept::remove(&client, &device).await?,
            }
        }
        Command::Terminal(terminal) => {
            let client = access.client()?;
            return terminal::open(&client, &terminal).await;
        }
        // Answered above: they need no server.
        Command::Completions { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}
