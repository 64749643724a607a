//! The words that users of real agents and servers know; scripts look for them.

/// Body of the answer to `new`.
pub const STARTED: &str = "Shell started";

/// Answer to `new`: the user has as many shells as `Sessions.MaxPerUser` allows.
pub const TOO_MANY_SESSIONS: &str = "user has too many open sessions";

/// Answer to `new`: the device has as many shells as it allows.
pub const TOO_MANY_SHELLS: &str = "too many shells spawned";

/// Answer to `new` for a session that has its shell already.
pub const ALREADY_RUNNING: &str = "failed to start shell: shell is already running";

/// Answer to input for a session that has no shell.
pub const SESSION_NOT_FOUND: &str = "session not found";

/// Answer to a `stop` that names neither session nor user.
pub const STOP_WITHOUT_SESSION: &str = "StopShellMessage: sessionId not given and userId empty";

/// `stop` to a device whose user's link was lost.
pub const USER_DISCONNECTED: &str = "user disconnected";

/// `stop` to a device whose session had too much output for the real server.
pub const BYTE_LIMIT_EXCEEDED: &str = "session byte limit exceeded";

/// `stop` from a real agent whose shell has exited by itself.
pub const READ_ERROR: &str = "read /dev/ptmx: input/output error";

/// Answer to `new`: the shell cannot be started.
pub fn start_failed(error: &str) -> String {
    format!("failed to start shell: {error}")
}

/// Answer to a `stop` for a session that has no shell.
pub fn stop_session_not_found(sid: &str) -> String {
    format!("routeMessage: StopShellMessage: session not found for id {sid}")
}

/// Answer to a `stop` that did not work.
pub fn could_not_terminate(error: &str) -> String {
    format!("could not terminate shell: {error}")
}

/// Answer to input that could not be written to the shell.
pub fn command_failed(sid: &str, error: &str) -> String {
    format!("routeMessage: shell command execution error, session_id={sid}: {error}")
}

/// Answer to a message that has no meaning, and to every shell message when the terminal is
/// disabled. Its type is that of the message.
pub fn unknown_message(proto: u16, typ: &str) -> String {
    format!("unknown message protocol and type: {proto}/{typ}")
}
