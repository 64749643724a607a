//! An identity of the agent's own, for devices without an auth service: a key, an authentication
//! request signed with it as mender-client does, and a token once somebody has accepted the
//! device on the server.

mod identity_data;
mod key;
mod lease;
mod request;

use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::Method;
use hyper::header::HeaderValue;
use rustls::ClientConfig;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::identity_data::Machine;
use self::key::DeviceKey;
use self::lease::TokenFile;
use self::request::Verdict;
use super::{Authorization, Credentials, Publisher, Source, Token};
use crate::backoff::{Backoff, random_fraction};
use crate::http::{self, Answer, HttpError, Outgoing};
use crate::private_file;
use crate::route;
use crate::server_url::ServerUrl;

pub use self::identity_data::IdentityDataError;
pub use self::key::KeyError;
pub use self::request::AuthRequest;

/// Waits between two questions whether the device is accepted now.
const PENDING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// Waits after a failure to reach the server, and after a new token that it does not take.
const FAILED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A token refused sooner than this after it was issued is no reason to hurry for the next.
const FRESH: Duration = Duration::from_secs(60);
/// The server may ask for no longer rest than this.
const MAX_REST: Duration = Duration::from_secs(3600);

/// Why the agent cannot be an identity of its own.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory or its lock cannot be made.
    #[error("data directory {path}: {cause}")]
    Folder {
        /// The data directory.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// Two agents with one identity would push each other off the server.
    #[error("data directory {0} is in use by another agent")]
    InUse(PathBuf),
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No identity data.
    #[error(transparent)]
    IdentityData(#[from] IdentityDataError),
    /// The request cannot be written as JSON.
    #[error("cannot make the authentication request")]
    Request(#[from] serde_json::Error),
}

/// Where authentication requests go.
pub trait AuthService {
    /// Sends `request` and returns the server's answer.
    fn ask(&self, request: AuthRequest) -> impl Future<Output = Result<Answer, HttpError>>;
}

/// The server's authentication endpoint.
pub struct HttpAuthService {
    /// The server.
    pub server: ServerUrl,
    /// Whom to believe that they are it.
    pub tls: Arc<ClientConfig>,
}

impl AuthService for HttpAuthService {
    async fn ask(&self, request: AuthRequest) -> Result<Answer, HttpError> {
        let signature =
            HeaderValue::try_from(request.signature).map_err(hyper::http::Error::from)?;
        let outgoing = Outgoing {
            method: Method::POST,
            path: request::PATH,
            headers: vec![("X-MEN-Signature", signature)],
            body: request.body,
        };
        http::send(&self.server, &self.tls, outgoing).await
    }
}

/// The agent's own identity.
pub struct OwnIdentity<S> {
    service: S,
    server: ServerUrl,
    /// Ed25519 signatures are the same each time, so one request serves for good.
    request: AuthRequest,
    fingerprint: String,
    tokens: TokenFile,
    _lock: File,
}

impl<S: AuthService> OwnIdentity<S> {
    /// Opens the identity kept in `folder`, or makes a new one there.
    ///
    /// # Errors
    /// [`OpenError`] when the folder is unusable, in use, or holds something damaged.
    pub fn open(folder: &Path, server: ServerUrl, service: S) -> Result<Self, OpenError> {
        let unusable = |cause| OpenError::Folder {
            path: folder.to_owned(),
            cause,
        };
        private_file::create_folder(folder).map_err(unusable)?;
        let lock = File::create(folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        let key = DeviceKey::open(&folder.join("agent-key.pem"))?;
        let identity = identity_data::open(&folder.join("identity.json"), &Machine::real())?;
        Ok(Self {
            service,
            server,
            request: AuthRequest::new(&key, &identity)?,
            fingerprint: key.fingerprint(),
            tokens: TokenFile::at(&folder.join("token.json")),
            _lock: lock,
        })
    }

    /// The key's fingerprint, for comparison with what the server shows.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    async fn keep_authorized(&self, publisher: &mut Publisher) {
        let mut hurry = Backoff::new(FAILED.0, FAILED.1);
        let kept = self
            .tokens
            .load(&self.server, &self.fingerprint, SystemTime::now());
        let mut lease = match kept {
            Some((token, left)) => {
                self.grant(publisher, token);
                left
            }
            None => self.obtain(publisher).await,
        };
        loop {
            let since = Instant::now();
            if hold(publisher, lease).await == Ended::Refused {
                log::warn!("{} does not take the token any more", self.server);
                if since.elapsed() < FRESH {
                    sleep(hurry.next_delay()).await;
                } else {
                    hurry.reset();
                }
            }
            lease = self.obtain(publisher).await;
        }
    }

    /// Asks until the device is accepted; returns how long the token is good for. What was granted
    /// before stays so until the server says otherwise.
    async fn obtain(&self, publisher: &Publisher) -> Duration {
        let mut pending = Backoff::new(PENDING.0, PENDING.1);
        let mut failed = Backoff::new(FAILED.0, FAILED.1);
        let mut told = String::new();
        loop {
            let answer = self.service.ask(self.request.clone()).await;
            let unreachable = answer.is_err();
            let (problem, rest) = match answer {
                Ok(answer) => match request::judge(&answer) {
                    Verdict::Accepted(token) => {
                        log::info!("accepted by {}", self.server);
                        self.tokens.save(&self.server, &self.fingerprint, &token);
                        let lifetime = lease::lifetime(&token);
                        self.grant(publisher, token);
                        return lifetime;
                    }
                    Verdict::NotAccepted(reason) => {
                        self.tokens.clear();
                        publisher.publish(Authorization::Denied);
                        failed.reset();
                        let text = format!(
                            "waiting to be accepted by {} (it says: {reason}); key fingerprint {}",
                            self.server, self.fingerprint
                        );
                        (text, pending.next_delay())
                    }
                    Verdict::Undecided(reason, rest) => {
                        let text =
                            format!("{} cannot decide on this device: {reason}", self.server);
                        (
                            text,
                            failed.next_delay().max(spread(rest.unwrap_or_default())),
                        )
                    }
                },
                Err(error) => (
                    format!("cannot ask to be accepted: {error}"),
                    failed.next_delay(),
                ),
            };
            // The same for hours is said once.
            if problem == told {
                log::debug!("{problem}");
            } else {
                log::warn!("{problem}");
                told = problem;
            }
            tokio::select! {
                () = sleep(rest) => {}
                // A device is often up before its network.
                () = route::appeared(), if unreachable => {}
            }
        }
    }

    fn grant(&self, publisher: &Publisher, token: Token) {
        let server = self.server.clone();
        publisher.publish(Authorization::Granted(Credentials { token, server }));
    }
}

impl<S: AuthService> Source for OwnIdentity<S> {
    async fn run(self, mut publisher: Publisher, shutdown: CancellationToken) {
        tokio::select! {
            () = self.keep_authorized(&mut publisher) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

#[derive(PartialEq)]
enum Ended {
    ToBeRenewed,
    Refused,
}

/// Waits until the token should be replaced: in good time before it expires, or when the server
/// stops taking it.
async fn hold(publisher: &mut Publisher, lease: Duration) -> Ended {
    tokio::select! {
        () = sleep(lease.mul_f64(0.75 + 0.15 * random_fraction())) => Ended::ToBeRenewed,
        () = publisher.refused() => Ended::Refused,
    }
}

/// At least the rest the server wants and up to half as much again, so that not everybody comes
/// back in the same second.
fn spread(rest: Duration) -> Duration {
    rest.min(MAX_REST).mul_f64(1.0 + random_fraction() / 2.0)
}

#[cfg(test)]
mod tests;
