//! Typed management API and terminal channel, for the command line and for end-to-end tests.
