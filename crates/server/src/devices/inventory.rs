//! What devices report of themselves.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;
use crate::ids::DeviceId;
use crate::store::{Attribute, AttributeScope, Write as Transaction};
use crate::time::Timestamp;

/// Most attributes of one scope a device may have, and how long their parts may be in bytes.
const ATTRIBUTES_MAX: usize = 500;
const NAME_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 8 * 1024;
const DESCRIPTION_BYTES_MAX: usize = 1024;

/// One attribute as a device or a person writes it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewAttribute {
    /// Its name.
    pub name: String,
    /// A string, number, boolean, or an array of one of these.
    #[schema(value_type = AttributeValue)]
    pub value: Value,
    /// What it means.
    #[serde(default)]
    pub description: Option<String>,
}

/// The value of an attribute: a string, number, boolean, or an array of one of these.
#[derive(ToSchema)]
#[schema(value_type = Value)]
pub struct AttributeValue(#[allow(dead_code, reason = "only its schema is used")] pub Value);

/// Whether attributes that are not mentioned stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They go (PUT).
    Replace,
    /// They stay (PATCH).
    Merge,
}

/// Writes down what a device reports.
///
/// # Errors
/// 400 for attributes that are not taken.
pub async fn report(
    app: &App,
    device: DeviceId,
    attributes: Vec<NewAttribute>,
    write: Write,
) -> Result<(), ApiError> {
    let now = Timestamp::now();
    let attributes = checked(attributes, AttributeScope::Inventory, now)?;
    let mut report = app.store.report().await?;
    report.check_in(device, now).await?;
    let known = report.attributes_of(&[device]).await?;
    if is_known(&known, &attributes, write) {
        return Ok(report.commit().await?);
    }
    if write == Write::Replace {
        report.clear_inventory(device).await?;
    }
    report.put_inventory(device, &attributes).await?;
    hold_to_limit(&mut report, device, AttributeScope::Inventory).await?;
    report.touch_device(device, now).await?;
    report.commit().await?;
    app.device_changed(device);
    Ok(())
}

/// Whether a report says nothing new; real clients send the same again and again.
fn is_known(known: &[(DeviceId, Attribute)], reported: &[Attribute], write: Write) -> bool {
    let known: HashMap<_, _> = known
        .iter()
        .map(|(_, attribute)| attribute)
        .filter(|attribute| attribute.scope == AttributeScope::Inventory)
        .map(|attribute| (&attribute.name, attribute))
        .collect();
    let same = |reported: &Attribute| {
        known.get(&reported.name).is_some_and(|known| {
            known.value == reported.value
                && (reported.description.is_none() || known.description == reported.description)
        })
    };
    let names: HashSet<_> = reported.iter().map(|attribute| &attribute.name).collect();
    reported.iter().all(same) && (write == Write::Merge || names.len() == known.len())
}

/// Refuses a change after which a device would have too many attributes.
pub(super) async fn hold_to_limit<K>(
    change: &mut Transaction<K>,
    device: DeviceId,
    scope: AttributeScope,
) -> Result<(), ApiError> {
    if change.count_attributes(device, scope).await? > ATTRIBUTES_MAX as u64 {
        return Err(too_many());
    }
    Ok(())
}

/// Changes whenever a device's tags do.
#[must_use]
pub fn etag<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for tag in attributes
        .into_iter()
        .filter(|attribute| attribute.scope == AttributeScope::Tags)
    {
        let parts = serde_json::json!([tag.name, tag.value, tag.description]);
        context.update(parts.to_string().as_bytes());
    }
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(context.finish()))
}

/// Attributes ready to be stored.
///
/// # Errors
/// 400 saying which one is not taken, and why.
pub fn checked(
    attributes: Vec<NewAttribute>,
    scope: AttributeScope,
    now: Timestamp,
) -> Result<Vec<Attribute>, ApiError> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(too_many());
    }
    attributes
        .into_iter()
        .map(|attribute| {
            check(&attribute)?;
            Ok(Attribute {
                scope,
                name: attribute.name,
                value: attribute.value,
                description: attribute.description,
                updated_at: now,
            })
        })
        .collect()
}

fn too_many() -> ApiError {
    ApiError::bad_request(format!("more than {ATTRIBUTES_MAX} attributes"))
}

fn check(attribute: &NewAttribute) -> Result<(), ApiError> {
    let name = &attribute.name;
    if name.is_empty() {
        return Err(ApiError::bad_request("name: cannot be blank."));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(ApiError::bad_request("name: too long."));
    }
    if !is_plain(&attribute.value) {
        return Err(ApiError::bad_request(format!(
            "value of {name}: must be a string, a number, a boolean or an array of one of these."
        )));
    }
    if attribute.value.to_string().len() > VALUE_BYTES_MAX {
        return Err(ApiError::bad_request(format!("value of {name}: too long.")));
    }
    let description = attribute.description.as_deref().unwrap_or_default();
    if description.len() > DESCRIPTION_BYTES_MAX {
        return Err(ApiError::bad_request(format!(
            "description of {name}: too long."
        )));
    }
    Ok(())
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Object(_) => false,
        Value::Array(items) => {
            items.iter().all(Value::is_string)
                || items.iter().all(Value::is_number)
                || items.iter().all(Value::is_boolean)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_plain_or_arrays_of_one_kind() {
        for good in [
            json!("a"),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["a"]),
            json!([1, 2]),
        ] {
            assert!(is_plain(&good), "{good}");
        }
        for bad in [
            json!(null),
            json!({}),
            json!([1, "a"]),
            json!([[1]]),
            json!([null]),
        ] {
            assert!(!is_plain(&bad), "{bad}");
        }
    }
}
