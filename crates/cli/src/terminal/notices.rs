//! The words for what happens to a session.

use longwire_client::session::{Closed, DeviceLink, Notice, NoticeKind, Present};

use crate::words::utc;

/// A device has gone or has come back.
pub(super) fn device(before: Option<DeviceLink>, now: DeviceLink) -> Option<String> {
    let was_connected = before.is_none_or(|before| before.connected);
    match (was_connected, now.connected) {
        (true, false) => {
            let since = now
                .since_ms
                .map(|ms| format!(" since {}", utc(ms.div_euclid(1000))))
                .unwrap_or_default();
            let shell = if now.lossless {
                "its shell runs on, and output will follow"
            } else {
                "what its shell prints until then may be lost"
            };
            Some(format!("the device is away{since}; {shell}"))
        }
        (false, true) => Some("the device is back".to_owned()),
        _ if before.is_none() && !now.lossless => {
            Some("this device's agent may lose output when its link breaks".to_owned())
        }
        _ => None,
    }
}

/// Who else is there; `None` if nobody is.
pub(super) fn others(present: &[Present]) -> Option<String> {
    let names: Vec<String> = present
        .iter()
        .filter(|viewer| !viewer.is_self)
        .map(|viewer| {
            if viewer.control {
                format!("{} (in control)", viewer.name)
            } else {
                viewer.name.clone()
            }
        })
        .collect();
    (!names.is_empty()).then(|| format!("also here: {}", names.join(", ")))
}

/// What the server wants people to know.
pub(super) fn notice(notice: &Notice) -> Option<String> {
    let ends = |at: Option<i64>| {
        at.map(|ms| format!(" at {}", utc(ms.div_euclid(1000))))
            .unwrap_or_default()
    };
    let words = match &notice.kind {
        NoticeKind::Idle(at) => format!(
            "nothing happens here: the session ends{} unless something is typed",
            ends(*at)
        ),
        NoticeKind::Expiry(at) => format!("the session ends{}: its time is up", ends(*at)),
        NoticeKind::IdleOver => "the session goes on".to_owned(),
        NoticeKind::Gap(Some(from), Some(to)) => {
            format!("{} bytes of output are lost", to.saturating_sub(*from))
        }
        NoticeKind::Gap(..) => "output is lost, nobody knows how much".to_owned(),
        NoticeKind::Recording => "something is the matter with the recording".to_owned(),
        NoticeKind::Refused => "you may not do that".to_owned(),
        // Told when control is lost.
        NoticeKind::TakenOver(_) => return None,
        NoticeKind::Interrupted | NoticeKind::InputHeld(_) | NoticeKind::Other => String::new(),
    };
    let words = if notice.text.is_empty() {
        words
    } else {
        notice.text.clone()
    };
    (!words.is_empty()).then_some(words)
}

/// Why there is no other attempt.
pub(super) fn closed(closed: &Closed) -> String {
    match closed {
        Closed::Turned(error) => error.to_string(),
        Closed::Lost(lost) => lost.to_string(),
        Closed::Plain => "the server that answers now keeps no sessions".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(connected: bool, lossless: bool) -> DeviceLink {
        DeviceLink {
            connected,
            since_ms: Some(1_700_000_000_123),
            lossless,
        }
    }

    #[test]
    fn a_device_that_goes_and_comes_is_said_once() {
        let words = device(Some(link(true, true)), link(false, true)).unwrap();
        assert!(
            words.starts_with("the device is away since Tue Nov 14 22:13:20 UTC 2023; its shell")
        );
        assert_eq!(device(Some(link(false, true)), link(false, true)), None);
        let back = device(Some(link(false, true)), link(true, true));
        assert_eq!(back.as_deref(), Some("the device is back"));
        assert_eq!(device(None, link(true, true)), None);
        assert!(device(None, link(true, false)).is_some());
        assert!(
            device(None, link(false, false))
                .unwrap()
                .contains("may be lost")
        );
    }

    #[test]
    fn who_else_is_there_is_said() {
        let viewer = |name: &str, control, is_self| Present {
            name: name.to_owned(),
            control,
            is_self,
        };
        assert_eq!(others(&[viewer("me", true, true)]), None);
        let all = [
            viewer("me", false, true),
            viewer("ann", true, false),
            viewer("bo", false, false),
        ];
        assert_eq!(
            others(&all).as_deref(),
            Some("also here: ann (in control), bo")
        );
    }

    #[test]
    fn the_servers_words_win() {
        let said = |kind, text: &str| {
            notice(&Notice {
                kind,
                text: text.to_owned(),
            })
        };
        assert_eq!(
            said(NoticeKind::Idle(None), "soon over").as_deref(),
            Some("soon over")
        );
        assert_eq!(
            said(NoticeKind::Gap(Some(5), Some(9)), "").as_deref(),
            Some("4 bytes of output are lost")
        );
        assert_eq!(said(NoticeKind::Other, ""), None);
    }
}
