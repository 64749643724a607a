//! Whom to believe that they are the server.
//!
//! Every certificate is verified, always, by rustls' webpki verifier; there is no way to a
//! [`ClientConfig`] in this program but [`client_config`]. The system's roots are read when a
//! certificate has to be judged and forgotten afterwards: they would be the largest thing in an
//! idle agent's memory, and an update of them counts at the next handshake without a restart.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Where distributions keep all roots in one file.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Where they keep them one by one, when there is no such file.
const FOLDERS: &[&str] = &["/etc/ssl/certs", "/etc/pki/tls/certs"];

/// Why there are no roots to verify with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is not PEM.
    #[error("cannot read certificates from {path}: {reason}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The file is readable and holds no usable certificate.
    #[error("no certificate authority in {0}")]
    Empty(PathBuf),
    /// None of the known places has roots.
    #[error(
        "no certificate authorities on this system: install ca-certificates or set SSL_CERT_FILE"
    )]
    NoSystemRoots,
    /// The TLS library does not accept its own algorithms; cannot happen with this build.
    #[error("cannot set up TLS")]
    Setup(#[from] Error),
}

/// The one TLS configuration of the agent: with the authorities in `ca_file`, or the system's.
///
/// # Errors
/// [`TlsError`] when `ca_file` holds no certificate. Missing system roots show at the first
/// handshake, since a plain connection to this machine needs none.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    client_config_by_clock(ca_file, Arc::new(DefaultTimeProvider))
}

/// [`client_config`] by another clock than the system's, which a test cannot set.
///
/// # Errors
/// Those of [`client_config`].
pub fn client_config_by_clock(
    ca_file: Option<&Path>,
    clock: Arc<dyn TimeProvider>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_details(Arc::clone(&provider), clock)
        .with_safe_default_protocol_versions()?;
    let mut config = match ca_file {
        Some(path) => builder
            .with_root_certificates(roots_in_file(path)?)
            .with_no_client_auth(),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(SystemRoots { provider }))
            .with_no_client_auth(),
    };
    // One server, one link: a second remembered session would never be used.
    config.resumption = Resumption::in_memory_sessions(1);
    Ok(Arc::new(config))
}

/// Verifies like [`WebPkiServerVerifier`], with the roots the system has at that moment.
#[derive(Debug)]
struct SystemRoots {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SystemRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let roots = system_roots().map_err(|error| Error::General(error.to_string()))?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` where set, as with Go and OpenSSL; else the first known
/// file that has roots, else the first such folder.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let file = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let folders = std::env::var_os("SSL_CERT_DIR").filter(|paths| !paths.is_empty());
    if let Some(path) = &file {
        return roots_in_file(Path::new(path));
    }
    if let Some(paths) = &folders {
        return std::env::split_paths(paths)
            .find_map(|path| roots_in_folder(&path))
            .ok_or(TlsError::NoSystemRoots);
    }
    BUNDLES
        .iter()
        .find_map(|path| roots_in_file(Path::new(path)).ok())
        .or_else(|| {
            FOLDERS
                .iter()
                .find_map(|path| roots_in_folder(Path::new(path)))
        })
        .ok_or(TlsError::NoSystemRoots)
}

fn roots_in_file(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    add_file(path, &mut roots)?;
    if roots.is_empty() {
        Err(TlsError::Empty(path.to_owned()))
    } else {
        Ok(roots)
    }
}

fn roots_in_folder(path: &Path) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for entry in std::fs::read_dir(path).ok()?.flatten() {
        // Other files and broken links are no reason to do without the rest.
        let _ = add_file(&entry.path(), &mut roots);
    }
    (!roots.is_empty()).then_some(roots)
}

/// Adds the certificates one by one, so that the file is never in memory as a whole. What webpki
/// cannot use as a root (there is such a one in most bundles) is left out.
fn add_file(path: &Path, roots: &mut RootCertStore) -> Result<(), TlsError> {
    let unreadable = |reason: String| TlsError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        let _ = roots.add(certificate);
    }
    Ok(())
}
