//! Traces of a device's end.

use std::time::Duration;

use longwire_link::{Generation, Hello, LinkError, ShellConfig, ShellEnd, ToShellEnd, UserEnd};
use longwire_protocol::shell::{Ended, Stop, Winsize};
use longwire_protocol::{Message, Props, Receiver};
use serde_json::{Value, json};

use super::{SID, Steps, event, hex, size, wire};

pub struct Device {
    pub end: ShellEnd,
    /// The server's end, which is not part of the trace.
    pub peer: UserEnd,
    now: Duration,
    links: Option<(Generation, Generation)>,
    steps: Steps,
}

impl Device {
    pub fn new() -> Self {
        Device {
            end: ShellEnd::new(ShellConfig::new("device-1")),
            peer: UserEnd::new(Hello::new("server-1", 1024 * 1024)),
            now: Duration::ZERO,
            links: None,
            steps: Steps::default(),
        }
    }

    /// A device with a shell that runs; that is not part of the trace twice.
    pub fn running() -> Self {
        let mut device = Device::new();
        device.connect();
        device.open();
        device.started();
        device
    }

    pub fn steps(self) -> Vec<Value> {
        self.steps.0
    }

    pub fn open(&mut self) {
        let more = Props::new().with("user_id", "8d9c7a51-1b4a-4c5e-9b1e-6d0a4d2c7f10");
        let size = Winsize::new(24, 80);
        self.peer.open(SID, 1, size, more).unwrap();
        self.exchange();
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

    pub fn lose(&mut self) {
        self.call("disconnected", json!({}));
        let (here, there) = self.links.take().unwrap();
        self.end.disconnected(here);
        self.peer.disconnected(there);
        self.report();
    }

    pub fn started(&mut self) {
        self.call("started", json!({ "sid": SID }));
        self.end.started(SID).unwrap();
        self.exchange();
    }

    pub fn refused(&mut self, why: &str) {
        self.call("refused", json!({ "sid": SID, "why": why }));
        self.end.refused(SID, why).unwrap();
        self.exchange();
    }

    pub fn output(&mut self, bytes: &[u8], time_ms: u64) {
        let arguments = json!({ "sid": SID, "bytes": hex(bytes), "time_ms": time_ms });
        self.call("output", arguments);
        self.end.output(SID, bytes, time_ms).unwrap();
        self.exchange();
    }

    pub fn resized(&mut self, rows: u16, cols: u16, time_ms: u64) {
        let arguments = json!({ "sid": SID, "rows": rows, "cols": cols, "time_ms": time_ms });
        self.call("resized", arguments);
        let size = Winsize::new(rows, cols).unwrap();
        self.end.resized(SID, size, time_ms).unwrap();
        self.exchange();
    }

    pub fn wrote(&mut self, count: usize) {
        let taken = self.end.input(SID).get(..count).unwrap();
        let arguments = json!({ "sid": SID, "bytes": hex(taken) });
        self.call("wrote", arguments);
        self.end.wrote(SID, count).unwrap();
        self.exchange();
    }

    pub fn interrupted(&mut self, offset: u64) {
        let dropped = self.end.interrupted(SID, offset).unwrap();
        let arguments = json!({ "sid": SID, "offset": offset, "dropped": dropped });
        self.call("interrupted", arguments);
        self.exchange();
    }

    pub fn ended(&mut self, status: i32) {
        self.call(
            "ended",
            json!({ "sid": SID, "reason": "exited", "exit_status": status }),
        );
        let stop = Stop {
            reason: Some(Ended::Exited),
            exit_status: Some(status),
            ..Stop::default()
        };
        self.end.ended(SID, stop).unwrap();
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

    /// The server's end does something that is not part of the trace but for what it says.
    pub fn server(&mut self, act: impl FnOnce(&mut UserEnd, Duration)) {
        act(&mut self.peer, self.now);
        self.exchange();
    }

    pub fn exchange(&mut self) {
        let Some((here, there)) = self.links else {
            return;
        };
        loop {
            self.report();
            if let Some(message) = self.peer.transmit(self.now) {
                self.receive(here, &message).unwrap();
            } else if let Some(message) = self.end.transmit(self.now) {
                let (message, shown) = wire(&message, Receiver::Server);
                self.steps.push("send", shown);
                self.peer.receive(there, message, self.now).unwrap();
            } else {
                return;
            }
        }
    }

    fn receive(&mut self, here: Generation, message: &Message) -> Result<(), LinkError> {
        let (message, shown) = wire(message, Receiver::Device);
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
}

fn shown(event_: ToShellEnd) -> Value {
    match event_ {
        ToShellEnd::Hello(hello) => event("hello", "", json!({ "instance": hello.instance })),
        ToShellEnd::Open {
            sid,
            epoch,
            size: s,
            more,
        } => event(
            "open",
            &sid,
            json!({ "epoch": epoch, "size": size(s), "user_id": more.get_str("user_id") }),
        ),
        ToShellEnd::Input { sid } => event("input", &sid, json!({})),
        ToShellEnd::Interrupt { sid, byte, offset } => {
            event("interrupt", &sid, json!({ "byte": byte, "offset": offset }))
        }
        ToShellEnd::Resize { sid, size: s } => {
            event("resize", &sid, json!({ "size": size(Some(s)) }))
        }
        ToShellEnd::Epoch {
            sid,
            epoch,
            dropped,
        } => event("epoch", &sid, json!({ "epoch": epoch, "dropped": dropped })),
        ToShellEnd::InputSkipped { sid, from, to } => {
            event("input_skipped", &sid, json!({ "from": from, "to": to }))
        }
        ToShellEnd::Stop { sid, error } => event("stop", &sid, json!({ "error": error })),
        ToShellEnd::Acknowledged { sid, offset } => {
            event("acknowledged", &sid, json!({ "offset": offset }))
        }
        ToShellEnd::Forgotten { sid } => event("forgotten", &sid, json!({})),
        ToShellEnd::PeerError(text) => event("peer_error", "", json!({ "text": text })),
        ToShellEnd::Other(message) => event("other", &message.sid, json!({ "typ": message.typ })),
        ToShellEnd::Attach { .. } | ToShellEnd::ControlWanted { .. } => {
            panic!("no business of a device")
        }
    }
}
