//! Close codes and reasons: no websocket is ever closed without them.

use std::borrow::Cow;

use axum::extract::ws::{CloseFrame, close_code};

use crate::bus::Closing;
use crate::session::{CloseReason, EndReason, LinkClose};

/// The server restarts: devices and operators' ends spread their return over some time.
const SERVICE_RESTART: u16 = 1012;

/// A close frame's reason holds no more bytes.
const REASON_BYTES_MAX: usize = 123;

/// How a websocket is closed.
pub(super) fn with(code: u16, reason: impl Into<Cow<'static, str>>) -> Closing {
    let reason = reason.into();
    Closing { code, reason }
}

/// The close frame for it.
pub(super) fn frame(closing: Closing) -> CloseFrame {
    let Closing { code, mut reason } = closing;
    if reason.len() > REASON_BYTES_MAX {
        let cut = reason.floor_char_boundary(REASON_BYTES_MAX);
        reason = reason.get(..cut).unwrap_or_default().to_owned().into();
    }
    CloseFrame {
        code,
        reason: reason.as_ref().into(),
    }
}

/// What is said to a device.
pub(super) fn link(why: LinkClose) -> Closing {
    match why {
        LinkClose::End(reason) => ended(reason),
        LinkClose::Broken(text) => with(close_code::PROTOCOL, text),
    }
}

/// What is said to a device that has connected again.
pub(super) fn replaced() -> Closing {
    with(
        close_code::POLICY,
        "replaced by a newer connection of this device",
    )
}

/// What is said to a device whose token does not count any more.
pub(super) fn revoked() -> Closing {
    with(close_code::POLICY, "the token is not valid any more")
}

/// What is said to a device that says nothing.
pub(super) fn silent() -> Closing {
    with(close_code::AWAY, "no sign of life for 75 seconds")
}

/// What is said to an operator's end.
pub(super) fn viewer(reason: CloseReason) -> Closing {
    match reason {
        CloseReason::Ended(reason) => ended(reason),
        CloseReason::TooSlow => with(close_code::POLICY, reason.text()),
        CloseReason::Broken => with(close_code::PROTOCOL, reason.text()),
        CloseReason::Silent => with(close_code::AWAY, reason.text()),
    }
}

/// What is said to whoever loses what the server ends.
fn ended(reason: EndReason) -> Closing {
    let code = match reason {
        EndReason::ServerEnding => SERVICE_RESTART,
        EndReason::DeviceRemoved | EndReason::NotAllowed => close_code::POLICY,
        EndReason::DeviceGone => close_code::AWAY,
        EndReason::Stopped | EndReason::Abandoned | EndReason::NotRecorded => close_code::NORMAL,
    };
    with(code, reason.text())
}

#[cfg(test)]
mod tests {
    use super::{frame, with};

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = frame(with(1008, "ä".repeat(100)));
        assert_eq!(frame.reason.as_str(), "ä".repeat(61));
    }
}
