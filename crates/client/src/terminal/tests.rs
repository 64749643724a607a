//! Both halves against a scripted server, in memory and under simulated time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use longwire_protocol::control::Control;
use longwire_protocol::limits::{INPUT_BODY_MAX, OUR_READ_LIMIT};
use longwire_protocol::shell::{FromDevice, FromUser, Stop, Winsize, text};
use longwire_protocol::{Message, Receiver, decode, encode};
use tokio::io::DuplexStream;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::{Event, Events, Lost, Terminal, over};

struct Server(WebSocketStream<DuplexStream>);

impl Server {
    async fn say(&mut self, said: FromDevice) {
        self.message(said.to_message("SID")).await;
    }

    async fn message(&mut self, message: Message) {
        self.0
            .send(Frame::Binary(encode(&message, Receiver::User)))
            .await
            .unwrap();
    }

    /// The next message that is no ping.
    async fn heard(&mut self) -> Message {
        loop {
            if let Frame::Binary(bytes) = self.0.next().await.unwrap().unwrap() {
                return decode(bytes).unwrap();
            }
        }
    }

    async fn heard_from_user(&mut self) -> (String, FromUser) {
        let message = self.heard().await;
        (message.sid.clone(), FromUser::try_from(&message).unwrap())
    }
}

/// A link with room for `room` bytes on the way.
async fn link(room: usize) -> (Terminal, Events, Server) {
    let (ours, theirs) = tokio::io::duplex(room);
    let config = WebSocketConfig::default().max_message_size(Some(OUR_READ_LIMIT));
    let ours = WebSocketStream::from_raw_socket(ours, Role::Client, Some(config)).await;
    let theirs = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    let (terminal, events) = over(ours);
    (terminal, events, Server(theirs))
}

async fn device(events: &mut Events) -> FromDevice {
    match events.next().await {
        Some(Event::Device(said)) => said,
        other => panic!("{other:?}"),
    }
}

