//! The Longwire server: gateway, management API and web UI in one program.
//!
//! The modules and who may call whom are drawn in `ARCHITECTURE.md`. In short: `http` and `api` are the
//! rim, `auth` says who somebody is, `access` says what they may do, `devices` and `session` hold the
//! rules, `store` is the only place that knows a database, `gateway` the only one that knows websockets.

pub mod access;
pub mod api;
pub mod app;
pub mod audit;
pub mod auth;
pub mod bus;
pub mod config;
pub mod data_dir;
pub mod devices;
pub mod error;
pub mod gateway;
pub mod http;
pub mod ids;
pub mod recording;
pub mod server;
pub mod session;
pub mod store;
pub mod time;
pub mod ui;
