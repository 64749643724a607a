//! Terminals in a terminal: the program in a pty, under the eyes of the test.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use longwire_protocol::shell::{FromUser, Winsize};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, tcgetattr, tcsetwinsize};

use crate::endpoint::Endpoint;
use crate::program::{Home, exit_code, wait_until};

const NOCTTY: i32 = 0o400;

/// A terminal with the program in it.
struct Terminal {
    keys: File,
    /// Kept open to look at the modes.
    inside: OwnedFd,
    before: String,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Terminal {
    fn start(command: &Command) -> Self {
        let outside = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        grantpt(&outside).expect("a pty");
        unlockpt(&outside).expect("a pty");
        let name = ptsname(&outside, Vec::new()).expect("its name");
        let inside: OwnedFd = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(NOCTTY)
            .open(name.to_str().expect("a path"))
            .expect("its other end")
            .into();
        resize(&outside, 30, 100);
        let before = modes(&inside);
        let stdio = || Stdio::from(inside.try_clone().expect("a descriptor"));
        // A session of its own, so that the pty is its controlling terminal and tells of sizes.
        let mut in_session = Command::new("setsid");
        in_session
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args());
        in_session.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                in_session.env(name, value);
            }
        }
        in_session.env("PATH", "/usr/bin:/bin");
        let child = in_session
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .expect("the program starts");
        let keys = File::from(outside);
        let mut screen = keys.try_clone().expect("a descriptor");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let seen = shown.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len) = screen.read(&mut buffer) {
                if len == 0 {
                    break;
                }
                seen.lock()
                    .expect("nobody panicked")
                    .extend_from_slice(&buffer[..len]);
            }
        });
        Terminal {
            keys,
            inside,
            before,
            shown,
            child,
        }
    }

    fn keys(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).expect("keys");
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("nobody panicked")).into_owned()
    }

    fn wait_for(&self, text: &str) {
        wait_until(&format!("{text:?} is shown"), || {
            self.shown().contains(text)
        });
    }

    fn is_as_before(&self) -> bool {
        modes(&self.inside) == self.before
    }

    fn end(&mut self) -> Option<i32> {
        let code = exit_code(&mut self.child);
        assert!(
            self.is_as_before(),
            "the terminal was not put back: {}",
            modes(&self.inside)
        );
        code
    }

    /// The program itself; what was started is `setsid`.
    fn program(&self) -> Pid {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let first = |text: &str| text.split(' ').next().and_then(|pid| pid.parse().ok());
        let text = std::fs::read_to_string(children).expect("children");
        // Without a child of its own, `setsid` became the program.
        let pid = first(&text).unwrap_or(self.child.id().cast_signed());
        Pid::from_raw(pid).expect("a process")
    }
}

fn resize(terminal: &impl std::os::fd::AsFd, rows: u16, cols: u16) {
    let size = rustix::termios::Winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("a size");
}

fn modes(terminal: &OwnedFd) -> String {
    let modes: Termios = tcgetattr(terminal).expect("modes");
    format!(
        "{:?} {:?} {:?} {:?}",
        modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes
    )
}

/// A terminal on the device, its prompt shown.
fn open() -> (Terminal, Endpoint, Home) {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let terminal = Terminal::start(&home.longwire(&["terminal", "d1"]));
    terminal.wait_for("$ ");
    (terminal, endpoint, home)
}

#[test]
fn item_58_ctrl_bracket_leaves_and_puts_the_terminal_back() {
    let (mut terminal, endpoint, _home) = open();
    terminal.wait_for("Press CTRL+] to quit the session");
    wait_until("the terminal is raw", || !terminal.is_as_before());
    terminal.keys(b"ls\r");
    terminal.wait_for("<ls>");
    terminal.keys(b"\x1d");
    assert_eq!(terminal.end(), Some(0));
    endpoint.wait_for_end();
    assert_eq!(
        endpoint.asked(|asked| asked.kinds()),
        ["new", "shell", "stop"]
    );
    assert_eq!(endpoint.asked(|asked| asked.input()), b"ls\r");
}