async fn lost(events: &mut Events) -> Lost {
    match events.next().await {
        Some(Event::Lost(lost)) => lost,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_session_id_is_used_once_the_server_has_given_it() {
    let (terminal, mut events, mut server) = link(4096).await;
    let size = Winsize::new(40, 120);
    terminal.start(size).await.unwrap();
    assert_eq!(
        server.heard_from_user().await,
        (String::new(), FromUser::New { size })
    );
    server.say(FromDevice::Started).await;
    assert_eq!(device(&mut events).await, FromDevice::Started);
    terminal.resize(size.unwrap()).unwrap();
    assert_eq!(
        server.heard_from_user().await,
        ("SID".into(), FromUser::Resize(size.unwrap()))
    );
    terminal.stop().await.unwrap();
    assert_eq!(
        server.heard_from_user().await,
        ("SID".into(), FromUser::Stop { error: None })
    );
}

#[tokio::test(start_paused = true)]
async fn a_paste_goes_in_parts_that_every_agent_takes() {
    let (terminal, _events, mut server) = link(1 << 20).await;
    let paste: Bytes = (0..64 * 1024_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    terminal.input(paste.clone()).await.unwrap();
    let mut whole = Vec::new();
    while whole.len() < paste.len() {
        let (_, said) = server.heard_from_user().await;
        let FromUser::Input(part) = said else {
            panic!("{said:?}")
        };
        assert!(part.len() <= INPUT_BODY_MAX);
        whole.extend_from_slice(&part);
    }
    assert_eq!(whole, paste);
}

#[tokio::test(start_paused = true)]
async fn pings_of_device_and_agent_are_answered_here() {
    let (_terminal, mut events, mut server) = link(4096).await;
    server
        .say(FromDevice::Ping {
            timeout_s: Some(65),
        })
        .await;
    assert_eq!(
        server.heard_from_user().await,
        ("SID".into(), FromUser::Pong)
    );
    server.message(Control::Ping.to_message("OTHER")).await;
    let answer = server.heard().await;
    assert_eq!(Control::try_from(&answer), Ok(Control::Pong));
    assert_eq!(answer.sid, "OTHER");
    server.say(FromDevice::Started).await;
    assert_eq!(
        device(&mut events).await,
        FromDevice::Started,
        "pings are no events"
    );
}

#[tokio::test(start_paused = true)]
async fn a_websocket_ping_is_answered_with_its_payload() {
    let (_terminal, _events, mut server) = link(4096).await;
    server
        .0
        .send(Frame::Ping(Bytes::from_static(b"60")))
        .await
        .unwrap();
    assert_eq!(
        server.0.next().await.unwrap().unwrap(),
        Frame::Pong(Bytes::from_static(b"60"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_link_is_kept_alive() {
    let (_terminal, mut events, mut server) = link(4096).await;
    let start = Instant::now();
    for round in 1..=3_u32 {
        assert!(server.0.next().await.unwrap().unwrap().is_ping());
        assert_eq!(start.elapsed().as_secs(), 54 * u64::from(round));
        // The library answers on the next read.
        server.0.flush().await.unwrap();
    }
    server.say(FromDevice::Started).await;
    assert_eq!(device(&mut events).await, FromDevice::Started);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_said_and_then_given_up() {
    let (terminal, mut events, server) = link(4096).await;
    let start = Instant::now();
    terminal.input(Bytes::from_static(b"x")).await.unwrap();
    let Some(Event::Silent(silence)) = events.next().await else {
        panic!("not said")
    };
    assert_eq!((start.elapsed().as_secs(), silence.as_secs()), (13, 10));
    assert_eq!(
        lost(&mut events).await,
        Lost::Silent(Duration::from_secs(60))
    );
    assert_eq!(start.elapsed().as_secs(), 63);
    assert!(events.next().await.is_none());
    assert!(terminal.stop().await.is_err() || terminal.commands.capacity() > 0);
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_is_heard_again() {
    let (terminal, mut events, mut server) = link(4096).await;
    terminal.input(Bytes::from_static(b"x")).await.unwrap();
    assert!(matches!(events.next().await, Some(Event::Silent(_))));
    server
        .say(FromDevice::Output(Bytes::from_static(b"x")))
        .await;
    assert!(matches!(events.next().await, Some(Event::HeardAgain)));
    assert_eq!(
        device(&mut events).await,
        FromDevice::Output(Bytes::from_static(b"x"))
    );
}

#[tokio::test(start_paused = true)]
async fn item_58_a_closed_link_is_an_event_at_once() {
    let (_terminal, mut events, mut server) = link(4096).await;
    let start = Instant::now();
    let close = CloseFrame {
        code: 1011.into(),
        reason: "internal error".into(),
    };
    server.0.close(Some(close)).await.unwrap();
    assert_eq!(
        lost(&mut events).await,
        Lost::Closed {
            code: 1011,
            reason: "internal error".into()
        }
    );

    let (_terminal, mut events, server) = link(4096).await;
    drop(server);
    assert!(matches!(lost(&mut events).await, Lost::Broken(_)));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn item_55_a_message_above_our_limit_ends_the_link() {
    let (_terminal, mut events, mut server) = link(4 << 20).await;
    let output = FromDevice::Output(Bytes::from(vec![b'x'; OUR_READ_LIMIT]));
    server.say(output).await;
    assert!(matches!(lost(&mut events).await, Lost::Broken(_)));

    let (_terminal, mut events, mut server) = link(4 << 20).await;
    let output = FromDevice::Output(Bytes::from(vec![b'x'; OUR_READ_LIMIT - 1024]));
    server.say(output.clone()).await;
    assert_eq!(device(&mut events).await, output);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_ends_the_link_and_what_is_unknown_does_not() {
    let (_terminal, mut events, mut server) = link(4096).await;
    server
        .message(Message {
            proto: 77,
            typ: "later".into(),
            ..Message::default()
        })
        .await;
    let unknown = Message {
        typ: "later".into(),
        ..FromDevice::Started.to_message("SID")
    };
    server
        .message(Message {
            props: Default::default(),
            ..unknown
        })
        .await;
    server
        .say(FromDevice::Stop(Stop {
            error: true,
            ..Stop::default()
        }))
        .await;
    assert!(matches!(device(&mut events).await, FromDevice::Stop(_)));
    server
        .0
        .send(Frame::Binary(Bytes::from_static(b"\x92\x01\x02")))
        .await
        .unwrap();
    assert_eq!(
        lost(&mut events).await,
        Lost::Unreadable("message is not a map".into())
    );
}

#[tokio::test(start_paused = true)]
async fn text_frames_are_messages_too() {
    let (_terminal, mut events, mut server) = link(4096).await;
    let frame = "not msgpack";
    server.0.send(Frame::text(frame)).await.unwrap();
    assert!(matches!(lost(&mut events).await, Lost::Unreadable(_)));
}

#[tokio::test(start_paused = true)]
async fn a_control_error_is_told() {
    let (_terminal, mut events, mut server) = link(4096).await;
    let offender = FromUser::New { size: None }.to_message("SID");
    let error = longwire_protocol::control::Error::about(
        &offender,
        longwire_protocol::control::text::no_handler(1),
        false,
    );
    server
        .message(Control::Error(error).to_message("SID"))
        .await;
    assert_eq!(
        device(&mut events).await,
        FromDevice::Failed {
            typ: "new".into(),
            text: "no handler registered for protocol: 0x0001".into()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_size_waits_behind_no_input_and_the_last_one_counts() {
    let (terminal, _events, mut server) = link(1 << 20).await;
    let size = |rows| Winsize::new(rows, 80).unwrap();
    terminal.resize(size(1)).unwrap();
    terminal.resize(size(2)).unwrap();
    terminal.start(None).await.unwrap();
    let (_, said) = server.heard_from_user().await;
    assert_eq!(
        said,
        FromUser::New { size: None },
        "first of all the shell is asked for"
    );
    assert_eq!(server.heard_from_user().await.1, FromUser::Resize(size(2)));
}

/// A device that takes no more input must not keep its output from being read, else both wait for
/// ever.
#[tokio::test(start_paused = true)]
async fn output_flows_while_input_is_stuck() {
    let (terminal, mut events, mut server) = link(8192).await;
    let typing = tokio::spawn(async move {
        let _ = terminal.input(Bytes::from(vec![b'x'; 1 << 20])).await;
    });
    for _ in 0..100 {
        server
            .say(FromDevice::Output(Bytes::from_static(b"y")))
            .await;
        assert!(matches!(device(&mut events).await, FromDevice::Output(_)));
    }
    assert!(!typing.is_finished(), "the server has read no input");
    typing.abort();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_terminal_closes_the_websocket() {
    let (terminal, mut events, mut server) = link(4096).await;
    terminal.stop().await.unwrap();
    drop(terminal);
    assert!(matches!(
        server.heard_from_user().await.1,
        FromUser::Stop { .. }
    ));
    assert!(server.0.next().await.unwrap().unwrap().is_close());
    // Reading once more sends the answer.
    assert!(server.0.next().await.is_none());
    assert!(matches!(lost(&mut events).await, Lost::Closed { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_its_words() {
    let (_terminal, mut events, mut server) = link(4096).await;
    server
        .say(FromDevice::Refused(text::TOO_MANY_SESSIONS.into()))
        .await;
    assert_eq!(
        device(&mut events).await,
        FromDevice::Refused("user has too many open sessions".into())
    );
}
