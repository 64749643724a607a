//! `devices list` and `devices show`.

use std::collections::HashMap;
use std::fmt::Write;

use longwire_client::{AuthSet, Client, Device, DeviceRow};
use serde::Serialize;
use serde_json::{Map, Value};

use super::find;
use crate::args::List;
use crate::failure::Failure;
use crate::fingerprint::fingerprint;
use crate::say::{is_terminal, print};
use crate::words::{plain, table};

/// The largest page that servers give.
const WHOLE_PAGE: u32 = 500;

/// What mender-cli asks for when only one of page and size is given.
const DEFAULT_PER_PAGE: u32 = 20;

/// A device as `--json` shows it. What a server does not know is null.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    name: Option<&'a str>,
    status: &'a str,
    connected: Option<bool>,
    identity: &'a Map<String, Value>,
    keys: Vec<ListedKey<'a>>,
    created_at: &'a str,
    updated_at: &'a str,
}

#[derive(Serialize)]
struct ListedKey<'a> {
    id: &'a str,
    status: &'a str,
    fingerprint: Option<String>,
    requested_at: &'a str,
}

/// Lists devices.
pub(super) async fn list(client: &Client, args: &List) -> Result<(), Failure> {
    let page = (args.page.is_some() || args.per_page.is_some()).then(|| {
        (
            args.page.unwrap_or(1),
            args.per_page.unwrap_or(DEFAULT_PER_PAGE),
        )
    });
    if args.raw {
        let raw = client.devices_raw(page).await?;
        return print(&format!("{}\n", String::from_utf8_lossy(&raw)));
    }
    let mut devices = match page {
        Some(_) => client.devices(page).await?,
        None => all(client).await?,
    };
    if let Some(status) = &args.status {
        devices.retain(|device| device.status == *status);
    }
    let for_people = is_terminal() && args.detail.is_none();
    if !args.json && !for_people {
        let detail = args.detail.unwrap_or(0);
        return print(
            &devices
                .iter()
                .map(|device| as_mender_cli(device, detail))
                .collect::<String>(),
        );
    }
    let rows = rows(client).await?;
    if args.json {
        let listed: Vec<_> = devices
            .iter()
            .map(|device| listed(device, rows.get(&device.id)))
            .collect();
        return print(&json(&listed)?);
    }
    if devices.is_empty() {
        return print("no devices\n");
    }
    let cells: Vec<_> = devices
        .iter()
        .map(|device| cells(device, rows.get(&device.id)))
        .collect();
    print(&table(["NAME", "ID", "STATUS", "CONNECTED"], &cells))
}

/// Shows one device.
pub(super) async fn show(client: &Client, wanted: &str, as_json: bool) -> Result<(), Failure> {
    let device = find::device(client, wanted).await?;
    let row = match client.device_row(&device.id).await {
        Ok(row) => Some(row),
        Err(error) if error.status() == Some(404) => None,
        Err(error) => return Err(error.into()),
    };
    if as_json {
        return print(&json(&listed(&device, row.as_ref()))?);
    }
    print(&described(&device, row.as_ref()))
}

/// All pages.
async fn all(client: &Client) -> Result<Vec<Device>, Failure> {
    let mut devices = Vec::new();
    for page in 1.. {
        let more = client.devices(Some((page, WHOLE_PAGE))).await?;
        let last = more.len() < WHOLE_PAGE as usize;
        devices.extend(more);
        if last {
            break;
        }
    }
    Ok(devices)
}

/// What our server knows beyond the Mender APIs, by id; nothing from any other.
async fn rows(client: &Client) -> Result<HashMap<String, DeviceRow>, Failure> {
    let mut rows = HashMap::new();
    for page in 1.. {
        let more = match client.device_rows(page, WHOLE_PAGE, None).await {
            Ok(more) => more.items,
            Err(error) if error.status() == Some(404) => break,
            Err(error) => return Err(error.into()),
        };
        let last = more.len() < WHOLE_PAGE as usize;
        rows.extend(more.into_iter().map(|row| (row.id.clone(), row)));
        if last {
            break;
        }
    }
    Ok(rows)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::plain(error.to_string()))?;
    Ok(text + "\n")
}

fn listed<'a>(device: &'a Device, row: Option<&'a DeviceRow>) -> Listed<'a> {
    Listed {
        id: &device.id,
        name: row.map(|row| row.name.as_str()),
        status: &device.status,
        connected: row.map(|row| row.connected),
        identity: &device.identity_data,
        keys: device
            .auth_sets
            .iter()
            .map(|key| ListedKey {
                id: &key.id,
                status: &key.status,
                fingerprint: fingerprint(&key.pubkey),
                requested_at: &key.ts,
            })
            .collect(),
        created_at: &device.created_ts,
        updated_at: &device.updated_ts,
    }
}

fn cells(device: &Device, row: Option<&DeviceRow>) -> [String; 4] {
    let name = row.map_or_else(
        || identity_text(device.identity_data.values().next()),
        |row| row.name.clone(),
    );
    let new_key =
        device.status == "accepted" && device.auth_sets.iter().any(|key| key.status == "pending");
    let status = if new_key {
        "accepted, new key pending".to_owned()
    } else {
        device.status.clone()
    };
    let connected = match row {
        Some(row) if row.connected => "yes",
        Some(_) => "no",
        None => "?",
    };
    [name, device.id.clone(), status, connected.to_owned()].map(|cell| plain(&cell).into_owned())
}