#[test]
fn item_58_the_size_is_right_at_once_and_follows() {
    let (mut terminal, endpoint, _home) = open();
    let size = Winsize::new(30, 100);
    assert_eq!(
        endpoint.asked(|asked| asked.said[0].clone()),
        FromUser::New { size }
    );
    resize(&terminal.keys, 50, 200);
    let size = Winsize::new(50, 200).expect("a size");
    wait_until("the new size arrives", || {
        endpoint.asked(|asked| asked.said.contains(&FromUser::Resize(size)))
    });
    terminal.keys(b"\x1d");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn item_58_a_stop_ends_the_program() {
    let (mut terminal, _endpoint, _home) = open();
    terminal.keys(b"exit 3\r");
    assert_eq!(terminal.end(), Some(3));
}

#[test]
fn item_58_a_lost_link_ends_the_program_and_is_said() {
    for (word, said) in [
        ("cut", "FAILURE: connection to the server lost"),
        (
            "close",
            "FAILURE: the server closed the connection: internal error (1011)",
        ),
    ] {
        let (mut terminal, _endpoint, _home) = open();
        terminal.keys(format!("{word}\r").as_bytes());
        assert_eq!(terminal.end(), Some(255));
        terminal.wait_for(said);
    }
}

#[test]
fn item_58_a_signal_puts_the_terminal_back() {
    for (signal, name) in [
        (Signal::TERM, "SIGTERM"),
        (Signal::INT, "SIGINT"),
        (Signal::HUP, "SIGHUP"),
    ] {
        let (mut terminal, endpoint, _home) = open();
        wait_until("the terminal is raw", || !terminal.is_as_before());
        kill_process(terminal.program(), signal).expect("a signal");
        assert_eq!(terminal.end(), Some(255));
        terminal.wait_for(&format!("FAILURE: ended by {name}"));
        endpoint.wait_for_end();
        assert_eq!(endpoint.asked(|asked| asked.kinds()), ["new", "stop"]);
    }
}

#[test]
fn what_a_program_on_the_device_switched_on_is_switched_off() {
    let (mut terminal, _endpoint, _home) = open();
    terminal.keys(b"vim\r");
    terminal.wait_for("VIM");
    terminal.keys(b"\x1d");
    assert_eq!(terminal.end(), Some(0));
    terminal.wait_for("\x1b[?1049l\x1b[?25h\x1b[?2004l");
}

#[test]
fn interrupts_and_stops_go_to_the_device() {
    let (mut terminal, endpoint, _home) = open();
    wait_until("the terminal is raw", || !terminal.is_as_before());
    terminal.keys(b"\x03\x1a\x1c\x04");
    wait_until("the keys arrive", || {
        endpoint.asked(|asked| asked.input()) == b"\x03\x1a\x1c\x04"
    });
    terminal.keys(b"\x1d");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_password_is_not_shown_and_an_interrupt_puts_the_terminal_back() {
    let endpoint = Endpoint::start();
    let home = Home::new();
    let url = endpoint.url();
    let login = ["--server", &url, "login", "--username", "me@example.com"];
    let mut terminal = Terminal::start(&home.longwire(&login));
    terminal.wait_for("Password: ");
    wait_until("what is typed is hidden", || !terminal.is_as_before());
    terminal.keys(b"secret\r");
    terminal.wait_for("login successful");
    assert_eq!(terminal.end(), Some(0));
    assert!(!terminal.shown().contains("secret"));

    let mut terminal = Terminal::start(&home.longwire(&login));
    terminal.wait_for("Password: ");
    wait_until("what is typed is hidden", || !terminal.is_as_before());
    kill_process(terminal.program(), Signal::TERM).expect("a signal");
    assert_eq!(terminal.end(), Some(1));
}

#[test]
fn a_list_for_people_is_a_table() {
    let endpoint = Endpoint::start();
    let home = Home::signed_in(&endpoint.url());
    let mut terminal = Terminal::start(&home.longwire(&["devices", "list"]));
    assert_eq!(terminal.end(), Some(0));
    terminal.wait_for("NAME     ID  STATUS                     CONNECTED");
    terminal.wait_for("pump-17  d1  accepted, new key pending  yes");
    terminal.wait_for("0e:fb    d2  pending                    ?");
}
