//! Traces of a client's end.

use std::time::Duration;

use longwire_link::{
    Attachment, Generation, Hello, LinkError, ShellConfig, ShellEnd, ToUserEnd, UserEnd,
};
use longwire_protocol::shell::Winsize;
use longwire_protocol::{Message, Props, Receiver};
use serde_json::{Value, json};

use super::{SID, Steps, bytes, event, hex, size, stop, wire};

pub struct Viewer {
    pub end: UserEnd,
    /// The server's end, which is not part of the trace.
    pub peer: ShellEnd,
    now: Duration,
    links: Option<(Generation, Generation)>,
    steps: Steps,
}

impl Viewer {
    pub fn new() -> Self {
        Viewer::towards(ShellConfig::for_viewer("server-1"))
    }

    pub fn towards(server: ShellConfig) -> Self {
        Viewer {
            end: UserEnd::for_viewer(Hello::new("page-1", 512 * 1024)),
            peer: ShellEnd::new(server),
            now: Duration::ZERO,
            links: None,
            steps: Steps::default(),
        }
    }

    pub fn steps(self) -> Vec<Value> {
        self.steps.0
    }

    fn call(&mut self, name: &str, arguments: Value) {
        let at_ms = u64::try_from(self.now.as_millis()).unwrap();
        self.steps.call(at_ms, name, arguments);
    }

    pub fn connect(&mut self) {
        self.call("connected", json!({}));
        self.links = Some((self.end.connected(self.now), self.peer.connected(self.now)));
        self.exchange();
    }

    /// The connection is gone, and the server's end with it.
    pub fn lose(&mut self, server: &str) {
        self.call("disconnected", json!({}));
        let (here, _) = self.links.take().unwrap();
        self.end.disconnected(here);
        self.peer = ShellEnd::new(ShellConfig::for_viewer(server));
        self.report();
    }

    pub fn open(&mut self) {
        self.call(
            "open",
            json!({ "sid": SID, "epoch": 1, "rows": 24, "cols": 80 }),
        );
        let size = Winsize::new(24, 80);
        self.end.open(SID, 1, size, Props::new()).unwrap();
        self.exchange();
    }

    pub fn attach(&mut self) {
        self.call("resume", json!({ "sid": SID, "have": null, "epoch": 0 }));
        self.end.resume(SID, None, 0, None, Props::new()).unwrap();
        self.exchange();
    }

    pub fn input(&mut self, typed: &[u8]) {
        let result = self.end.input(SID, typed, self.now);
        let arguments = json!({ "sid": SID, "bytes": hex(typed), "taken": result.is_ok() });
        self.call("input", arguments);
        self.exchange();
    }

    pub fn recorded(&mut self, offset: u64) {
        self.call("recorded", json!({ "sid": SID, "offset": offset }));
        self.end.recorded(SID, offset).unwrap();
        self.exchange();
    }

    pub fn resize(&mut self, rows: u16, cols: u16) {
        self.call("resize", json!({ "sid": SID, "rows": rows, "cols": cols }));
        self.end
            .resize(SID, Winsize::new(rows, cols).unwrap())
            .unwrap();
        self.exchange();
    }

    pub fn want_control(&mut self) {
        self.call("want_control", json!({ "sid": SID }));
        self.end.want_control(SID).unwrap();
        self.exchange();
    }

    pub fn stop(&mut self) {
        self.call("stop", json!({ "sid": SID }));
        self.end.stop(SID, None).unwrap();
        self.exchange();
    }

