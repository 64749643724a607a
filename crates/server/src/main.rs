//! `longwire-server`: see `--help`.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&format!("longwire-server: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
