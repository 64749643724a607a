//! `longwire-server serve`.

use anyhow::Context as _;
use longwire_server::config::Config;
use longwire_server::server;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{block_on, say};

/// Chooses what is logged: a level, or `tracing` directives.
const LOG_VARIABLE: &str = "LONGWIRE_LOG";

/// Told under `--help`.
pub(super) const LOGS: &str = "Logs go to standard error; LONGWIRE_LOG chooses what is logged, such as \
    debug or info,longwire_server::gateway=debug.";

pub(super) fn run(config: Config) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var(LOG_VARIABLE)
        .from_env()
        .with_context(|| format!("{LOG_VARIABLE} is not understood"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    allow_many_connections();
    block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = server::start(config).await?;
    say(&format!("listening on {}", running.url()))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("ending");
    tokio::select! {
        () = running.stop() => {}
        // Whoever asks twice does not want to wait.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Every device is a file descriptor; most systems allow 1024 unless asked for more.
fn allow_many_connections() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
