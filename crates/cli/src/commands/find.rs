//! Which device is meant.

use longwire_client::{Client, Device, DeviceRow, Error};

use crate::failure::{Code, Failure};
use crate::words::plain;

/// How many devices are looked at when a name is to be found.
const SEARCH: u32 = 500;

/// A device, and whether it has a link.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) is_connected: bool,
}

/// A device that may have a link, given its id or an unambiguous name.
pub(super) async fn any(client: &Client, wanted: &str) -> Result<Found, Failure> {
    let state = match client.device_state(wanted).await {
        Ok(state) => state,
        Err(error) if names_no_device(&error) => match by_name(client, wanted).await? {
            Some(id) => client.device_state(&id).await.map_err(unable)?,
            None => return Err(unknown(error)),
        },
        Err(error) => return Err(unable(error)),
    };
    Ok(Found {
        is_connected: state.is_connected(),
        id: state.device_id,
    })
}

/// The id of a device that has a link.
pub(super) async fn connected(client: &Client, wanted: &str) -> Result<String, Failure> {
    let found = any(client, wanted).await?;
    if found.is_connected {
        Ok(found.id)
    } else {
        Err(offline())
    }
}

/// The device has no link.
pub(super) fn offline() -> Failure {
    Failure::new(Code::Offline, "the device is not connected")
}

/// mender-cli's words.
fn unable(error: Error) -> Failure {
    Failure::from(error).while_doing("unable to get the device")
}

/// There is no such device, even where the server found fault with the form of the id first.
fn unknown(error: Error) -> Failure {
    Failure::new(Code::NotFound, unable(error).to_string())
}

/// A device of any status, given its id or an unambiguous name.
pub(super) async fn device(client: &Client, wanted: &str) -> Result<Device, Failure> {
    match client.device(wanted).await {
        Ok(device) => Ok(device),
        Err(error) if names_no_device(&error) => match by_name(client, wanted).await? {
            Some(id) => Ok(client.device(&id).await?),
            None => Err(unknown(error)),
        },
        Err(error) => Err(unable(error)),
    }
}

/// What servers answer to an id that is none: some check its form first.
fn names_no_device(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 404))
}

/// The id of the only device with this name. Our server knows names; others know host names.
async fn by_name(client: &Client, name: &str) -> Result<Option<String>, Failure> {
    match client.device_rows(1, SEARCH, Some(name)).await {
        Ok(page) => only(name, matching(&page.items, name)),
        Err(error) if error.status() == Some(404) => match client.devices_by_hostname(name).await {
            Ok(ids) => only(name, ids),
            Err(error) if names_no_device(&error) => Ok(None),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// A search finds more than was asked for: only whole names count, in any case of letters.
fn matching(rows: &[DeviceRow], name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let is_named = |row: &&DeviceRow| {
        row.name.to_lowercase() == name
            || row.identity.values().any(|value| {
                value
                    .as_str()
                    .is_some_and(|value| value.to_lowercase() == name)
            })
    };
    rows.iter()
        .filter(is_named)
        .map(|row| row.id.clone())
        .collect()
}

fn only(name: &str, mut ids: Vec<String>) -> Result<Option<String>, Failure> {
    if ids.len() > 1 {
        let ids = ids.join("\n  ");
        return Err(Failure::usage(format!(
            "several devices are called {}; say which:\n  {ids}",
            plain(name)
        )));
    }
    Ok(ids.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, name: &str, mac: &str) -> DeviceRow {
        let json = format!(r#"{{"id":"{id}","name":"{name}","identity":{{"mac":"{mac}"}}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_name_is_a_whole_name_or_a_value_of_the_identity() {
        let rows = [row("1", "pump-1", "0e:01"), row("2", "pump-10", "0e:02")];
        assert_eq!(matching(&rows, "pump-1"), ["1"]);
        assert_eq!(matching(&rows, "PUMP-10"), ["2"]);
        assert_eq!(matching(&rows, "0e:02"), ["2"]);
        assert!(matching(&rows, "pump").is_empty());
    }

    #[test]
    fn an_ambiguous_name_is_a_question() {
        assert_eq!(only("x", vec![]).unwrap(), None);
        assert_eq!(only("x", vec!["1".into()]).unwrap().as_deref(), Some("1"));
        let failure = only("x", vec!["1".into(), "2".into()]).unwrap_err();
        assert_eq!(failure.code, Code::Usage);
        assert!(failure.to_string().ends_with("  1\n  2"));
    }
}
