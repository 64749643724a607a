//! Two ends and a connection that delivers at once.

use std::time::Duration;

use longwire_link::{
    Generation, Hello, LinkError, ShellConfig, ShellEnd, ToShellEnd, ToUserEnd, UserEnd,
};
use longwire_protocol::shell::Winsize;
use longwire_protocol::{Message, Props, Receiver, Value, decode, encode};

pub const SID: &str = "4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11";

pub struct Pair {
    pub shell: ShellEnd,
    pub user: UserEnd,
    pub now: Duration,
    pub at_shell: Generation,
    pub at_user: Generation,
}

impl Pair {
    /// A device and a server, introduced to each other.
    pub fn connected() -> Self {
        Pair::of(
            ShellEnd::new(ShellConfig::new("device-1")),
            UserEnd::new(Hello::new("server-1", 1024 * 1024)),
        )
    }

    pub fn of(shell: ShellEnd, user: UserEnd) -> Self {
        let (mut shell, mut user) = (shell, user);
        let now = Duration::from_secs(1);
        let mut pair = Pair {
            at_shell: shell.connected(now),
            at_user: user.connected(now),
            shell,
            user,
            now,
        };
        pair.exchange();
        pair
    }

    /// A device on which shells run for these sessions.
    pub fn running(sids: &[&str]) -> Self {
        let mut pair = Pair::connected();
        for sid in sids {
            pair.user
                .open(sid, 1, Winsize::new(24, 80), Props::new())
                .unwrap();
            pair.exchange();
            pair.shell.started(sid).unwrap();
        }
        pair.exchange();
        pair.events();
        pair
    }

    /// A new connection in place of the old one; what was under way is lost.
    pub fn reconnect(&mut self) {
        self.at_shell = self.shell.connected(self.now);
        self.at_user = self.user.connected(self.now);
        self.exchange();
    }

    /// A new connection to a shell end that is told of its sessions only now.
    pub fn reconnect_with(&mut self, tell: impl FnOnce(&mut ShellEnd)) {
        self.at_shell = self.shell.connected(self.now);
        self.at_user = self.user.connected(self.now);
        while let Some(mut message) = self.user_bound() {
            // Which sessions there are is not known to this kind of end.
            message
                .props
                .set("sessions", Value::Array(vec![SID.into()]));
            self.user_gets(message).unwrap();
        }
        while let Some(message) = self.shell_bound() {
            self.shell_gets(message).unwrap();
        }
        tell(&mut self.shell);
        self.exchange();
    }

    pub fn user_bound(&mut self) -> Option<Message> {
        let message = self.shell.transmit(self.now)?;
        Some(decode(encode(&message, Receiver::Server)).unwrap())
    }

    pub fn shell_bound(&mut self) -> Option<Message> {
        let message = self.user.transmit(self.now)?;
        Some(decode(encode(&message, Receiver::Device)).unwrap())
    }

    /// Delivers until nobody has anything to say.
    pub fn exchange(&mut self) {
        loop {
            if let Some(message) = self.shell_bound() {
                self.shell_gets(message).unwrap();
            } else if let Some(message) = self.user_bound() {
                self.user_gets(message).unwrap();
            } else {
                return;
            }
        }
    }

    pub fn shell_gets(&mut self, message: Message) -> Result<(), LinkError> {
        self.shell.receive(self.at_shell, message, self.now)
    }

    pub fn user_gets(&mut self, message: Message) -> Result<(), LinkError> {
        self.user.receive(self.at_user, message, self.now)
    }

    pub fn events(&mut self) -> (Vec<ToShellEnd>, Vec<ToUserEnd>) {
        (
            std::iter::from_fn(|| self.shell.event()).collect(),
            std::iter::from_fn(|| self.user.event()).collect(),
        )
    }

    pub fn user_events(&mut self) -> Vec<ToUserEnd> {
        self.events().1
    }

    pub fn shell_events(&mut self) -> Vec<ToShellEnd> {
        self.events().0
    }
}
