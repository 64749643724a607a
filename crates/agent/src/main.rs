//! `longwire-agent`: see [`longwire_agent::cli::HELP`].

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use log::LevelFilter;
use longwire_agent::cli::{self, HELP, Invocation, Options};
use longwire_agent::identity::Source;
use longwire_agent::identity::builtin::{HttpAuthService, OwnIdentity};
use longwire_agent::identity::dbus::DbusIdentity;
use longwire_agent::server_url::ServerUrl;
use longwire_agent::{config, connection, identity, inventory, logger, tls};
use rustls::ClientConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// As mender-connect prints it, with its tab.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\truntime: rust");

fn main() -> ExitCode {
    logger::start(LevelFilter::Info);
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(Invocation::Help) => print(HELP),
        Ok(Invocation::Version) => print(&format!("{VERSION}\n")),
        Ok(Invocation::VersionWithName) => print(&format!("longwire-agent version {VERSION}\n")),
        Ok(Invocation::Daemon(options)) => match daemon(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                log::error!("{error:#}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            log::error!("{error}");
            let _ = writeln!(std::io::stderr(), "Try longwire-agent --help");
            ExitCode::from(error.exit_code())
        }
    }
}

fn print(text: &str) -> ExitCode {
    // A reader that has seen enough (`| head`) is no failure of this program.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn daemon(options: &Options) -> anyhow::Result<()> {
    logger::start(options.log_level);
    let config = Arc::new(config::load(options)?);
    let tls = tls::client_config(options.ca_file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // The one thing done on another thread is to look up names; it must not linger.
        .max_blocking_threads(1)
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .context("cannot start the event loop")?;
    runtime.block_on(async {
        let shutdown = end_on_signal()?;
        let (publisher, identity) = identity::channel();
        match &options.server {
            None => {
                let bus = DbusIdentity::system_bus();
                let source = DbusIdentity::connect(bus, options.plain_http()).await?;
                tokio::join!(
                    source.run(publisher, shutdown.clone()),
                    connection::run(config, identity, tls, shutdown),
                );
            }
            Some(server) => {
                let source = own_identity(options, server, &tls)?;
                tokio::join!(
                    source.run(publisher, shutdown.clone()),
                    inventory::report(identity.clone(), Arc::clone(&tls), shutdown.clone()),
                    connection::run(config, identity, tls, shutdown),
                );
            }
        }
        Ok(())
    })
}

fn own_identity(
    options: &Options,
    server: &str,
    tls: &Arc<ClientConfig>,
) -> anyhow::Result<OwnIdentity<HttpAuthService>> {
    let server = ServerUrl::parse(server, options.plain_http())?;
    if !server.is_secure() && !server.is_this_machine() {
        log::warn!("plain http to {server}: anyone on the way can read and type in terminals");
    }
    let service = HttpAuthService {
        server: server.clone(),
        tls: Arc::clone(tls),
    };
    let source = OwnIdentity::open(&options.data_dir, server, service)?;
    log::info!("device key fingerprint: {}", source.fingerprint());
    Ok(source)
}

/// Cancelled by SIGTERM and SIGINT.
fn end_on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
    let shutdown = CancellationToken::new();
    let cancel = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancel.cancel();
    });
    Ok(shutdown)
}
