//! The lab's own tools, tried on programs that every Debian has.

use std::ffi::OsStr;
use std::path::PathBuf;

use longwire_e2e::peers::Device;
use longwire_e2e::terminal::Terminal;
use longwire_e2e::until::until;
use nix::sys::signal::Signal;

#[tokio::test]
async fn a_terminal_shows_what_a_shell_answers() {
    let bash = PathBuf::from("/bin/bash");
    let mut terminal = Terminal::start(bash, &["--norc"], &[("PS1", "% ".to_owned())], (24, 80))
        .await
        .unwrap();
    terminal.shows("% ").await.unwrap();
    terminal.types("stty size; echo $((6*7))\n").unwrap();
    terminal.shows("24 80\r\n42\r\n").await.unwrap();
    terminal.resize(40, 100).await.unwrap();
    terminal.types("stty size\n").unwrap();
    terminal.shows("40 100\r\n").await.unwrap();
    // A Ctrl-C between the shell's fork and its exec is lost; this one says when it can be typed.
    terminal
        .types("sh -c 'echo sle\"\"eping; exec sleep 1000'\n")
        .unwrap();
    terminal.shows("sleeping\r\n").await.unwrap();
    terminal.types("\x03").unwrap();
    terminal.shows("% ").await.unwrap();
    terminal.types("exit 7\n").unwrap();
    assert_eq!(terminal.ends().await.unwrap().code(), Some(7));
}

#[tokio::test]
async fn a_contained_program_sees_its_own_folders_and_takes_its_children_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new(folder.path(), "02:00:00:00:00:01").unwrap();
    let script = "cat /etc/mender/artifact_info; /usr/share/mender/identity/mender-device-identity; \
                  sleep 1000 & echo started; wait";
    let mut program = device
        .start("sh", "sh", &[OsStr::new("-c"), OsStr::new(script)])
        .unwrap();
    program.printed("started").await.unwrap();
    let output = program.output().unwrap();
    assert!(
        output.starts_with("artifact_name=lab\nmac=02:00:00:00:00:01\n"),
        "{output}"
    );
    // Between fork and exec it still bears its parent's name.
    let child = until("the contained program's only child", async || {
        let others = program.others().await?;
        assert_eq!(others.len(), 1, "one child");
        Ok(others.into_iter().find(|other| other.name == "sleep"))
    })
    .await
    .unwrap();

    nix::sys::signal::kill(child.pid, Signal::SIGKILL).unwrap();
    program.ended().await.unwrap();
    let artifact_info = std::fs::read_to_string("/etc/mender/artifact_info");
    assert!(
        artifact_info.is_err(),
        "the machine's own folder is as it was"
    );
}
