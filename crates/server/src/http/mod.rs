//! The rim of HTTP: connections, TLS, what every response carries.

pub mod connections;
pub mod envelope;
pub mod tls;
