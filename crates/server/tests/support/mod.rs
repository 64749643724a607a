//! A whole server in this process, reached over real HTTP on loopback.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "each test uses some of it"
)]

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use longwire_server::access::Role;
use longwire_server::app::App;
use longwire_server::audit::{Action, Actor, AuditEvent, Object};
use longwire_server::config::{Config, Sync};
use longwire_server::devices::admission;
use longwire_server::ids::UserId;
use longwire_server::server::{self, Running};
use longwire_server::session::DETACH_GRACE;
use longwire_server::store::User;
use longwire_server::time::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpSocket;

pub const PASSWORD: &str = "correct horse battery";

/// How long anything may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A running server with a folder of its own.
pub struct Server {
    running: Running,
    folder: TempDir,
}

/// What it answered.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A request on its way.
pub struct Call {
    address: SocketAddr,
    from: Option<IpAddr>,
    request: axum::http::request::Builder,
    body: Bytes,
}

/// A device with a key of its own.
pub struct Device {
    pub identity: Value,
    pub pem: String,
    key: Ed25519KeyPair,
}

/// A device the server has accepted.
pub struct Accepted {
    pub id: String,
    pub auth_set: String,
    pub token: String,
    pub device: Device,
}

pub fn config(folder: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir: folder.join("data"),
        tls: None,
        public_url: None,
        insecure_http: false,
        admission: admission::Limits::default(),
        detach_grace: DETACH_GRACE,
        sync: Sync::Killed,
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        let running = server::start(config).await.unwrap();
        Self { running, folder }
    }

    /// Ends it and starts it again on the same folder, on another port.
    pub async fn restart(self) -> Self {
        let Self { running, folder } = self;
        let config = running.app().config.clone();
        running.stop().await;
        let running = server::start(config).await.unwrap();
        Self { running, folder }
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }

    pub fn app(&self) -> &App {
        self.running.app()
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn call(&self, method: Method, path: &str) -> Call {
        call(self.address(), method, path)
    }

    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Makes an account and signs in; gives the token.
    pub async fn user(&self, email: &str, role: Role) -> String {
        self.add_user(email, role).await;
        self.login(email, PASSWORD).await.text()
    }

    /// Makes an account with [`PASSWORD`].
    pub async fn add_user(&self, email: &str, role: Role) -> UserId {
        let now = Timestamp::now();
        let passwords = &self.app().auth.passwords;
        let user = User {
            id: UserId::new(),
            email: email.to_owned(),
            password_hash: passwords.hash(PASSWORD.to_owned()).await.unwrap(),
            roles: vec![role],
            created_at: now,
            updated_at: now,
            login_at: None,
        };
        let mut change = self.app().store.change().await.unwrap();
        assert!(change.add_user(&user).await.unwrap());
        let event = AuditEvent::new(Action::UserAdded, Actor::System, Object::User(user.id));
        change.commit(&event).await.unwrap();
        user.id
    }

    pub async fn admin(&self) -> String {
        self.user("admin@localhost", Role::Admin).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/api/management/v1/useradm/auth/login")
            .basic(email, password)
            .send()
            .await
    }

    /// A device asks to be let in.
    pub async fn ask(&self, device: &Device) -> Answer {
        let body = device.request();
        let signature = device.sign(&body);
        self.ask_with(body, &signature).await
    }

    pub async fn ask_with(&self, body: String, signature: &str) -> Answer {
        self.asking(body, signature).send().await
    }

    fn asking(&self, body: String, signature: &str) -> Call {
        self.post("/api/devices/v1/authentication/auth_requests")
            .header("x-men-signature", signature)
            .body("application/json", body)
    }

    /// A device asks from this address of the machine.
    pub async fn ask_from(&self, device: &Device, address: IpAddr) -> Answer {
        let body = device.request();
        let signature = device.sign(&body);
        self.asking(body, &signature).from(address).send().await
    }

    /// The devices as devauth lists them.
    pub async fn devices(&self, admin: &str) -> Vec<Value> {
        let answer = self
            .get("/api/management/v2/devauth/devices?per_page=500")
            .bearer(admin)
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.json().as_array().unwrap().clone()
    }

    /// The id of a device and of its key.
    pub async fn find(&self, admin: &str, device: &Device) -> (String, String) {
        for known in self.devices(admin).await {
            for set in known["auth_sets"].as_array().unwrap() {
                if set["pubkey"].as_str().unwrap().trim() == device.pem.trim() {
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    return (text(&known["id"]), text(&set["id"]));
                }
            }
        }
        panic!("the device is not listed");
    }

    pub async fn decide(&self, admin: &str, device: &str, set: &str, status: &str) -> Answer {
        let path = format!("/api/management/v2/devauth/devices/{device}/auth/{set}/status");
        self.put(&path)
            .bearer(admin)
            .json(&json!({ "status": status }))
            .send()
            .await
    }

    /// A device that asked, was accepted and fetched its token.
    pub async fn accepted(&self, admin: &str, identity: Value) -> Accepted {
        let device = Device::new(identity);
        assert_eq!(self.ask(&device).await.status, StatusCode::UNAUTHORIZED);
        let (id, auth_set) = self.find(admin, &device).await;
        let decided = self.decide(admin, &id, &auth_set, "accepted").await;
        assert_eq!(decided.status, StatusCode::NO_CONTENT);
        let answer = self.ask(&device).await;
        assert_eq!(answer.status, StatusCode::OK);
        Accepted {
            id,
            auth_set,
            token: answer.text(),
            device,
        }
    }
}

/// A request to a server at some address.
pub fn call(address: SocketAddr, method: Method, path: &str) -> Call {
    Call {
        address,
        from: None,
        request: Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string()),
        body: Bytes::new(),
    }
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn basic(self, email: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{email}:{password}"));
        self.header("authorization", &format!("Basic {credentials}"))
    }

    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }

    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends it from this address of the machine.
    pub fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    pub async fn send(self) -> Answer {
        tokio::time::timeout(DEADLINE, self.exchange())
            .await
            .expect("the server did not answer in time")
    }

    async fn exchange(self) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(address) = self.from {
            socket.bind((address, 0).into()).unwrap();
        }
        let stream = socket.connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let request = self.request.body(Full::new(self.body)).unwrap();
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        drop(sender);
        connection.abort();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no header {name}"))
            .to_str()
            .unwrap()
    }

    /// Checks that it is an error with this status and text, in the form all errors have.
    #[track_caller]
    pub fn refused(&self, status: u16, text: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        let body = self.json();
        assert_eq!(body["error"], text);
        assert_eq!(body["request_id"], self.header("x-men-requestid"));
    }
}

impl Device {
    pub fn new(identity: Value) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        // SubjectPublicKeyInfo of Ed25519 is these twelve bytes and the key (RFC 8410).
        let mut der = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        der.extend_from_slice(key.public_key().as_ref());
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        );
        Self { identity, pem, key }
    }

    /// A request in the form of mender-client: with the line feed that is signed too.
    pub fn request(&self) -> String {
        let body = json!({
            "id_data": self.identity.to_string(),
            "tenant_token": "",
            "pubkey": self.pem,
        });
        format!("{body}\n")
    }

    pub fn sign(&self, body: &str) -> String {
        STANDARD.encode(self.key.sign(body.as_bytes()))
    }
}
