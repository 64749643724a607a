//! Close codes and reasons: no websocket is ever closed without them.

use std::borrow::Cow;

use axum::extract::ws::{CloseFrame, close_code};

use crate::bus::Closing;
use crate::session::{CloseReason, EndReason};

/// The server restarts: devices spread their return over some time.
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
pub(super) fn link(reason: EndReason) -> Closing {
    let code = match reason {
        EndReason::ServerEnding => SERVICE_RESTART,
        EndReason::DeviceRemoved | EndReason::NotAllowed => close_code::POLICY,
        EndReason::DeviceGone => close_code::AWAY,
    };
    with(code, reason.text())
}

/// What is said to a device that has connected again.
pub(super) fn replaced() -> Closing {
    with(
        close_code::POLICY,
        "replaced by a newer connection of this device",
    )
}

/// What is said to a device that asks for more than it reads.
pub(super) fn untaken() -> Closing {
    with(close_code::POLICY, "messages were not taken in time")
}

/// What is said to a device that says nothing.
pub(super) fn silent() -> Closing {
    with(close_code::AWAY, "no sign of life for 75 seconds")
}

/// What is said to an operator's end.
pub(super) fn viewer(reason: CloseReason) -> Closing {
    let code = match reason {
        CloseReason::Ended(EndReason::ServerEnding | EndReason::DeviceGone) => close_code::AWAY,
        CloseReason::Ended(EndReason::DeviceRemoved | EndReason::NotAllowed)
        | CloseReason::TooSlow => close_code::POLICY,
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
