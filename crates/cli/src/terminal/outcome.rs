//! What the end of a terminal means to whoever started it.

use longwire_client::terminal::Lost;
use longwire_protocol::shell::{Ended, Stop};

use crate::failure::{Code, Failure};

/// The exit code when link or session ended otherwise than by the shell's own end.
const OTHERWISE: u8 = 255;

/// The end of a terminal whose shell had started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outcome {
    /// The program's exit code.
    pub(super) code: u8,
    /// What to tell people, if the code does not say it all.
    pub(super) words: Option<String>,
}

impl Outcome {
    /// The user left.
    pub(super) fn left() -> Self {
        Outcome {
            code: 0,
            words: None,
        }
    }

    pub(super) fn otherwise(words: impl Into<String>) -> Self {
        Outcome {
            code: OTHERWISE,
            words: Some(words.into()),
        }
    }

    pub(super) fn lost(lost: &Lost) -> Self {
        Outcome::otherwise(lost.to_string())
    }

    /// The device, or the server in its place, said `stop`.
    pub(super) fn stopped(stop: &Stop) -> Self {
        let words = || (!stop.text.is_empty()).then(|| stop.text.clone());
        match (stop.reason, stop.exit_status) {
            (Some(Ended::Exited | Ended::Signaled), Some(status)) => {
                // A status is one byte to every shell.
                let code = u8::try_from(status).unwrap_or(OTHERWISE);
                Outcome {
                    code,
                    words: words().filter(|_| stop.reason == Some(Ended::Signaled)),
                }
            }
            (Some(Ended::Exited), None) => Outcome {
                code: 0,
                words: None,
            },
            (Some(reason), _) => Outcome::otherwise(words().unwrap_or_else(|| {
                format!("the session ended: {}", reason.as_str().replace('_', " "))
            })),
            // Agents that give no reason: this is how they tell of a shell's own end.
            (None, _) if !stop.error || stop.text.is_empty() || is_own_end(&stop.text) => Outcome {
                code: 0,
                words: None,
            },
            (None, _) => Outcome::otherwise(stop.text.clone()),
        }
    }
}

/// A real agent reads from a shell's pty until that fails because the shell has gone.
fn is_own_end(text: &str) -> bool {
    text.starts_with("read /dev/ptmx:")
}

/// A `stop` before the shell had started.
pub(super) fn not_started(stop: &Stop) -> Failure {
    let code = match stop.reason {
        Some(Ended::DeviceGone) => Code::Offline,
        Some(Ended::Refused) => Code::NotAllowed,
        Some(
            Ended::Exited
            | Ended::Signaled
            | Ended::Stopped
            | Ended::Idle
            | Ended::Expired
            | Ended::OverLimit,
        )
        | None => Code::Failure,
    };
    let why = if stop.text.is_empty() {
        "the session was ended"
    } else {
        &stop.text
    };
    Failure::new(code, format!("Unable to start the shell: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(error: bool, reason: Option<Ended>, exit_status: Option<i32>, text: &str) -> Outcome {
        Outcome::stopped(&Stop {
            error,
            reason,
            exit_status,
            text: text.into(),
        })
    }

    #[test]
    fn the_exit_code_is_the_shells() {
        assert_eq!(
            stop(true, Some(Ended::Exited), Some(0), "x"),
            Outcome::left()
        );
        assert_eq!(stop(true, Some(Ended::Exited), Some(3), "x").code, 3);
        assert_eq!(stop(true, Some(Ended::Exited), Some(3), "x").words, None);
        assert_eq!(stop(true, Some(Ended::Exited), None, "").code, 0);
        assert_eq!(stop(true, Some(Ended::Exited), Some(300), "").code, 255);
        let killed = stop(true, Some(Ended::Signaled), Some(137), "killed by signal 9");
        assert_eq!(
            killed,
            Outcome {
                code: 137,
                words: Some("killed by signal 9".into())
            }
        );
    }

    #[test]
    fn any_other_end_is_255_and_says_why() {
        for reason in [
            Ended::Signaled,
            Ended::Stopped,
            Ended::Idle,
            Ended::Expired,
            Ended::DeviceGone,
            Ended::OverLimit,
            Ended::Refused,
        ] {
            let outcome = stop(true, Some(reason), None, "");
            assert_eq!(outcome.code, 255, "{reason:?}");
            assert!(outcome.words.is_some());
            assert_eq!(
                stop(true, Some(reason), None, "why").words.as_deref(),
                Some("why")
            );
        }
        assert_eq!(Outcome::lost(&Lost::Broken("x".into())).code, 255);
    }

    #[test]
    fn agents_that_give_no_reason_end_cleanly() {
        let own = longwire_protocol::shell::text::READ_ERROR;
        assert_eq!(stop(true, None, None, own), Outcome::left());
        assert_eq!(stop(false, None, None, ""), Outcome::left());
        assert_eq!(
            stop(true, None, None, "session byte limit exceeded").code,
            255
        );
    }

    #[test]
    fn before_the_start_it_is_a_failure_with_a_code() {
        let failed = |reason| {
            not_started(&Stop {
                reason,
                text: "why".into(),
                ..Stop::default()
            })
            .code
        };
        assert_eq!(failed(Some(Ended::DeviceGone)), Code::Offline);
        assert_eq!(failed(Some(Ended::Refused)), Code::NotAllowed);
        assert_eq!(failed(None), Code::Failure);
    }
}
