//! What a server says about a session beside its stream: who is there, whether the device is, and
//! what people should know.

use longwire_protocol::{Message, Value, proto};

/// One operator who is attached to a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Present {
    /// What people know them by, an email address.
    pub name: String,
    /// Whether their input counts.
    pub control: bool,
    /// Whether this is us.
    pub is_self: bool,
}

/// The device's link to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceLink {
    /// Whether there is one.
    pub connected: bool,
    /// Since when it is as it is, in milliseconds since 1970 on the server's clock.
    pub since_ms: Option<i64>,
    /// Whether the link loses nothing when it breaks.
    pub lossless: bool,
}

/// Something people should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// The server's words; may be empty.
    pub text: String,
}

/// What a notice is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoticeKind {
    /// Nothing was typed or shown for long; the session ends then, in milliseconds since 1970.
    Idle(Option<i64>),
    /// The session was open for long and ends then, in milliseconds since 1970.
    Expiry(Option<i64>),
    /// The end that [`NoticeKind::Idle`] spoke of is off.
    IdleOver,
    /// Output is lost: from the first offset up to the second, if that is known.
    Gap(Option<u64>, Option<u64>),
    /// Somebody else is in control from now on.
    TakenOver(Option<String>),
    /// An interrupt threw input away.
    Interrupted,
    /// Something is the matter with the record of the session.
    Recording,
    /// What was asked for is not allowed.
    Refused,
    /// The server holds input back, so many bytes, that had to wait too long for the device.
    InputHeld(usize),
    /// Something that this program does not know.
    Other,
}

/// What a message beside the stream says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    Presence(Vec<Present>),
    /// The device's link, and where output that is live begins, if that is said.
    Device(DeviceLink, Option<u64>),
    Notice(Notice),
}

/// Sent to the server: input that it holds back is still meant.
pub(super) const RELEASE_INPUT: &str = "release";

/// The sessions of ours that hold the place a refused `new` asked for.
const DETACHED: &str = "detached";

impl Word {
    /// Reads a message beside the stream; `None` if it says nothing we know.
    pub(super) fn read(message: &Message) -> Option<Word> {
        if message.proto != proto::SHELL {
            return None;
        }
        let props = &message.props;
        let flag = |name| props.get(name).and_then(Value::as_bool);
        let count = |name| props.get_int(name).and_then(|n| u64::try_from(n).ok());
        match message.typ.as_str() {
            "presence" => {
                let viewers = props.get("viewers").and_then(Value::as_array)?;
                Some(Word::Presence(viewers.iter().filter_map(present).collect()))
            }
            "device" => Some(Word::Device(
                DeviceLink {
                    connected: flag("connected")?,
                    since_ms: props.get_int("since"),
                    lossless: flag("lossless").unwrap_or(true),
                },
                count("offset"),
            )),
            "notice" => {
                let kind = match props.get_str("kind")? {
                    "idle" => NoticeKind::Idle(props.get_int("ends_at")),
                    "expiry" => NoticeKind::Expiry(props.get_int("ends_at")),
                    "idle_over" => NoticeKind::IdleOver,
                    "gap" => NoticeKind::Gap(count("from"), count("to")),
                    "taken_over" => NoticeKind::TakenOver(props.get_str("by").map(str::to_owned)),
                    "interrupted" => NoticeKind::Interrupted,
                    "recording" => NoticeKind::Recording,
                    "refused" => NoticeKind::Refused,
                    "held" => NoticeKind::InputHeld(
                        count("bytes").map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX)),
                    ),
                    _ => NoticeKind::Other,
                };
                let text = String::from_utf8_lossy(&message.body).into_owned();
                Some(Word::Notice(Notice { kind, text }))
            }
            _ => None,
        }
    }
}

/// The sessions that a refusal names.
pub(super) fn detached(refusal: &Message) -> Vec<String> {
    refusal
        .props
        .get(DETACHED)
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .filter_map(|sid| sid.as_str().map(str::to_owned))
        .collect()
}

fn present(value: &Value) -> Option<Present> {
    let Value::Map(fields) = value else {
        return None;
    };
    let field = |wanted: &str| {
        fields
            .iter()
            .find(|(name, _)| name.as_str() == Some(wanted))
            .map(|(_, value)| value)
    };
    let flag = |name| field(name).and_then(Value::as_bool).unwrap_or(false);
    Some(Present {
        name: field("name")?.as_str()?.to_owned(),
        control: flag("control"),
        is_self: flag("self"),
    })
}
