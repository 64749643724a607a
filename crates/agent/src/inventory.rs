//! What the device tells the server about itself, when there is no mender-client to do it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use nix::sys::utsname::uname;
use rustls::ClientConfig;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::http::{self, Outgoing};
use crate::identity::{Authorization, Credentials, Identity};
use crate::network_interfaces::{self, SYS_CLASS_NET};

const PATH: &str = "/api/devices/v1/inventory/device/attributes";
/// What has changed meanwhile is told once a day; mender-client tells it every eight hours.
const INTERVAL: Duration = Duration::from_secs(86_400);

/// One attribute.
#[derive(Debug, PartialEq, Serialize)]
struct Attribute {
    name: String,
    value: Value,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Value {
    One(String),
    Many(Vec<String>),
}

/// Tells the server what this device is: after it has been accepted, and every day.
pub async fn report(mut identity: Identity, tls: Arc<ClientConfig>, shutdown: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = keep_reported(&mut identity, &tls) => {}
    }
}

async fn keep_reported(identity: &mut Identity, tls: &Arc<ClientConfig>) {
    let mut backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(3600));
    loop {
        let now = identity.authorization.borrow_and_update().clone();
        let rest = match now {
            Authorization::Granted(credentials) => match push(&credentials, tls).await {
                Ok(()) => {
                    backoff.reset();
                    INTERVAL
                }
                Err(Failure::Refused) => {
                    identity.report_refused(&credentials.token);
                    backoff.next_delay()
                }
                Err(Failure::Other(reason)) => {
                    log::warn!(
                        "cannot tell {} about this device: {reason}",
                        credentials.server
                    );
                    backoff.next_delay()
                }
            },
            Authorization::Unknown | Authorization::Denied => INTERVAL,
        };
        tokio::select! {
            () = sleep(rest) => {}
            changed = identity.authorization.changed() => if changed.is_err() { return },
        }
    }
}

enum Failure {
    Refused,
    Other(String),
}

async fn push(credentials: &Credentials, tls: &Arc<ClientConfig>) -> Result<(), Failure> {
    let attributes = attributes(Path::new("/etc/os-release"), Path::new(SYS_CLASS_NET));
    let other = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", credentials.token.expose()))
        .map_err(|error| other(&error))?;
    bearer.set_sensitive(true);
    let outgoing = Outgoing {
        method: Method::PUT,
        path: PATH,
        headers: vec![("Authorization", bearer)],
        body: serde_json::to_vec(&attributes).map_err(|error| other(&error))?,
    };
    let answer = http::send(&credentials.server, tls, outgoing)
        .await
        .map_err(|error| other(&error))?;
    match answer.status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Refused),
        status => Err(Failure::Other(format!("status {}", status.as_u16()))),
    }
}

/// Named as mender-client's inventory scripts name them, where they have the same.
fn attributes(os_release: &Path, sys_class_net: &Path) -> Vec<Attribute> {
    let one = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        value: Value::One(value.to_owned()),
    };
    let mut attributes = vec![one("agent_version", env!("CARGO_PKG_VERSION"))];
    if let Ok(system) = uname() {
        for (name, value) in [
            ("hostname", system.nodename()),
            ("kernel", system.release()),
            ("arch", system.machine()),
        ] {
            attributes.push(one(name, &value.to_string_lossy()));
        }
    }
    let os_release = std::fs::read_to_string(os_release).unwrap_or_default();
    if let Some(name) = pretty_name(&os_release) {
        attributes.push(one("os", name));
    }
    let interfaces = network_interfaces::list(sys_class_net);
    for interface in &interfaces {
        attributes.push(one(&format!("mac_{}", interface.name), &interface.mac));
    }
    if !interfaces.is_empty() {
        let names = interfaces
            .into_iter()
            .map(|interface| interface.name)
            .collect();
        attributes.push(Attribute {
            name: "network_interfaces".to_owned(),
            value: Value::Many(names),
        });
    }
    attributes
}

/// The system's name for people in an os-release file.
fn pretty_name(os_release: &str) -> Option<&str> {
    let value = os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches(['"', '\''])).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network_interfaces::tests::add;

    #[test]
    fn attributes_are_what_the_server_expects() {
        let folder = tempfile::tempdir().unwrap();
        let os_release = folder.path().join("os-release");
        std::fs::write(&os_release, "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n").unwrap();
        let net = folder.path().join("net");
        std::fs::create_dir(&net).unwrap();
        add(&net, "eth0", "1", 2, "52:54:00:00:00:01", true);
        let json = serde_json::to_value(attributes(&os_release, &net)).unwrap();
        let value = |name: &str| {
            let found = json
                .as_array()
                .unwrap()
                .iter()
                .find(|entry| entry["name"] == name);
            found
                .map(|entry| entry["value"].clone())
                .unwrap_or_default()
        };
        assert_eq!(value("os"), "Debian GNU/Linux 12");
        assert_eq!(value("mac_eth0"), "52:54:00:00:00:01");
        assert_eq!(value("network_interfaces"), serde_json::json!(["eth0"]));
        assert_eq!(value("agent_version"), env!("CARGO_PKG_VERSION"));
        for name in ["hostname", "kernel", "arch"] {
            assert!(!value(name).as_str().unwrap().is_empty(), "{name}");
        }
    }
}