    pub fn end_recorded(&mut self) {
        self.call("end_recorded", json!({ "sid": SID }));
        self.end.end_recorded(SID).unwrap();
        self.exchange();
    }

    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        let result = self.end.tick(self.now);
        let ok = result.is_ok();
        self.call("tick", json!({ "alive": ok }));
        if ok {
            self.exchange();
        }
    }

    /// Both ends say what they have to say.
    pub fn exchange(&mut self) {
        let Some((here, there)) = self.links else {
            return;
        };
        loop {
            self.report();
            if let Some(message) = self.end.transmit(self.now) {
                let (message, shown) = wire(&message, Receiver::Server);
                self.steps.push("send", shown);
                self.peer.receive(there, message, self.now).unwrap();
            } else if let Some(message) = self.peer.transmit(self.now) {
                self.receive(here, &message).unwrap();
            } else {
                return;
            }
        }
    }

    /// The client says what it has to say; the server does not hear it.
    pub fn say_to_nobody(&mut self) {
        while let Some(message) = self.end.transmit(self.now) {
            self.steps.push("send", wire(&message, Receiver::Server).1);
        }
    }

    fn receive(&mut self, here: Generation, message: &Message) -> Result<(), LinkError> {
        let (message, shown) = wire(message, Receiver::User);
        self.steps.push("receive", shown);
        let result = self.end.receive(here, message, self.now);
        if let Err(error) = &result {
            let last = error.to_message();
            self.steps.push("send", wire(&last, Receiver::Server).1);
            self.steps.push("gives_up", error.to_string().into());
        }
        self.report();
        result
    }

    /// The server's end says something it would never say.
    pub fn hear(&mut self, message: &Message) -> Result<(), LinkError> {
        let (here, _) = self.links.unwrap();
        self.receive(here, message)
    }

    fn report(&mut self) {
        while let Some(event) = self.end.event() {
            self.steps.0.push(shown(event));
        }
        while self.peer.event().is_some() {}
    }

    /// The server lets the viewer in.
    pub fn admit(&mut self, output: u64, input: u64, epoch: u64, control: bool) {
        let at = Attachment {
            output,
            input,
            dropped: 0,
            epoch,
            control,
        };
        self.peer.attach(SID, at).unwrap();
    }
}

fn shown(event_: ToUserEnd) -> Value {
    match event_ {
        ToUserEnd::Hello(hello) => event("hello", "", json!({ "instance": hello.instance })),
        ToUserEnd::Started { sid } => event("started", &sid, json!({})),
        ToUserEnd::Refused { sid, why } => event("refused", &sid, json!({ "why": why })),
        ToUserEnd::Resumed { sid } => event("resumed", &sid, json!({})),
        ToUserEnd::Gap { sid, from, to } => event("gap", &sid, json!({ "from": from, "to": to })),
        ToUserEnd::Output {
            sid,
            offset,
            time_ms,
            bytes: b,
        } => event(
            "output",
            &sid,
            json!({ "offset": offset, "time_ms": time_ms, "bytes": bytes(&b) }),
        ),
        ToUserEnd::Resized {
            sid,
            offset,
            time_ms,
            size: s,
        } => event(
            "resized",
            &sid,
            json!({ "offset": offset, "time_ms": time_ms, "size": size(Some(s)) }),
        ),
        ToUserEnd::Screen {
            sid,
            offset,
            size: s,
            bytes: b,
        } => event(
            "screen",
            &sid,
            json!({ "offset": offset, "size": size(s), "bytes": bytes(&b) }),
        ),
        ToUserEnd::Applied {
            sid,
            offset,
            dropped,
        } => event(
            "applied",
            &sid,
            json!({ "offset": offset, "dropped": dropped }),
        ),
        ToUserEnd::Epoch {
            sid,
            epoch,
            offset,
            control,
            unarrived,
        } => event(
            "epoch",
            &sid,
            json!({
                "epoch": epoch, "offset": offset, "control": control, "unarrived": unarrived
            }),
        ),
        ToUserEnd::InputHeld { sid, bytes } => event("input_held", &sid, json!({ "bytes": bytes })),
        ToUserEnd::Ended {
            sid,
            stop: s,
            offset,
        } => event("ended", &sid, json!({ "offset": offset, "stop": stop(&s) })),
        ToUserEnd::Lost { sid } => event("lost", &sid, json!({})),
        ToUserEnd::Stranger { sid } => event("stranger", &sid, json!({})),
        ToUserEnd::PeerError(text) => event("peer_error", "", json!({ "text": text })),
        ToUserEnd::Other(message) => event("other", &message.sid, json!({ "typ": message.typ })),
    }
}
