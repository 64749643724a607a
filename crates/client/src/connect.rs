//! A connection to a server: TCP, with TLS on top where the address says so.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Error, ServerUrl, tls};

/// How long name, connection and TLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
    let tcp = TcpStream::connect((server.host(), server.port()))
        .await
        .map_err(unreachable)?;
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