fn identity_text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn described(device: &Device, row: Option<&DeviceRow>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<14}{}", plain(value));
    };
    if let Some(row) = row {
        line("Name:", &row.name);
    }
    line("ID:", &device.id);
    line("Status:", &device.status);
    if let Some(row) = row {
        match (&row.connected_since, row.connected) {
            (Some(since), true) => line("Connected:", &format!("since {since}")),
            (_, connected) => line("Connected:", if connected { "yes" } else { "no" }),
        }
    }
    line("First seen:", &device.created_ts);
    for (name, value) in &device.identity_data {
        line(
            "Identity:",
            &format!("{name} = {}", identity_text(Some(value))),
        );
    }
    for key in &device.auth_sets {
        let print = fingerprint(&key.pubkey).unwrap_or_else(|| "unreadable key".to_owned());
        line(
            "Key:",
            &format!("{print} ({}, asked {})", key.status, key.ts),
        );
        line("", &format!("id {}", key.id));
    }
    text
}

/// The form that mender-cli's users parse.
fn as_mender_cli(device: &Device, detail: u8) -> String {
    let mut text = format!(
        "ID: {}\nStatus: {}\n",
        plain(&device.id),
        plain(&device.status)
    );
    if detail >= 1 {
        text.push_str(&mender_identity(&device.identity_data, ""));
        let _ = writeln!(text, "CreatedTs: {}", plain(&device.created_ts));
        let _ = writeln!(text, "UpdatedTs: {}", plain(&device.updated_ts));
        let _ = writeln!(text, "Decommissioning: {}", device.decommissioning);
    }
    if detail >= 2 {
        for (number, key) in device.auth_sets.iter().enumerate() {
            text.push_str(&mender_key(number, key));
        }
    }
    text.push_str(&"-".repeat(80));
    text.push('\n');
    text
}

fn mender_identity(identity: &Map<String, Value>, indent: &str) -> String {
    let mut text = format!("{indent}IdentityData:\n");
    for (key, name) in [
        ("mac", "MAC address"),
        ("sku", "SKU"),
        ("sn", "Serial number"),
    ] {
        if let Some(value) = identity.get(key) {
            let value = identity_text(Some(value));
            if !value.is_empty() {
                let _ = writeln!(text, "{indent}  {name}: {}", plain(&value));
            }
        }
    }
    text
}

fn mender_key(number: usize, key: &AuthSet) -> String {
    let pem: String = key
        .pubkey
        .lines()
        .map(|line| format!("{}\n", plain(line)))
        .collect();
    let pem = if key.pubkey.ends_with('\n') {
        pem.as_str()
    } else {
        pem.trim_end()
    };
    let mut text = format!(
        "AuthSet[{number}]:\n  ID: {}\n  PubKey:\n{pem}",
        plain(&key.id)
    );
    text.push_str(&mender_identity(&key.identity_data, "  "));
    let _ = writeln!(text, "  Status: {}", plain(&key.status));
    let _ = writeln!(text, "  Ts: {}", plain(&key.ts));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        serde_json::from_str(
            r#"{"id":"d1","identity_data":{"mac":"0e:fa","sn":"7","x":"y"},"status":"accepted",
            "created_ts":"2026-11-25T08:00:00Z","updated_ts":"2026-11-25T08:00:01Z",
            "auth_sets":[{"id":"a1","pubkey":"PEM\nX","identity_data":{"mac":"0e:fa","sn":"7"},
            "status":"accepted","ts":"2026-11-25T08:00:00.123Z"}],"decommissioning":false}"#,
        )
        .unwrap()
    }

    /// As Debian's mender-cli 1.9.0 printed it for the same answer of a server.
    const MENDER_CLI: &str = "\
ID: d1
Status: accepted
IdentityData:
  MAC address: 0e:fa
  Serial number: 7
CreatedTs: 2026-11-25T08:00:00Z
UpdatedTs: 2026-11-25T08:00:01Z
Decommissioning: false
AuthSet[0]:
  ID: a1
  PubKey:
PEM
X  IdentityData:
    MAC address: 0e:fa
    Serial number: 7
  Status: accepted
  Ts: 2026-11-25T08:00:00.123Z
--------------------------------------------------------------------------------
";

    #[test]
    fn item_56_a_list_in_a_pipe_is_mender_clis() {
        assert_eq!(as_mender_cli(&device(), 2), MENDER_CLI);
        let short = as_mender_cli(&device(), 0);
        assert_eq!(
            short,
            format!("ID: d1\nStatus: accepted\n{}\n", "-".repeat(80))
        );
    }

    #[test]
    fn json_has_the_id_first() {
        let text = json(&[listed(&device(), None)]).unwrap();
        assert!(
            text.starts_with("[\n  {\n    \"id\": \"d1\",\n    \"name\": null,"),
            "{text}"
        );
    }

    #[test]
    fn a_hostile_name_cannot_draw() {
        let row: DeviceRow =
            serde_json::from_str(r#"{"id":"d1","name":"\u001b[2Jx","connected":true}"#).unwrap();
        let text = table(
            ["NAME", "ID", "STATUS", "CONNECTED"],
            &[cells(&device(), Some(&row))],
        );
        assert!(!text.contains('\u{1b}') && text.contains("[2Jx"), "{text}");
        assert!(!described(&device(), Some(&row)).contains('\u{1b}'));
    }
}
