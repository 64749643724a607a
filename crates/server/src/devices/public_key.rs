//! Devices' public keys: RSA, ECDSA and Ed25519, and the signatures they make.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{RawPublicKeyEntity, ring as ring_algorithms};

/// Longest PEM text that is looked at; RSA with 8192 bits has some 1500 bytes.
const PEM_BYTES_MAX: usize = 8 * 1024;

/// Characters of base64 in a line of PEM.
const PEM_LINE: usize = 64;

/// RSA PKCS#1 v1.5 and ECDSA over SHA-256, Ed25519 over the text itself.
fn algorithms() -> [&'static dyn SignatureVerificationAlgorithm; 4] {
    [
        ring_algorithms::RSA_PKCS1_2048_8192_SHA256,
        ring_algorithms::ECDSA_P256_SHA256,
        ring_algorithms::ECDSA_P384_SHA256,
        ring_algorithms::ED25519,
    ]
}

/// A text that is no usable public key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode public key")]
pub struct NotAKey;

/// A public key (DER SubjectPublicKeyInfo).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    der: SubjectPublicKeyInfoDer<'static>,
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` block.
    ///
    /// # Errors
    /// When there is none, or of a kind no signature can be checked with.
    pub fn from_pem(text: &str) -> Result<Self, NotAKey> {
        if text.len() > PEM_BYTES_MAX {
            return Err(NotAKey);
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| NotAKey)?;
        let key = Self { der };
        // A signature that is none tells whether the kind of key is known at all.
        let known = algorithms()
            .into_iter()
            .filter_map(|algorithm| key.try_with(algorithm, &[], &[]))
            .any(|outcome| outcome != Outcome::OtherKind);
        if known { Ok(key) } else { Err(NotAKey) }
    }

    /// The key as PEM in the form that is stored and compared.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let encoded = STANDARD.encode(&self.der);
        let mut text = String::from("-----BEGIN PUBLIC KEY-----\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END PUBLIC KEY-----\n");
        text
    }

    /// `SHA256:` and the digest of the DER, base64 without padding: what the agent prints too.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = digest(&SHA256, &self.der);
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
    }

    /// Whether `signature` over `message` was made with this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        algorithms()
            .into_iter()
            .any(|algorithm| self.try_with(algorithm, message, signature) == Some(Outcome::Right))
    }

    fn try_with(
        &self,
        algorithm: &dyn SignatureVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<Outcome> {
        let key = RawPublicKeyEntity::try_from(&self.der).ok()?;
        Some(match key.verify_signature(algorithm, message, signature) {
            Ok(()) => Outcome::Right,
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {
                Outcome::OtherKind
            }
            Err(_) => Outcome::Wrong,
        })
    }
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Right,
    Wrong,
    OtherKind,
}
