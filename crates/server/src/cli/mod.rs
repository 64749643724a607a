//! The command line: what it takes and what it does.

mod serve;
mod settings;
mod user;

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Gateway, API and web page of Longwire in one program.
#[derive(Parser)]
#[command(name = "longwire-server", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    #[command(after_help = serve::LOGS)]
    Serve(settings::ServeArgs),
    /// Manage the people who may sign in, whether the server runs or not.
    User(user::UserArgs),
}

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(args) => serve::run(args.resolve()?),
        Command::User(args) => block_on(user::run(args)),
    }
}

/// Runs a command to its end.
fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?
        .block_on(command)
}

/// Writes a line for scripts or people.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// Writes a line about what went wrong.
pub(crate) fn complain(line: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
