//! Helpers for end-to-end tests: starts the real programs and real peers.
