//! What the server tells devices apart by. Chosen at the first start and kept with the key, since
//! a device that called itself something else tomorrow would have to be accepted again.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;
use serde_json::{Value, json};

use crate::network_interfaces::{self, SYS_CLASS_NET};
use crate::private_file;

/// Why a device cannot say who it is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityDataError {
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The identity's file.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// The file is not what the server accepts as identity.
    #[error("{0} must be a JSON object with at least one key, whose values are strings")]
    Malformed(PathBuf),
}

/// What the machine offers to be told apart by.
pub(super) struct Machine<'a> {
    pub(super) sys_class_net: &'a Path,
    pub(super) machine_id: &'a Path,
}

impl Machine<'static> {
    pub(super) fn real() -> Self {
        Self {
            sys_class_net: Path::new(SYS_CLASS_NET),
            machine_id: Path::new("/etc/machine-id"),
        }
    }
}

/// The identity kept at `path`, as JSON text, or one chosen now and kept there.
pub(super) fn open(path: &Path, machine: &Machine<'_>) -> Result<String, IdentityDataError> {
    let file = |cause| IdentityDataError::File {
        path: path.to_owned(),
        cause,
    };
    if let Some(text) = private_file::read(path).map_err(file)? {
        let data: Value = serde_json::from_slice(&text)
            .ok()
            .filter(is_identity)
            .ok_or_else(|| IdentityDataError::Malformed(path.to_owned()))?;
        warn_of_copy(&data, path, machine);
        return Ok(data.to_string());
    }
    let data = choose(machine).to_string();
    private_file::write(path, data.as_bytes()).map_err(file)?;
    Ok(data)
}

fn is_identity(data: &Value) -> bool {
    data.as_object()
        .is_some_and(|entries| !entries.is_empty() && entries.values().all(Value::is_string))
}

/// The address of the first network interface, as mender-client's usual script does; without one,
/// a digest of the machine id (which itself is not to leave the machine); without that, chance.
fn choose(machine: &Machine<'_>) -> Value {
    if let Some(interface) = network_interfaces::list(machine.sys_class_net)
        .into_iter()
        .next()
    {
        return json!({ "mac": interface.mac });
    }
    let machine_id = std::fs::read_to_string(machine.machine_id).unwrap_or_default();
    if machine_id.trim().len() >= 32 {
        let text = format!("longwire-agent:{}", machine_id.trim());
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        return json!({ "machine": short(digest.as_ref()) });
    }
    let mut random = [0; 16];
    // Cannot fail where the key could be made; if it does, the device is still told by its key.
    let _ = ring::rand::SystemRandom::new().fill(&mut random);
    json!({ "random": short(&random) })
}

fn short(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes.get(..16).unwrap_or(bytes))
}

/// A disk copied to a second machine makes both one device to the server.
fn warn_of_copy(data: &Value, path: &Path, machine: &Machine<'_>) {
    let interfaces = network_interfaces::list(machine.sys_class_net);
    if let Some(mac) = data.get("mac").and_then(Value::as_str)
        && !interfaces.is_empty()
        && interfaces
            .iter()
            .all(|interface| !interface.mac.eq_ignore_ascii_case(mac))
    {
        log::warn!(
            "this device calls itself {mac}, which is the address of none of its interfaces: if \
             its disk is a copy of another device's, remove {} to be a device of its own",
            path.parent().unwrap_or(path).display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network_interfaces::tests::add;

    #[test]
    fn the_first_choice_is_the_hardware_address_and_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let net = folder.path().join("net");
        std::fs::create_dir(&net).unwrap();
        add(&net, "eth0", "1", 2, "52:54:00:00:00:01", true);
        let machine = Machine {
            sys_class_net: &net,
            machine_id: Path::new("/nonexistent"),
        };
        let path = folder.path().join("identity.json");
        assert_eq!(
            open(&path, &machine).unwrap(),
            r#"{"mac":"52:54:00:00:00:01"}"#
        );

        std::fs::remove_dir_all(net.join("eth0")).unwrap();
        add(&net, "eth1", "1", 3, "52:54:00:00:00:02", true);
        assert_eq!(
            open(&path, &machine).unwrap(),
            r#"{"mac":"52:54:00:00:00:01"}"#
        );
    }

    #[test]
    fn without_an_interface_the_machine_id_or_chance_decides() {
        let folder = tempfile::tempdir().unwrap();
        let machine_id = folder.path().join("machine-id");
        let machine = Machine {
            sys_class_net: folder.path(),
            machine_id: &machine_id,
        };
        let chance = choose(&machine);
        assert!(chance["random"].as_str().unwrap().len() > 20);
        assert_ne!(chance, choose(&machine));

        std::fs::write(&machine_id, "0123456789abcdef0123456789abcdef\n").unwrap();
        let digest = choose(&machine);
        assert_eq!(digest, choose(&machine));
        assert!(!digest.to_string().contains("0123456789abcdef"));
    }

    #[test]
    fn an_identity_given_beforehand_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        std::fs::write(&path, r#" {"serial": "A-17", "mac": "52:54:00:00:00:09"} "#).unwrap();
        let text = open(&path, &Machine::real()).unwrap();
        assert_eq!(text, r#"{"mac":"52:54:00:00:00:09","serial":"A-17"}"#);

        for bad in ["", "[]", "{}", r#"{"mac":3}"#] {
            std::fs::write(&path, bad).unwrap();
            let result = open(&path, &Machine::real());
            assert!(
                matches!(result, Err(IdentityDataError::Malformed(_))),
                "{bad}"
            );
        }
    }
}
