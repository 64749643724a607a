//! The embedded web UI.
