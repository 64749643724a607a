//! Markers and ends as JSON.

use serde::{Deserialize, Serialize};

use crate::session::Marker;

/// A marker or an end, as JSON: what is added later is passed over by older readers.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Words {
    Attached { by: String, control: bool },
    Detached { by: String },
    Control { by: String, epoch: u64 },
    LinkLost,
    LinkBack { lossless: bool },
    Restarted,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EndWords {
    pub(super) reason: Option<String>,
    pub(super) exit_status: Option<i32>,
    pub(super) text: String,
}

impl From<&Marker> for Words {
    fn from(marker: &Marker) -> Self {
        match marker.clone() {
            Marker::Attached { by, control } => Self::Attached { by, control },
            Marker::Detached { by } => Self::Detached { by },
            Marker::Control { by, epoch } => Self::Control { by, epoch },
            Marker::LinkLost => Self::LinkLost,
            Marker::LinkBack { lossless } => Self::LinkBack { lossless },
            Marker::Restarted => Self::Restarted,
        }
    }
}

impl From<Words> for Marker {
    fn from(words: Words) -> Self {
        match words {
            Words::Attached { by, control } => Self::Attached { by, control },
            Words::Detached { by } => Self::Detached { by },
            Words::Control { by, epoch } => Self::Control { by, epoch },
            Words::LinkLost => Self::LinkLost,
            Words::LinkBack { lossless } => Self::LinkBack { lossless },
            Words::Restarted => Self::Restarted,
        }
    }
}
