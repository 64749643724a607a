//! A scripted server: just enough HTTP to see what a device asks and answer it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Waits for something that must happen; generous, since the machine may be busy.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited 60 s for {what}"),
    }
}

/// A file of the tests' own certificate authority.
pub(crate) fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct State {
    /// What an authentication request is answered with; None is a refusal.
    token: Option<String>,
    requests: Vec<Request>,
}

/// The server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<watch::Sender<State>>,
}

impl Server {
    /// Listens on every loopback address, with TLS or without.
    pub(crate) async fn start(tls: bool) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State::default()));
        let acceptor = tls.then(acceptor);
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// Accepts the device from now on: it gets `token`, and no other is taken.
    pub(crate) fn accept(&self, token: &str) {
        self.state
            .send_modify(|state| state.token = Some(token.to_owned()));
    }

    /// Waits for the `count`th request whose line contains `part`.
    pub(crate) async fn request(&self, part: &str, count: usize) -> Request {
        let mut state = self.state.subscribe();
        let matching = |state: &State| {
            state
                .requests
                .iter()
                .filter(|request| request.line.contains(part))
                .nth(count - 1)
                .cloned()
        };
        let state = soon(part, state.wait_for(|state| matching(state).is_some())).await;
        matching(&state.unwrap()).unwrap()
    }

    /// Waits for a websocket that is opened with `token`.
    pub(crate) async fn connected_with(&self, token: &str) {
        let bearer = format!("Bearer {token}");
        let opens = |request: &Request| {
            request.line.contains("/connect ")
                && request.headers.get("authorization") == Some(&bearer)
        };
        let mut state = self.state.subscribe();
        let waited = state.wait_for(|state| state.requests.iter().any(opens));
        soon("a websocket", waited).await.unwrap();
    }

    /// How many requests with `part` in their line there were.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.state
            .borrow()
            .requests
            .iter()
            .filter(|request| request.line.contains(part))
            .count()
    }
}

fn acceptor() -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(data("server.pem")).unwrap();
    let certificates = certificates.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(data("server-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<watch::Sender<State>>) {
    match tls {
        None => answer(stream, &state).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => answer(stream, &state).await,
            // A client that does not trust this server is some tests' point.
            Err(_) => None,
        },
    };
}

/// Answers one request; None when the client leaves early.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    state: &watch::Sender<State>,
) -> Option<()> {
    let request = read(&mut stream).await?;
    let token = state.borrow().token.clone();
    let bearer = request.headers.get("authorization").cloned();
    let authorized =
        token.is_some() && bearer == token.as_ref().map(|token| format!("Bearer {token}"));
    let key = request.headers.get("sec-websocket-key").cloned();
    let is_question = request.line.contains("/auth_requests ");
    state.send_modify(|state| state.requests.push(request));

    let response = match (is_question, token, key) {
        (true, Some(token), _) => plain("200 OK", &token),
        (true, None, _) => plain("401 Unauthorized", r#"{"error":"dev auth: unauthorized"}"#),
        (false, ..) if !authorized => plain("401 Unauthorized", r#"{"error":"unauthorized"}"#),
        (false, _, None) => plain("200 OK", ""),
        (false, _, Some(key)) => {
            let accept = derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.ok()?;
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            // Reading answers pings.
            while let Some(Ok(_)) = socket.next().await {}
            return Some(());
        }
    };
    stream.write_all(response.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

fn plain(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request {
        line,
        headers,
        body,
    })
}
