//! What a device says it is (`id_data`), in the one form that is compared.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::store::{Attribute, AttributeScope};
use crate::time::Timestamp;

/// Longest identity in bytes, and the most keys it may have.
const BYTES_MAX: usize = 8 * 1024;
const KEYS_MAX: usize = 64;

/// Why an identity is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There is none, or an empty one.
    #[error("id_data must be provided")]
    Missing,
    /// Not a JSON object.
    #[error("id_data must be a JSON object")]
    NotAnObject,
    /// Too long or too many keys.
    #[error("id_data is over the limit ({BYTES_MAX} bytes, {KEYS_MAX} keys)")]
    TooLarge,
}

/// An identity with sorted keys. Two are the same device exactly when the texts are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    text: String,
    members: BTreeMap<String, Value>,
}

impl Identity {
    /// Reads the JSON text that devices send.
    ///
    /// # Errors
    /// When it is no JSON object, empty or too large.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if text.is_empty() {
            return Err(IdentityError::Missing);
        }
        if text.len() > BYTES_MAX {
            return Err(IdentityError::TooLarge);
        }
        let members = serde_json::from_str(text).map_err(|_| IdentityError::NotAnObject)?;
        Self::from_members(members)
    }

    /// Takes an identity that came as JSON itself.
    ///
    /// # Errors
    /// When it is empty or too large.
    pub fn from_members(members: BTreeMap<String, Value>) -> Result<Self, IdentityError> {
        if members.is_empty() {
            return Err(IdentityError::Missing);
        }
        let mut text = String::new();
        write_object(members.iter(), &mut text);
        if members.len() > KEYS_MAX || text.len() > BYTES_MAX {
            return Err(IdentityError::TooLarge);
        }
        Ok(Self { text, members })
    }

    /// The form that is stored and compared: keys sorted at every level, no spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The identity as attributes of the device.
    #[must_use]
    pub fn attributes(&self, now: Timestamp) -> Vec<Attribute> {
        self.members
            .iter()
            .map(|(name, value)| Attribute {
                scope: AttributeScope::Identity,
                name: name.clone(),
                value: value.clone(),
                description: None,
                updated_at: now,
            })
            .collect()
    }
}

fn write_object<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>, out: &mut String) {
    out.push('{');
    for (at, (key, value)) in members.enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        write_value(value, out);
    }
    out.push('}');
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            write_object(sorted.into_iter(), out);
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_30_the_order_of_keys_does_not_matter() {
        let one = Identity::parse(r#"{"mac":"0e:fa","sku":["b","a"],"x":{"q":1,"p":2}}"#).unwrap();
        let other =
            Identity::parse(r#" {"x": {"p":2, "q":1}, "sku":["b","a"], "mac":"0e:fa"} "#).unwrap();
        assert_eq!(one, other);
        assert_eq!(
            one.as_str(),
            r#"{"mac":"0e:fa","sku":["b","a"],"x":{"p":2,"q":1}}"#
        );
        // The order of several values does.
        let third = Identity::parse(r#"{"mac":"0e:fa","sku":["a","b"]}"#).unwrap();
        assert_ne!(one.as_str(), third.as_str());
    }

    #[test]
    fn what_is_no_object_or_too_large_is_refused() {
        assert_eq!(Identity::parse(""), Err(IdentityError::Missing));
        assert_eq!(Identity::parse("{}"), Err(IdentityError::Missing));
        for text in ["[]", "1", "nonsense", "{\"a\":"] {
            assert_eq!(Identity::parse(text), Err(IdentityError::NotAnObject));
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(BYTES_MAX));
        assert_eq!(Identity::parse(&long), Err(IdentityError::TooLarge));
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(Identity::parse(&deep), Err(IdentityError::NotAnObject));
    }
}
