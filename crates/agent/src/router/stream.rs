//! What the stream's end has to tell, passed on to whoever acts on it.

use longwire_link::{Generation, LinkError, ToShellEnd};
use longwire_protocol::shell::text;
use longwire_protocol::{Message, prop, proto};

use super::Router;
use crate::shared_end::SharedEnd;

impl Router {
    /// The stream's end.
    pub(crate) fn stream(&self) -> &SharedEnd {
        &self.end
    }

    /// Acts on a message of the present link. Waits only for room for an answer.
    pub(crate) async fn receive_streamed(
        &mut self,
        from: Generation,
        message: Message,
    ) -> Result<(), LinkError> {
        let received = self.end.receive(from, message);
        while let Some(event) = self.end.event() {
            self.happened(event).await;
        }
        received
    }

    async fn happened(&mut self, event: ToShellEnd) {
        match event {
            ToShellEnd::Hello(hello) => {
                log::debug!("the server's instance is {:?}", hello.instance);
                // It does not know them, and there is no way to speak of them.
                let why = "the server now speaks longwire.v1";
                self.sessions.stop_plain(why);
            }
            ToShellEnd::Open { sid, .. } if self.config.terminal_disabled => {
                let why = text::unknown_message(proto::SHELL, "new");
                self.end.refused(&sid, &why);
            }
            ToShellEnd::Open {
                sid, size, more, ..
            } => {
                let user = more.get_str(prop::USER_ID).unwrap_or_default();
                self.sessions.open_streamed(&sid, user, size);
            }
            ToShellEnd::Input { sid } => self.sessions.input_has_come(&sid),
            ToShellEnd::Interrupt { sid, byte, offset } => {
                self.sessions.interrupt(&sid, offset, byte);
            }
            ToShellEnd::Resize { sid, size } => self.sessions.resize(&sid, size),
            ToShellEnd::Epoch {
                sid,
                epoch,
                dropped,
            } => {
                log::debug!("session {sid}: epoch {epoch}, {dropped} bytes of input are void");
                self.sessions.new_epoch(&sid);
            }
            ToShellEnd::InputSkipped { sid, from, to } => {
                log::info!("session {sid}: input goes on at {to}, not {from}");
            }
            ToShellEnd::Stop { sid, error } => self.sessions.stop_streamed(&sid, error),
            ToShellEnd::PeerError(why) => log::warn!("the server gives the link up: {why}"),
            ToShellEnd::Other(message) => self.beside(message).await,
            // Shells that wait for room are woken by the end itself.
            ToShellEnd::Acknowledged { .. } | ToShellEnd::Forgotten { .. } => {}
            // Viewers have no link to a device.
            ToShellEnd::Attach { .. } | ToShellEnd::ControlWanted { .. } => {}
        }
    }

    async fn beside(&mut self, message: Message) {
        // A newer server's word about a session asks for nothing.
        if message.proto != proto::SHELL {
            self.other(message).await;
        }
    }
}
