//! Whom to trust.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

/// Which certificates a server may show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// Those that the system trusts (or the file that `SSL_CERT_FILE` names).
    #[default]
    System,
    /// Any. Whoever sits between can read and change everything; only ever by explicit wish.
    Anyone,
}

/// The TLS settings for a trust.
pub(crate) fn config(trust: Trust) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let config = match trust {
        Trust::System => {
            let mut roots = RootCertStore::empty();
            // One unreadable certificate among many is no reason to trust none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// What went wrong, for people.
pub(crate) fn words(error: &io::Error) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = tls else {
        return error.to_string();
    };
    let known = reason_for_people(reason);
    known.map_or_else(|| error.to_string(), str::to_owned)
}

/// The library names reasons for programs, not for people.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the list is open, and the library's own name for a reason is better than none"
)]
fn reason_for_people(reason: &CertificateError) -> Option<&'static str> {
    match reason {
        CertificateError::UnknownIssuer => {
            Some("the certificate comes from an authority that this machine does not know")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("the certificate has expired, or this machine's clock is wrong")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Some("the certificate is not valid yet, or this machine's clock is wrong")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some("the certificate is for another name")
        }
        CertificateError::Revoked => Some("the certificate has been revoked"),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Some(
            "the certificate is an authority's; a server's own has the extension \
             basicConstraints=CA:FALSE",
        ),
        _ => None,
    }
}

/// Takes any certificate, but still insists that the server holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reason: CertificateError) -> String {
        words(&io::Error::other(rustls::Error::InvalidCertificate(reason)))
    }

    #[test]
    fn reasons_are_for_people() {
        assert_eq!(
            said(CertificateError::NotValidForName),
            "the certificate is for another name"
        );
        assert!(said(CertificateError::UnknownIssuer).contains("does not know"));
        assert_eq!(
            said(CertificateError::BadEncoding),
            "invalid peer certificate: BadEncoding"
        );
        assert_eq!(words(&io::Error::other("broken")), "broken");
    }
}
