//! Starts and ends a whole server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::app::{App, Inner};
use crate::auth::Auth;
use crate::auth::password::PasswordError;
use crate::bus::InProcess;
use crate::config::{Config, Sync};
use crate::data_dir::{DataDir, DataDirError, Lock};
use crate::devices::admission::Admission;
use crate::devices::presence;
use crate::gateway::adoption::{self, AdoptionError};
use crate::gateway::{self, Links};
use crate::http::tls::TlsError;
use crate::http::{connections, envelope, tls};
use crate::recording::{self, Recorder, RecorderConfig, RunError};
use crate::store::{Store, StoreError};

/// How long requests and links may take to end by themselves.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Changes of devices a watcher may lag behind before it reads everything anew.
const DEVICE_CHANGES: usize = 1024;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Passwords and shells would cross a network in the clear.
    #[error(
        "refusing to listen on {0} without TLS: give --tls-cert and --tls-key, or --insecure-http if something in front of the server speaks TLS"
    )]
    PlainHttp(SocketAddr),
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The TLS certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Nothing can be recorded.
    #[error("recordings: {0}")]
    Recordings(io::Error),
    /// It cannot be told whether database and recordings belong together.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The sessions of the run before cannot be taken over.
    #[error("sessions of the run before: {0}")]
    Adoption(#[from] AdoptionError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A server that accepts connections.
pub struct Running {
    app: App,
    address: SocketAddr,
    _lock: Lock,
}

/// Opens the data folder and begins to accept connections. A port of 0 is one the system picks.
///
/// # Errors
/// When anything a server needs is not to be had.
pub async fn start(config: Config) -> Result<Running, StartError> {
    if config.tls.is_none() && !config.insecure_http && !config.listen.ip().is_loopback() {
        return Err(StartError::PlainHttp(config.listen));
    }
    let limits = config.admission;
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    let data = DataDir::open(&config.data_dir)?;
    let lock = data.lock()?;
    let key = data.signing_key(&lock)?;
    let store = Store::open(&data.database()).await?;
    let recorder = Recorder::open(RecorderConfig {
        folder: data.recordings(),
        power_loss: config.sync == Sync::PowerLoss,
    })
    .map_err(StartError::Recordings)?;
    let run = recording::begin_run(&store, &recorder).await?;
    let listening = |source| StartError::Listen {
        address: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(listening)?;
    let address = listener.local_addr().map_err(listening)?;
    let links = Arc::new(Links::default());
    let app = App::new(Inner {
        config,
        store,
        recorder,
        instance: run.run,
        auth: Auth::new(key)?,
        admission: Admission::new(limits),
        device_changes: broadcast::channel(DEVICE_CHANGES).0,
        bus: Arc::new(InProcess(Arc::clone(&links))),
        links,
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    adoption::adopt(&app).await?;
    let router = api::router(app.clone()).layer(from_fn_with_state(app.clone(), envelope::wrap));
    app.tasks.spawn(presence::follow(app.clone()));
    app.tasks.spawn(gateway::follow_rights(app.clone()));
    app.tasks.spawn(connections::serve(
        listener,
        tls,
        router,
        app.shutdown.clone(),
        app.tasks.clone(),
    ));
    Ok(Running {
        app,
        address,
        _lock: lock,
    })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.app.config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// What the server's parts share.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Ends it: no new connections, running requests finished, links closed, everything written. Sessions
    /// live on. What has not ended after ten seconds is cut off.
    pub async fn stop(self) {
        self.app.shutdown.cancel();
        self.app.tasks.close();
        if tokio::time::timeout(END_TIMEOUT, self.app.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(tasks = self.app.tasks.len(), "not everything ended in time");
        }
        let recorder = self.app.recorder.clone();
        if tokio::task::spawn_blocking(move || recorder.stop())
            .await
            .is_err()
        {
            tracing::error!("recordings could not be ended");
        }
        self.app.store.close().await;
    }
}
