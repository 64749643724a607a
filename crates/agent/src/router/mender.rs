//! Orders to the Mender client beside us: look for an update, send the inventory. Its command runs
//! as long as it likes; nothing waits for it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use longwire_protocol::Message;
use longwire_protocol::prop::STATUS;
use longwire_protocol::shell::status;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::connection::outbox::Answers;

/// Where the client's program is, current name first.
const PROGRAMS: [&str; 2] = ["/usr/bin/mender-update", "/usr/bin/mender"];
/// Commands that may run at a time.
const MOST_COMMANDS: usize = 4;

/// Starts the client's commands and sends the answers when they have ended.
#[derive(Debug)]
pub(crate) struct MenderClient {
    programs: Vec<PathBuf>,
    answers: Answers,
    commands: JoinSet<()>,
}

impl MenderClient {
    /// Looks for the client where its packages put it.
    pub(crate) fn new(answers: Answers) -> Self {
        Self::with_programs(answers, PROGRAMS.iter().map(PathBuf::from).collect())
    }

    /// Takes the first of `programs` that exists.
    pub(crate) fn with_programs(answers: Answers, programs: Vec<PathBuf>) -> Self {
        Self {
            programs,
            answers,
            commands: JoinSet::new(),
        }
    }

    /// Carries out an order. The returned answer says why it was not even started.
    pub(crate) fn run(&mut self, order: Message) -> Option<Message> {
        while self.commands.try_join_next().is_some() {}
        if self.commands.len() >= MOST_COMMANDS {
            return Some(answer(
                &order,
                Err("too many commands are running".to_owned()),
            ));
        }
        let Some(program) = self.programs.iter().find(|program| program.exists()) else {
            return Some(answer(&order, Err(self.not_found())));
        };
        let command = command(program, &order.typ);
        let answers = self.answers.clone();
        self.commands.spawn(async move {
            let result = finish(command).await;
            if let Err(error) = &result {
                log::warn!("the Mender client's {}: {error}", order.typ);
            }
            answers.send(answer(&order, result)).await;
        });
        None
    }

    fn not_found(&self) -> String {
        let tried: Vec<_> = self
            .programs
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!(
            "Cannot find Mender client binary, tried [{}]",
            tried.join(" ")
        )
    }
}

/// Returns the answer to an order: its type and session with the result.
pub(super) fn answer(order: &Message, result: Result<(), String>) -> Message {
    let mut answer = Message {
        proto: order.proto,
        typ: order.typ.clone(),
        sid: order.sid.clone(),
        ..Message::default()
    };
    answer.props.set(
        STATUS,
        if result.is_ok() {
            status::NORMAL
        } else {
            status::ERROR
        },
    );
    if let Err(text) = result {
        answer.body = Bytes::from(text);
    }
    answer
}

fn command(program: &Path, order: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg(order)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // The agent's end is no reason to break an update off.
        .kill_on_drop(false);
    command
}

async fn finish(mut command: Command) -> Result<(), String> {
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(describe(status)),
        Err(error) => Err(io_text(&error)),
    }
}

fn io_text(error: &io::Error) -> String {
    format!("cannot run it: {error}")
}

/// In the words of mender-connect.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::outbox::{Outgoing, queues};

    fn order(typ: &str) -> Message {
        Message {
            proto: 4,
            typ: typ.into(),
            sid: "s".into(),
            ..Message::default()
        }
    }

    async fn result_of(program: &str) -> Message {
        let (_outbox, answers, mut queues, _link) = queues();
        let mut client = MenderClient::with_programs(answers, vec![program.into()]);
        if let Some(answer) = client.run(order("send-inventory")) {
            return answer;
        }
        match queues.next().await {
            Outgoing::Message(message) => message,
            Outgoing::Ping(_) => panic!("nobody pings"),
        }
    }

    #[tokio::test]
    async fn success_is_answered_with_status_1() {
        let answer = result_of("/bin/true").await;
        assert_eq!(
            (answer.typ.as_str(), answer.sid.as_str()),
            ("send-inventory", "s")
        );
        assert_eq!(
            (answer.props.get_int("status"), answer.body.len()),
            (Some(1), 0)
        );
    }

    #[tokio::test]
    async fn item_46_failure_is_answered_in_the_known_words() {
        let answer = result_of("/bin/false").await;
        assert_eq!(answer.props.get_int("status"), Some(2));
        assert_eq!(&answer.body[..], b"exit status 1");
        let answer = result_of("/nonexistent/mender").await;
        assert_eq!(
            &answer.body[..],
            b"Cannot find Mender client binary, tried [/nonexistent/mender]"
        );
    }
}
