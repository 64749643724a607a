//! Values and properties: the part of a message whose shape is not fixed.

use bytes::Bytes;

use crate::limits::MAX_VALUES;

/// A msgpack value. Widths are forgotten when reading and chosen anew when writing.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Nothing: msgpack nil, or the `undefined` of a JavaScript encoder (extension type 0).
    Nil,
    /// A truth value.
    Bool(bool),
    /// An integer up to `i64::MAX`.
    Int(i64),
    /// An integer above `i64::MAX`; a smaller one is always an [`Value::Int`].
    UInt(u64),
    /// A floating point number of either width.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes; also what was sent as text but is not UTF-8.
    Bin(Bytes),
    /// A list.
    Array(Vec<Value>),
    /// A map with keys of any kind, in the order of the wire.
    Map(Vec<(Value, Value)>),
    /// An extension: type and data. Type -1 is a timestamp; type 0 never occurs, it is
    /// [`Value::Nil`].
    Ext(i8, Bytes),
}

impl Value {
    /// The integer, of whatever width, if this is one and an `i64` holds it.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The text, if this is text or bytes that are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(value) = self {
            Some(value)
        } else if let Value::Bin(value) = self {
            std::str::from_utf8(value).ok()
        } else {
            None
        }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The elements, if this is a list.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(values) = self {
            Some(values)
        } else {
            None
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Value::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Int(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Value::UInt(value), Value::Int)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Str(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Str(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Value::Bin(value)
    }
}

/// Properties: a small map from names to values that keeps its order. Messages have a handful of
/// them, so that a list is the quickest map.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Props(Vec<(String, Value)>);

impl Props {
    /// No properties.
    pub const fn new() -> Self {
        Props(Vec::new())
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The integer called `name`, sent in any width.
    pub fn get_int(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_int()
    }

    /// The text called `name`.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Sets `name`, replacing what it was. A map that already holds [`MAX_VALUES`] entries takes no
    /// new name, as no peer would read it.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        if let Some((_, old)) = self.0.iter_mut().find(|(key, _)| key == name) {
            *old = value;
        } else if self.0.len() < MAX_VALUES {
            self.0.push((name.to_owned(), value));
        }
    }

    /// The same properties with `name` set; for building a message in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Takes `name` out and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(index).1)
    }

    /// Names and values in the order they were set or came over the wire.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
