//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

/// Remote terminals on your devices.
#[derive(Parser, Debug)]
#[command(
    name = "longwire",
    version,
    arg_required_else_help = true,
    max_term_width = 90
)]
#[command(after_help = "\
Examples:
  longwire --server https://longwire.example.com login
  longwire devices list
  longwire devices accept pump-17
  longwire terminal pump-17
  echo uptime | longwire terminal pump-17
  longwire sessions list

The server is taken from --server, else LONGWIRE_SERVER, else mender-cli's .mender-clirc,
else it is the one you are signed in to. A token is only ever sent to the server that
issued it.

Exit codes: 0 done, 1 failure, 2 usage, 3 not allowed or not signed in, 4 not found,
5 device offline; once its shell has started, terminal returns the shell's own.")]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Address of the server, such as longwire.example.com; https unless it says otherwise
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "LONGWIRE_SERVER",
        hide_env_values = true
    )]
    pub(crate) server: Option<String>,

    /// File with the token; login writes it
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,

    /// The token itself; others on this machine can see it in the process list
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(crate) token_value: Option<String>,

    /// Trust any certificate: whoever sits between can read and change everything
    #[arg(short = 'k', long, global = true)]
    pub(crate) skip_verify: bool,

    /// Allow http:// to other machines: whoever sits between can read and change everything
    #[arg(long, global = true)]
    pub(crate) insecure_http: bool,

    /// Say which server and which login are used
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Login(Login),
    /// Sign out: the server forgets the token, and so does this machine
    #[command(after_help = "Example:\n  longwire --server https://longwire.example.com logout")]
    Logout,
    /// List devices, let them in, turn them away
    #[command(subcommand)]
    Devices(Devices),
    Terminal(Terminal),
    /// List terminal sessions, go back to them, look on, end them
    #[command(subcommand)]
    Sessions(Sessions),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  source <(longwire completions bash)")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Sign in and keep the token for later commands
///
/// Asks for what is not given. Without a terminal the password is read from standard input.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  longwire --server https://longwire.example.com login
  longwire --server https://longwire.example.com login --username me@example.com <password.txt

The token is kept in ~/.config/longwire/logins.json, and beside it where mender-cli looks for it
(~/.cache/mender/authtoken), unless mender-cli is set up for another server. With --token it is
written to that file only.")]
pub(crate) struct Login {
    /// Name to sign in with, an email address
    #[arg(long, value_name = "EMAIL")]
    pub(crate) username: Option<String>,

    /// The password; others on this machine can see it in the process list
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,

    /// The code of the day, if the account wants a second factor
    #[arg(long = "2fa-code", value_name = "CODE")]
    pub(crate) second_factor: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Devices {
    List(List),
    /// Show one device with its keys
    #[command(after_help = "Example:\n  longwire devices show pump-17")]
    Show {
        /// Id, or an unambiguous name
        device: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    Accept(Accept),
    /// Turn a device away: a key that waits, else the one it is accepted with
    #[command(after_help = "Example:\n  longwire devices reject pump-17")]
    Reject {
        /// Id, or an unambiguous name
        device: String,
        /// Which key, if there are several: fingerprint or id as `show` gives it
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
    },
    /// Remove a device with all its keys; it may ask again
    #[command(after_help = "Example:\n  longwire devices remove pump-17")]
    Remove {
        /// Id, or an unambiguous name
        device: String,
    },
}

/// List devices
///
/// On a terminal as a table; into a pipe, or with -d, in mender-cli's form.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  longwire devices list
  longwire devices list --status pending
  longwire devices list --json | jq -r '.[] | select(.connected) | .id'")]
pub(crate) struct List {
    /// As JSON: an array of objects
    #[arg(long, conflicts_with_all = ["raw", "detail"])]
    pub(crate) json: bool,

    /// Only those that are accepted, pending, rejected, preauthorized or noauth
    #[arg(long, value_name = "STATUS", conflicts_with = "raw")]
    pub(crate) status: Option<String>,

    /// mender-cli's form, with this much detail
    #[arg(short, long, value_name = "0..3", value_parser = clap::value_parser!(u8).range(0..=3))]
    pub(crate) detail: Option<u8>,

    /// What the server said, as it said it
    #[arg(short, long, action = ArgAction::SetTrue, conflicts_with = "detail")]
    pub(crate) raw: bool,

    /// One page only, with up to this many devices
    #[arg(short = 'N', long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) per_page: Option<u32>,

    /// Which page, from 1
    #[arg(short = 'P', long, value_name = "PAGE", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) page: Option<u32>,
}

/// Let a device in
///
/// Compare the fingerprint with the one that the device's agent prints. If the device is accepted
/// already and asks with another key, say --replace-key.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  longwire devices accept pump-17
  longwire devices accept pump-17 --key SHA256:Yf0TmcVd5CCzpsVNSaFLsT5Xf2kTf5dGxLrgYv1dJzU")]
pub(crate) struct Accept {
    /// Id, or an unambiguous name
    pub(crate) device: String,

    /// Which key, if several wait: fingerprint or id as `show` gives it
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Let the new key take the place of the one the device is known by
    #[arg(long)]
    pub(crate) replace_key: bool,
}

/// Open a terminal on a device
///
/// A lost connection ends nothing: the shell runs on, and the program goes back to it by itself.
/// Ctrl-] leaves the session running (a Mender server ends it), `exit` or Ctrl-D ends it. If you
/// left sessions on the device, you are asked which one you want. The size follows the window.
/// Standard input may be a file or a pipe: at its end the shell is told so, as Ctrl-D does, and
/// whatever happens to the network, every byte arrives.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  longwire terminal pump-17
  longwire terminal pump-17 --resume
  longwire terminal pump-17 --record incident.rec
  longwire terminal --playback incident.rec
  echo uptime | longwire terminal pump-17

The exit code is that of the shell, or 255 when link or session ended otherwise; with an agent that
does not tell, 0 when the shell ended by itself.")]
pub(crate) struct Terminal {
    /// Id, or an unambiguous name
    #[arg(value_name = "DEVICE", required_unless_present = "playback")]
    pub(crate) device: Option<String>,

    /// Go back to a session you left: this one, else the newest
    #[arg(
        long,
        value_name = "ID",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with = "playback"
    )]
    pub(crate) resume: Option<String>,

