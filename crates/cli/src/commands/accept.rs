//! `devices accept`, `reject` and `remove`.

use longwire_client::{AuthSet, AuthStatus, Client, Device};

use super::find;
use crate::args::Accept;
use crate::failure::{Code, Failure};
use crate::fingerprint::fingerprint;
use crate::say::{print, say};

/// Lets a device in.
pub(super) async fn accept(client: &Client, args: &Accept) -> Result<(), Failure> {
    let device = find::device(client, &args.device).await?;
    let key = match chosen(&device, args.key.as_deref(), &["pending"])? {
        Some(key) => key,
        None if device.status == "accepted" => return print("already accepted\n"),
        None => return Err(nothing_to_decide(&device, "no key of the device waits")),
    };
    if let Some(known) = known_key(&device, key) {
        let warning = format!(
            "this device is known by another key, which would be replaced:\n  known: {}\n  new:   {}",
            name(known),
            name(key)
        );
        if !args.replace_key {
            return Err(Failure::plain(format!(
                "{warning}\nIf its key was really renewed, say --replace-key; \
                 otherwise someone else claims to be this device."
            )));
        }
        say(&format!("WARNING: {warning}"));
    }
    client
        .set_auth_status(&device.id, &key.id, AuthStatus::Accepted)
        .await?;
    print(&format!("accepted {} with key {}\n", device.id, name(key)))
}

/// Turns a device away.
pub(super) async fn reject(
    client: &Client,
    wanted: &str,
    key: Option<&str>,
) -> Result<(), Failure> {
    let device = find::device(client, wanted).await?;
    let Some(key) = chosen(&device, key, &["pending", "accepted"])? else {
        return Err(nothing_to_decide(
            &device,
            "no key of the device waits or is accepted",
        ));
    };
    client
        .set_auth_status(&device.id, &key.id, AuthStatus::Rejected)
        .await?;
    print(&format!("rejected {} with key {}\n", device.id, name(key)))
}

/// Removes a device.
pub(super) async fn remove(client: &Client, wanted: &str) -> Result<(), Failure> {
    let device = find::device(client, wanted).await?;
    client.decommission(&device.id).await?;
    print(&format!("removed {}\n", device.id))
}

fn nothing_to_decide(device: &Device, what: &str) -> Failure {
    Failure::plain(format!("{what}: {} is {}", device.id, device.status))
}

/// The key that is meant: the named one, else the only one of the first status that has any.
fn chosen<'a>(
    device: &'a Device,
    named: Option<&str>,
    statuses: &[&str],
) -> Result<Option<&'a AuthSet>, Failure> {
    if let Some(named) = named {
        let is_meant =
            |key: &&AuthSet| key.id == named || fingerprint(&key.pubkey).as_deref() == Some(named);
        let key = device.auth_sets.iter().find(is_meant);
        return key
            .map(Some)
            .ok_or_else(|| Failure::new(Code::NotFound, format!("the device has no key {named}")));
    }
    for status in statuses {
        let keys: Vec<_> = device
            .auth_sets
            .iter()
            .filter(|key| key.status == *status)
            .collect();
        match keys.as_slice() {
            [] => {}
            [only] => return Ok(Some(only)),
            several => {
                let names: Vec<_> = several.iter().map(|key| name(key)).collect();
                return Err(Failure::usage(format!(
                    "several keys of the device are {status}; say which with --key:\n  {}",
                    names.join("\n  ")
                )));
            }
        }
    }
    Ok(None)
}

/// The key that accepting `key` would put out of use.
fn known_key<'a>(device: &'a Device, key: &AuthSet) -> Option<&'a AuthSet> {
    device
        .auth_sets
        .iter()
        .find(|other| other.status == "accepted" && other.id != key.id)
}

fn name(key: &AuthSet) -> String {
    fingerprint(&key.pubkey).unwrap_or_else(|| key.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(keys: &[(&str, &str)]) -> Device {
        let keys: Vec<_> = keys
            .iter()
            .map(|(id, status)| format!(r#"{{"id":"{id}","status":"{status}","pubkey":""}}"#))
            .collect();
        let json = format!(
            r#"{{"id":"d","status":"x","auth_sets":[{}]}}"#,
            keys.join(",")
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_key_that_waits_is_meant() {
        let device = device(&[("a", "accepted"), ("b", "pending"), ("c", "rejected")]);
        let key = chosen(&device, None, &["pending", "accepted"])
            .unwrap()
            .unwrap();
        assert_eq!(key.id, "b");
        assert_eq!(known_key(&device, key).unwrap().id, "a");
        assert_eq!(
            chosen(&device, Some("c"), &["pending"])
                .unwrap()
                .unwrap()
                .id,
            "c"
        );
        assert_eq!(
            chosen(&device, Some("z"), &["pending"]).unwrap_err().code,
            Code::NotFound
        );
    }

    #[test]
    fn several_that_wait_are_a_question() {
        let two = device(&[("a", "pending"), ("b", "pending")]);
        assert_eq!(
            chosen(&two, None, &["pending"]).unwrap_err().code,
            Code::Usage
        );
        assert!(
            chosen(&device(&[("a", "rejected")]), None, &["pending"])
                .unwrap()
                .is_none()
        );
    }
}
