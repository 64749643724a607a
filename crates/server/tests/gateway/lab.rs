//! A server with people and devices that are already let in.

use std::net::SocketAddr;

use longwire_protocol::shell::{FromDevice, FromUser, typ};
use longwire_server::access::Role;
use longwire_server::app::App;
use longwire_server::audit::{Action, Actor, AuditEvent, Object};
use longwire_server::config::{Config, Sync};
use longwire_server::devices::admission;
use longwire_server::ids::{AuthSetId, DeviceId, TokenId, UserId};
use longwire_server::server::{self, Running};
use longwire_server::session::DETACH_GRACE;
use longwire_server::store::{AuditRow, AuthSet, AuthStatus, Device, User};
use longwire_server::time::Timestamp;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peer::{Peer, Refusal, within};

pub struct Lab {
    pub server: Running,
    dir: TempDir,
}

pub struct Operator {
    pub id: UserId,
    pub token: String,
}

pub struct Gadget {
    pub id: DeviceId,
    pub set: AuthSetId,
    pub token: String,
}

/// A terminal with a running shell, and both its ends.
pub struct Terminal {
    pub user: Peer,
    pub device: Peer,
    pub sid: String,
}

impl Lab {
    pub async fn start() -> Self {
        Self::on(TempDir::new().unwrap()).await
    }

    /// Starts a server on the folder of one that has ended.
    pub async fn on(dir: TempDir) -> Self {
        let server = server::start(Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: dir.path().join("data"),
            tls: None,
            public_url: None,
            insecure_http: false,
            admission: admission::Limits::default(),
            detach_grace: DETACH_GRACE,
            sync: Sync::Killed,
        })
        .await
        .unwrap();
        Self { server, dir }
    }

    /// Ends the server; its folder stays.
    pub async fn stop(self) -> TempDir {
        self.server.stop().await;
        self.dir
    }

    /// Ends the server and starts it again on the same folder, on another port.
    pub async fn restart(self) -> Self {
        Self::on(self.stop().await).await
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn app(&self) -> &App {
        self.server.app()
    }

    pub async fn operator(&self) -> Operator {
        self.operator_with(&[Role::Admin]).await
    }

    pub async fn operator_with(&self, roles: &[Role]) -> Operator {
        let (id, token_id, now) = (UserId::new(), TokenId::new(), Timestamp::now());
        let mut change = self.app().store.change().await.unwrap();
        let user = User {
            id,
            email: format!("{id}@example.com"),
            password_hash: String::new(),
            roles: roles.to_vec(),
            created_at: now,
            updated_at: now,
            login_at: None,
        };
        assert!(change.add_user(&user).await.unwrap());
        change
            .add_user_token(token_id, id, now, now.plus_seconds(3600), 10)
            .await
            .unwrap();
        let event = AuditEvent::new(Action::UserAdded, Actor::System, Object::User(id));
        change.commit(&event).await.unwrap();
        let token = self.app().auth.key.user_token(token_id, id, now).unwrap();
        Operator { id, token }
    }

    pub async fn gadget(&self) -> Gadget {
        let (id, set, token_id) = (DeviceId::new(), AuthSetId::new(), TokenId::new());
        let now = Timestamp::now();
        let mut change = self.app().store.change().await.unwrap();
        let device = Device {
            id,
            identity: format!(r#"{{"mac":"{id}"}}"#),
            status: AuthStatus::Accepted,
            group: None,
            created_at: now,
            updated_at: now,
            checked_in_at: None,
            link_at: None,
        };
        change.add_device(&device).await.unwrap();
        let key = AuthSet {
            id: set,
            device_id: id,
            public_key: format!("key of {id}"),
            fingerprint: "SHA256:x".to_owned(),
            status: AuthStatus::Accepted,
            created_at: now,
            requested_at: now,
            accepted_at: Some(now),
            address: None,
        };
        change.add_auth_set(&key).await.unwrap();
        change
            .add_device_token(token_id, set, now, now.plus_seconds(3600), 10)
            .await
            .unwrap();
        let event = AuditEvent::new(Action::DeviceAccepted, Actor::System, Object::Device(id));
        change.commit(&event).await.unwrap();
        let token = self.app().auth.key.device_token(token_id, id, now).unwrap();
        Gadget { id, set, token }
    }

    pub async fn dial(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Peer, Refusal> {
        Peer::dial(self.server.address(), path, headers).await
    }

    pub async fn dial_device(&self, token: &str) -> Result<Peer, Refusal> {
        let bearer = format!("Bearer {token}");
        self.dial(DEVICE_PATH, &[("authorization", &bearer)]).await
    }

    pub async fn dial_terminal(&self, device: DeviceId, token: &str) -> Result<Peer, Refusal> {
        let bearer = format!("Bearer {token}");
        self.dial(&terminal_path(device), &[("authorization", &bearer)])
            .await
    }

    pub async fn device(&self, gadget: &Gadget) -> Peer {
        self.dial_device(&gadget.token).await.unwrap()
    }

    pub async fn user(&self, gadget: &Gadget, operator: &Operator) -> Peer {
        self.dial_terminal(gadget.id, &operator.token)
            .await
            .unwrap()
    }

    /// A new device, a new operator, and a shell.
    pub async fn terminal(&self) -> Terminal {
        let (gadget, operator) = (self.gadget().await, self.operator().await);
        let mut device = self.device(&gadget).await;
        let mut user = self.user(&gadget, &operator).await;
        let sid = start_shell(&mut user, &mut device).await;
        Terminal { user, device, sid }
    }

    /// Waits until the server knows that the device is (not) connected.
    pub async fn until_connected(&self, device: DeviceId, connected: bool) {
        let mut changes = self.app().links.subscribe();
        within(async {
            while self.app().links.connected_since(device).is_some() != connected {
                let _ = changes.recv().await;
            }
        })
        .await;
    }

    /// Waits until the audit log holds `count` events of that name, and returns them, oldest first.
    pub async fn audited(&self, action: &str, count: usize) -> Vec<AuditRow> {
        within(async {
            loop {
                let mut store = self.app().store.read().await.unwrap();
                let mut events = store.audit_events(1000).await.unwrap();
                events.retain(|event| event.action == action);
                if events.len() >= count {
                    events.sort_by_key(|event| event.seq);
                    return events;
                }
                drop(store);
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// A request of a person, and the status and body of its answer.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        operator: &Operator,
        body: &str,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            operator.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, body.to_owned())
    }
}

pub const DEVICE_PATH: &str = "/api/devices/v1/deviceconnect/connect";

pub fn terminal_path(device: impl std::fmt::Display) -> String {
    format!("/api/management/v1/deviceconnect/devices/{device}/connect")
}

/// Starts a shell, and returns the id of its session.
pub async fn start_shell(user: &mut Peer, device: &mut Peer) -> String {
    user.say(&FromUser::New { size: None }, "").await;
    let new = device.message().await;
    assert_eq!(new.typ, typ::NEW);
    device.say(&FromDevice::Started, &new.sid).await;
    assert_eq!(user.hear().await, FromDevice::Started);
    new.sid
}