    /// Start a new session without asking about those you left
    #[arg(long, conflicts_with_all = ["resume", "playback"])]
    pub(crate) new: bool,

    /// Record what is shown to this new file, in mender-cli's format
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Play a recording of ours or of mender-cli; needs no server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["device", "record"])]
    pub(crate) playback: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Sessions {
    /// List sessions: those that somebody is attached to, and those that wait
    #[command(after_help = "\
Examples:
  longwire sessions list
  longwire sessions list --mine --device pump-17
  longwire sessions list --json | jq -r '.[] | select(.state == \"detached\") | .id'")]
    List {
        /// Only those on this device: id, or an unambiguous name
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
        /// Only your own
        #[arg(long)]
        mine: bool,
        /// As JSON: an array of objects
        #[arg(long)]
        json: bool,
    },
    /// Go on with a session; Ctrl-] leaves it running, `exit` ends it
    #[command(after_help = "\
While somebody else is in control you look on; --take-over makes you the one who types.

Example:
  longwire sessions attach 4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11")]
    Attach {
        /// Id, as `list` gives it
        id: String,
        /// Take control from whoever has it
        #[arg(long)]
        take_over: bool,
    },
    /// Look on, without typing; q or Ctrl-] leaves
    #[command(
        after_help = "Example:\n  longwire sessions watch 4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11"
    )]
    Watch {
        /// Id, as `list` gives it
        id: String,
    },
    /// End a session and its shell, even while the device is away
    #[command(
        after_help = "Example:\n  longwire sessions kill 4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11"
    )]
    Kill {
        /// Id, as `list` gives it
        id: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn what_mender_cli_users_type_is_understood() {
        for line in [
            "--server https://x login --username u --password p --2fa-code 1",
            "login --server https://x",
            "-k --token-value t devices list -d 2",
            "devices list -r --token /tmp/t",
            "devices list -N 50 -P 2",
            "terminal 1234 --record f",
            "terminal --playback f",
            "-v terminal 1234",
            "terminal 1234 --resume",
            "terminal --resume 4dc3 1234",
            "terminal 1234 --new",
            "sessions attach 4dc3 --take-over",
        ] {
            let words = std::iter::once("longwire").chain(line.split(' '));
            assert!(CommandLine::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "terminal",
            "devices list -d 4",
            "devices list -N 501",
            "terminal a b",
            "terminal a --new --resume",
            "sessions attach",
            "bogus",
        ] {
            let words = std::iter::once("longwire").chain(line.split(' '));
            assert!(CommandLine::try_parse_from(words).is_err(), "{line}");
        }
    }
}
