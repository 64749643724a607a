//! Opening a byte stream to a server: name, TCP, TLS.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server_url::ServerUrl;

/// Time for one address to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long an address may keep silent before the next one is tried beside it.
const NEXT_ADDRESS: Duration = Duration::from_millis(300);
/// Of a name with more addresses, the rest is left out.
const MAX_ADDRESSES: usize = 8;
/// Time for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// Why no stream could be opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("cannot find {host}: {cause}")]
    Name {
        /// The name looked for.
        host: String,
        /// The resolver's error.
        cause: io::Error,
    },
    /// No address answered; the error is the last one's.
    #[error("cannot reach {server}: {cause}")]
    Connect {
        /// The server.
        server: ServerUrl,
        /// The cause.
        cause: io::Error,
    },
    /// The server could not prove who it is, or the handshake failed otherwise.
    #[error("no secure connection to {server}: {cause}")]
    Tls {
        /// The server.
        server: ServerUrl,
        /// The cause, such as an unknown issuer or a certificate not valid at this time.
        cause: io::Error,
    },
}

/// A stream to a server.
#[derive(Debug)]
pub enum Stream {
    /// Unencrypted.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Opens a stream to `server`, over TLS where its address says https.
///
/// # Errors
/// [`DialError`] says which step failed.
pub async fn dial(server: &ServerUrl, tls: &Arc<ClientConfig>) -> Result<Stream, DialError> {
    let tcp = connect(server).await?;
    if !server.is_secure() {
        return Ok(Stream::Plain(tcp));
    }
    let failed = |cause| DialError::Tls {
        server: server.clone(),
        cause,
    };
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
    match timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

async fn connect(server: &ServerUrl) -> Result<TcpStream, DialError> {
    let failed = |cause| DialError::Connect {
        server: server.clone(),
        cause,
    };
    let tcp = race(addresses(server).await?).await.map_err(failed)?;
    // Keystrokes and their echo must not wait for each other.
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

/// The first of `addresses` that answers. The next one is tried when the ones before have failed
/// or kept silent for a moment, so that a network with broken IPv6 does not delay every link.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter().take(MAX_ADDRESSES);
    let mut tries = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            tries.push(timeout(CONNECT_TIMEOUT, TcpStream::connect(address)));
        }
        tokio::select! {
            result = tries.next() => match result {
                Some(Ok(Ok(tcp))) => return Ok(tcp),
                Some(Ok(Err(error))) => last = error,
                Some(Err(_)) => last = io::ErrorKind::TimedOut.into(),
                None => return Err(last),
            },
            () = sleep(NEXT_ADDRESS), if waiting.len() > 0 => {}
        }
    }
}

async fn addresses(server: &ServerUrl) -> Result<Vec<SocketAddr>, DialError> {
    let port = server.port();
    if server.is_localhost() {
        return Ok(vec![
            (Ipv4Addr::LOCALHOST, port).into(),
            (Ipv6Addr::LOCALHOST, port).into(),
        ]);
    }
    match tokio::net::lookup_host((server.host(), port)).await {
        Ok(addresses) => Ok(addresses.collect()),
        Err(cause) => Err(DialError::Name {
            host: server.host().to_owned(),
            cause,
        }),
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that answers no further connection: its queue is full.
    async fn silent() -> (TcpListener, TcpStream, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let full = TcpStream::connect(address).await.unwrap();
        (listener, full, address)
    }

    #[tokio::test]
    async fn neither_a_silent_nor_a_refusing_address_keeps_from_the_next() {
        let (_listener, _full, silent) = silent().await;
        let hangs = timeout(Duration::from_millis(100), TcpStream::connect(silent)).await;
        assert!(hangs.is_err(), "the address is silent");
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = closed.local_addr().unwrap();
        drop(closed);
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answering = open.local_addr().unwrap();

        let stream = race(vec![refusing, silent, answering]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), answering);
        let error = race(vec![refusing]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(race(Vec::new()).await.is_err());
    }
}
