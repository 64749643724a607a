//! Live terminal sessions.
