//! The program, with a home of its own.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < DEADLINE,
            "not within {} s: {what}",
            DEADLINE.as_secs()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How a program ended.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A person's home folder.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Home(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// Our program.
    pub fn longwire(&self, arguments: &[&str]) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_longwire")), arguments)
    }

    /// Debian's mender-cli.
    pub fn mender_cli(&self, arguments: &[&str]) -> Command {
        let program = Path::new("/usr/bin/mender-cli");
        assert!(program.exists(), "install Debian's package mender-cli");
        self.command(program, arguments)
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.0.path())
            .current_dir(self.0.path());
        command
    }

    /// Signed in to a server.
    pub fn signed_in(server: &str) -> Self {
        let home = Home::new();
        let login = ["--server", server, "login", "--username", "me@example.com"];
        let done = run(home.longwire(&login), b"secret\n");
        assert_eq!(
            (done.code, done.out.as_str()),
            (Some(0), "login successful\n"),
            "{done:?}"
        );
        home
    }
}

/// Runs a program with this input to its end.
pub fn run(mut command: Command, input: &[u8]) -> Done {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input");
    let input = input.to_vec();
    // A program that does not read its input must not block the test.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let out = collect(child.stdout.take().expect("its output"));
    let err = collect(child.stderr.take().expect("its errors"));
    let code = exit_code(&mut child);
    let _ = writer.join();
    Done {
        code,
        out: out.join().expect("output"),
        err: err.join().expect("errors"),
    }
}

fn collect(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for a program's end; `None` for one that a signal ended.
pub fn exit_code(child: &mut Child) -> Option<i32> {
    let mut status = None;
    let start = Instant::now();
    while status.is_none() {
        status = child.try_wait().expect("a child");
        if start.elapsed() > DEADLINE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the program does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    status.and_then(|status| status.code())
}
