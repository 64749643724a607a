//! What people note about devices: groups and tags.

use std::net::IpAddr;

use super::inventory::{NewAttribute, Write, checked};
use crate::access::Granted;
use crate::app::App;
use crate::audit::{Action, AuditEvent, Object};
use crate::error::ApiError;
use crate::ids::DeviceId;
use crate::store::AttributeScope;
use crate::time::Timestamp;

/// Longest name of a group in bytes.
const GROUP_BYTES_MAX: usize = 256;

/// Checks a group's name as Mender does.
///
/// # Errors
/// 400 for a name that is empty, too long or has other characters.
pub fn checked_group(name: &str) -> Result<&str, ApiError> {
    if name.is_empty() {
        return Err(ApiError::bad_request("Group name cannot be blank"));
    }
    if name.len() > GROUP_BYTES_MAX {
        return Err(ApiError::bad_request(
            "Group name can at most have 256 characters",
        ));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.bytes().all(allowed) {
        return Err(ApiError::bad_request(
            "Group name can only contain: upper/lowercase alphanum, -(dash), _(underscore)",
        ));
    }
    Ok(name)
}

/// Puts devices in a group, or takes them out of the group `from` (or any). Gives the number of devices
/// that were there and that changed.
///
/// # Errors
/// When the database fails.
pub async fn set_group(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    devices: &[DeviceId],
    group: Option<&str>,
    from: Option<&str>,
) -> Result<(u64, u64), ApiError> {
    let mut change = app.store.change().await?;
    let counts = change
        .set_group(devices, group, from, Timestamp::now())
        .await?;
    let (_, updated) = counts;
    if updated == 0 {
        return Ok(counts);
    }
    let name = group.or(from).unwrap_or_default().to_owned();
    let object = match devices {
        [device] => Object::Device(*device),
        _ => Object::Group(name),
    };
    let ids: Vec<_> = devices.iter().map(ToString::to_string).collect();
    let event = AuditEvent::new(Action::DeviceGrouped, granted, object)
        .from_address(address)
        .with("group", group.map(str::to_owned))
        .with("devices", ids);
    change.commit(&event).await?;
    for device in devices {
        app.device_changed(*device);
    }
    Ok(counts)
}

/// Takes every device out of a group.
///
/// # Errors
/// When the database fails.
pub async fn remove_group(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    group: &str,
) -> Result<u64, ApiError> {
    let mut change = app.store.change().await?;
    let devices = change.remove_group(group, Timestamp::now()).await?;
    if devices.is_empty() {
        return Ok(0);
    }
    let event = AuditEvent::new(
        Action::DeviceGrouped,
        granted,
        Object::Group(group.to_owned()),
    )
    .from_address(address)
    .with("group", None::<String>)
    .with("device_count", devices.len());
    change.commit(&event).await?;
    for device in &devices {
        app.device_changed(*device);
    }
    Ok(devices.len() as u64)
}

/// Writes a device's tags, if they are still those the caller saw.
///
/// # Errors
/// 404 without the device, 400 for tags that are not taken, 412 when `seen` is given and is not the
/// present [`super::inventory::etag`].
pub async fn set_tags(
    app: &App,
    granted: &Granted,
    address: IpAddr,
    device: DeviceId,
    tags: Vec<NewAttribute>,
    write: Write,
    seen: Option<&str>,
) -> Result<(), ApiError> {
    let now = Timestamp::now();
    let tags = checked(tags, AttributeScope::Tags, now)?;
    let mut change = app.store.change().await?;
    if change.device(device).await?.is_none() {
        return Err(ApiError::not_found("device not found"));
    }
    if let Some(seen) = seen {
        let current = change.attributes_of(&[device]).await?;
        let current = current.iter().map(|(_, attribute)| attribute);
        if seen != super::inventory::etag(current) {
            return Err(ApiError::new(
                axum::http::StatusCode::PRECONDITION_FAILED,
                "ETag does not match",
            ));
        }
    }
    if write == Write::Replace {
        change.clear_tags(device).await?;
    }
    change.put_attributes(device, &tags).await?;
    super::inventory::hold_to_limit(&mut change, device, AttributeScope::Tags).await?;
    change.touch_device(device, now).await?;
    let names: Vec<_> = tags.iter().map(|tag| tag.name.clone()).collect();
    let event = AuditEvent::new(Action::DeviceTagged, granted, Object::Device(device))
        .from_address(address)
        .with("tags", names);
    change.commit(&event).await?;
    app.device_changed(device);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::checked_group;

    #[test]
    fn group_names_are_plain() {
        for good in ["a", "Berlin-2", "x_y"] {
            assert_eq!(checked_group(good), Ok(good));
        }
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(257)] {
            assert!(checked_group(bad).is_err(), "{bad}");
        }
    }
}
