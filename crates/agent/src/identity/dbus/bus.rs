//! A connection to a message bus.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream as StdUnixStream};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::wire::{self, Call, FIXED_HEADER, MAX_MESSAGE, Message, WireError};

/// Time for the bus to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The bus's answers during authentication are short lines.
const MAX_LINE: usize = 1024;

/// Why the bus cannot be used (any more).
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The address names no socket this program can open.
    #[error("no usable unix socket in bus address {0:?}")]
    Address(String),
    /// The socket failed or was closed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bus does not let this user in.
    #[error("authentication refused: {0:?}")]
    Refused(String),
    /// What arrived is no message.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// An open, authenticated connection.
pub(super) struct Bus {
    stream: UnixStream,
    /// Bytes received and not yet handed out.
    received: Vec<u8>,
    /// Bytes still to come of a message that was too large.
    to_skip: u64,
    last_serial: u32,
}

impl Bus {
    /// Opens the first socket of `address` that answers, and says hello.
    pub(super) async fn connect(address: &str) -> Result<Self, BusError> {
        timeout(CONNECT_TIMEOUT, Self::connect_without_limit(address))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn connect_without_limit(address: &str) -> Result<Self, BusError> {
        let mut stream = open(address)?;
        authenticate(&mut stream).await?;
        let mut bus = Self {
            stream,
            received: Vec::new(),
            to_skip: 0,
            last_serial: 0,
        };
        bus.call(&daemon_call("Hello", &[])).await?;
        Ok(bus)
    }

    /// Sends a call and returns the serial its answer will carry.
    pub(super) async fn call(&mut self, call: &Call<'_>) -> Result<u32, BusError> {
        self.last_serial = self.last_serial.checked_add(1).unwrap_or(1);
        self.stream
            .write_all(&wire::encode(call, self.last_serial))
            .await?;
        Ok(self.last_serial)
    }

    /// The next message. Nothing is lost when the future is dropped before it is ready.
    pub(super) async fn next(&mut self) -> Result<Message, BusError> {
        loop {
            if let Some(message) = self.take_message()? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    /// The first readable message of what has been received. What is too large or malformed is
    /// skipped: anyone on the bus may send such a thing, and must not cost us the connection.
    fn take_message(&mut self) -> Result<Option<Message>, BusError> {
        loop {
            let skipped = usize::try_from(self.to_skip).unwrap_or(usize::MAX);
            let skipped = skipped.min(self.received.len());
            self.received.drain(..skipped);
            self.to_skip -= skipped as u64;

            let Some(header) = self.received.first_chunk::<FIXED_HEADER>() else {
                return Ok(None);
            };
            let total = wire::total_length(header)?;
            if total > MAX_MESSAGE {
                log::warn!("skipping a D-Bus message of {total} bytes");
                self.to_skip = total;
                continue;
            }
            let length = usize::try_from(total).unwrap_or(usize::MAX);
            let Some(bytes) = self.received.get(..length) else {
                return Ok(None);
            };
            let message = wire::decode(bytes);
            self.received.drain(..length);
            if self.received.is_empty() {
                // Between two tokens pass hours.
                self.received = Vec::new();
            }
            match message {
                Ok(message) => return Ok(Some(message)),
                Err(error) => log::debug!("skipping a D-Bus message: {error}"),
            }
        }
    }
}

/// A call to the bus itself.
pub(super) fn daemon_call<'a>(member: &'a str, arguments: &'a [&'a str]) -> Call<'a> {
    Call {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        member,
        arguments,
    }
}

/// Tries the `;`-separated alternatives of a bus address in order.
fn open(address: &str) -> Result<UnixStream, BusError> {
    let mut result = Err(BusError::Address(address.to_owned()));
    for alternative in address.split(';') {
        let Some(socket) = socket_address(alternative) else {
            continue;
        };
        match StdUnixStream::connect_addr(&socket) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                return Ok(UnixStream::from_std(stream)?);
            }
            Err(error) => result = Err(error.into()),
        }
    }
    result
}

/// `unix:path=…` or `unix:abstract=…`, with further keys such as `guid` ignored.
fn socket_address(alternative: &str) -> Option<SocketAddr> {
    alternative
        .strip_prefix("unix:")?
        .split(',')
        .find_map(|pair| match pair.split_once('=')? {
            ("path", value) => SocketAddr::from_pathname(os_string(unescape(value)?)).ok(),
            ("abstract", value) => SocketAddr::from_abstract_name(unescape(value)?).ok(),
            _ => None,
        })
}

fn os_string(bytes: Vec<u8>) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// Undoes `%20` and the like.
fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut bytes = value.bytes();
    let mut out = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        });
    }
    Some(out)
}

/// Tells the bus who we are; the kernel confirms it (SASL mechanism EXTERNAL).
async fn authenticate(stream: &mut UnixStream) -> Result<(), BusError> {
    let uid = nix::unistd::Uid::effective().to_string();
    let hex: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
    stream
        .write_all(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes())
        .await?;
    let answer = read_line(stream).await?;
    if !answer.starts_with("OK ") {
        return Err(BusError::Refused(answer));
    }
    stream.write_all(b"BEGIN\r\n").await?;
    Ok(())
}

/// One line without its end, read byte by byte since what follows it is not text.
async fn read_line(stream: &mut UnixStream) -> Result<String, BusError> {
    let mut line = Vec::new();
    while line.len() < MAX_LINE {
        match stream.read_u8().await? {
            b'\n' => return Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
            byte => line.push(byte),
        }
    }
    Err(io::Error::from(io::ErrorKind::InvalidData).into())
}

#[cfg(test)]
mod tests {
    use super::super::wire::tests::received;
    use super::*;

    #[test]
    fn addresses() {
        let path = |address: &str| {
            socket_address(address).and_then(|socket| Some(socket.as_pathname()?.to_owned()))
        };
        assert_eq!(path("unix:path=/run/x"), Some("/run/x".into()));
        assert_eq!(path("unix:guid=12,path=/a%20b"), Some("/a b".into()));
        assert_eq!(path("tcp:host=localhost,port=1"), None);
        assert_eq!(path("unix:path=/a%2"), None);
        let name = socket_address("unix:abstract=/tmp/dbus-1").unwrap();
        assert_eq!(name.as_abstract_name(), Some(b"/tmp/dbus-1".as_slice()));
    }

    #[tokio::test]
    async fn the_first_alternative_that_answers_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let gone = folder.path().join("gone");
        let address = format!(
            "tcp:host=h;unix:path={};unix:path={}",
            gone.display(),
            socket.display()
        );
        assert!(open(&address).is_ok());
        assert!(matches!(open("tcp:host=h"), Err(BusError::Address(_))));
    }

    #[tokio::test]
    async fn unusable_messages_are_skipped_and_the_next_one_read() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut bus = Bus {
            stream: ours,
            received: Vec::new(),
            to_skip: 0,
            last_serial: 0,
        };
        let large = "x".repeat(200_000);
        let mut bytes = received(4, &[(3, b's', "Large")], None, &[&large], false);
        bytes.extend(received(4, &[(3, b'?', "Malformed")], None, &[], false));
        bytes.extend(received(4, &[(3, b's', "Small")], None, &[], false));
        let writer = tokio::spawn(async move { theirs.write_all(&bytes).await.map(|()| theirs) });
        assert_eq!(bus.next().await.unwrap().member, "Small");
        drop(writer.await.unwrap().unwrap());
        assert!(matches!(bus.next().await, Err(BusError::Io(_))));
    }
}
