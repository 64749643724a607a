//! A connection to a server: TCP, with TLS on top where the address says so.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::{Error, ServerUrl, tls};

/// How long name, connection and TLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an address is tried before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// A byte stream to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects to `server`; `tls` is used if it is https.
pub(crate) async fn connect(
    server: &ServerUrl,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, Error> {
    tokio::time::timeout(CONNECT_TIMEOUT, connect_untimed(server, tls))
        .await
        .map_err(|_| Error::Timeout(server.to_string()))?
}

async fn connect_untimed(
    server: &ServerUrl,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<Box<dyn Stream>, Error> {
    let unreachable = |source| Error::Unreachable {
        server: server.authority(),
        source,
    };
    let addresses = lookup_host((server.host(), server.port()))
        .await
        .map_err(unreachable)?;
    let tcp = first_of(addresses).await.map_err(unreachable)?;
    // Keystrokes are small and must not wait for each other.
    tcp.set_nodelay(true).map_err(unreachable)?;
    let Some(tls) = tls else {
        return Ok(Box::new(tcp));
    };
    let failed = |why| Error::Tls {
        server: server.authority(),
        why,
    };
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|error| failed(error.to_string()))?;
    let stream = TlsConnector::from(tls.clone())
        .connect(name, tcp)
        .await
        .map_err(|error| failed(tls::words(&error)))?;
    Ok(Box::new(stream))
}

/// Connects to whichever address answers first. Each has a head start over the next, unless it
/// fails: a network that swallows everything to one of them then costs a moment, not the call.
async fn first_of(mut addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut attempts = JoinSet::new();
    loop {
        let next = addresses.next();
        let more = next.is_some();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(address));
        }
        tokio::select! {
            attempt = attempts.join_next() => match attempt {
                Some(Ok(Ok(tcp))) => return Ok(tcp),
                Some(Ok(Err(error))) => failure = error,
                Some(Err(error)) => failure = io::Error::other(error),
                None => return Err(failure),
            },
            () = sleep(HEAD_START), if more => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_costs_nothing() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refuses = gone.local_addr().unwrap();
        drop(gone);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answers = listener.local_addr().unwrap();
        let tcp = first_of([refuses, answers].into_iter()).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), answers);

        let error = first_of([refuses, refuses].into_iter()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(
            first_of([].into_iter()).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
