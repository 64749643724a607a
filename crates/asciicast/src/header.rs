//! The first line of a cast.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::CastError;

/// The format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Times since the beginning. Read by every asciinema since 2.0.
    V2,
    /// Times since the event before; ends can say a status. Read by asciinema since 3.0.
    V3,
}

/// What the first line says about the recording. Fields that are none of these are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Columns at the beginning.
    pub cols: u16,
    /// Lines at the beginning.
    pub rows: u16,
    /// When it began, in seconds since 1970.
    pub timestamp: Option<u64>,
    /// A title.
    pub title: Option<String>,
    /// What was run.
    pub command: Option<String>,
    /// The terminal's type, as in `TERM`.
    pub term: Option<String>,
    /// The longest pause, in milliseconds, that a player should make.
    pub idle_time_limit_ms: Option<u64>,
    /// Environment variables by name; `TERM` is [`Header::term`].
    pub env: BTreeMap<String, String>,
}

impl Header {
    /// A header that says the size alone.
    pub fn new(cols: u16, rows: u16) -> Self {
        Header {
            cols,
            rows,
            timestamp: None,
            title: None,
            command: None,
            term: None,
            idle_time_limit_ms: None,
            env: BTreeMap::new(),
        }
    }

    /// The line, without its end; the version comes first, by which tools know a cast.
    pub(crate) fn to_json(&self, version: Version) -> String {
        let mut env = self.env.clone();
        if let (Version::V2, Some(term)) = (version, &self.term) {
            env.insert("TERM".to_owned(), term.clone());
        }
        let v2 = version == Version::V2;
        let line = Line {
            version: if v2 { 2 } else { 3 },
            width: v2.then_some(self.cols),
            height: v2.then_some(self.rows),
            term: (!v2).then_some(Term {
                cols: self.cols,
                rows: self.rows,
                kind: self.term.as_deref(),
            }),
            timestamp: self.timestamp,
            // Exact to the millisecond for any limit that makes sense.
            idle_time_limit: self.idle_time_limit_ms.map(|limit| limit as f64 / 1000.0),
            command: self.command.as_deref(),
            title: self.title.as_deref(),
            env,
        };
        // Maps of text to text and numbers: there is nothing that could not be written.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads the first line.
    pub(crate) fn from_json(line: &[u8]) -> Result<(Version, Header), CastError> {
        let line: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| CastError::NoHeader(error.to_string()))?;
        let version = match line.get("version").and_then(Value::as_u64) {
            Some(2) => Version::V2,
            Some(3) => Version::V3,
            Some(other) => return Err(CastError::Version(other)),
            None => return Err(CastError::NoHeader("no version".to_owned())),
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in line
            .get("env")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if let Some(value) = value.as_str() {
                env.insert(name.clone(), value.to_owned());
            }
        }
        let (cols, rows, term) = match version {
            Version::V2 => (line.get("width"), line.get("height"), env.remove("TERM")),
            Version::V3 => {
                let term = line.get("term").and_then(Value::as_object);
                let of = |name: &str| term.and_then(|term| term.get(name));
                (of("cols"), of("rows"), text(of("type")))
            }
        };
        let size = |value: Option<&Value>| {
            value
                .and_then(Value::as_u64)
                .and_then(|value| u16::try_from(value).ok())
                .ok_or_else(|| CastError::NoHeader("no size".to_owned()))
        };
        let limit = line.get("idle_time_limit").and_then(Value::as_f64);
        let header = Header {
            cols: size(cols)?,
            rows: size(rows)?,
            timestamp: line.get("timestamp").and_then(Value::as_u64),
            title: text(line.get("title")),
            command: text(line.get("command")),
            term,
            idle_time_limit_ms: limit
                .filter(|limit| (0.0..=1e12).contains(limit))
                .map(|limit| (limit * 1000.0).round() as u64),
            env,
        };
        Ok((version, header))
    }
}

/// The line as it is written.
#[derive(Serialize)]
struct Line<'a> {
    version: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    term: Option<Term<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_time_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
}

/// The terminal in version 3.
#[derive(Serialize)]
struct Term<'a> {
    cols: u16,
    rows: u16,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
}
