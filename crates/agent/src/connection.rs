//! The link to the server.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::identity::Identity;

/// Keeps the device connected while it is authorised, until `shutdown`.
pub async fn run(
    _config: Arc<Config>,
    _identity: Identity,
    _tls: Arc<ClientConfig>,
    shutdown: CancellationToken,
) {
    shutdown.cancelled().await;
}
