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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REQUESTS: [&str; 4] = [
        include_str!("../../tests/requests/rsa.json"),
        include_str!("../../tests/requests/p256.json"),
        include_str!("../../tests/requests/p384.json"),
        include_str!("../../tests/requests/ed25519.json"),
    ];

    fn pem(request: &str) -> String {
        let request: serde_json::Value = serde_json::from_str(request).unwrap();
        request["pubkey"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_key_has_one_form_however_it_was_written() {
        for request in REQUESTS {
            let text = pem(request);
            let key = PublicKey::from_pem(&text).unwrap();
            assert_eq!(key.to_pem(), text);
            let windows = format!("Comment\r\n{}", text.replace('\n', "\r\n"));
            assert_eq!(PublicKey::from_pem(&windows), Ok(key));
        }
    }

    #[test]
    fn keys_no_signature_can_be_checked_with_are_refused() {
        let exchange = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VuAyEAOiVZwliPYt+z/Fry6q2xBqh/SR+PRG6l40o3Yt3hFhk=\n\
            -----END PUBLIC KEY-----\n";
        let p521 = "-----BEGIN PUBLIC KEY-----\n\
            MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBE4la1r/a1U6UO+nmUEdJpmncS+I6\n\
            3HBRiMlk/WpTLAE+/s3y2p+y+mkJG+BUozhJt+IakKEIgs7j+44dEQG1/S4BEr4Z\n\
            M2lVj5r6NpF4mOALPhiSk1WwJqewJoMGlItP4kWLyMJ0xAyzRaeZV+fj8Jk6BmEU\n\
            8dfZgzb060Peciy4ga8=\n-----END PUBLIC KEY-----\n";
        let other_label = pem(REQUESTS[3]).replace("PUBLIC KEY", "CERTIFICATE");
        let longer = pem(REQUESTS[3]).replace("k/0Q=", "k/0QA");
        let cut = pem(REQUESTS[0]).replace("-----END PUBLIC KEY-----\n", "");
        let huge = format!("{}{}", " ".repeat(PEM_BYTES_MAX), pem(REQUESTS[3]));
        for bad in [exchange, p521, &other_label, &longer, &cut, &huge, ""] {
            assert_eq!(PublicKey::from_pem(bad), Err(NotAKey), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_used_without_a_panic(
            der in proptest::collection::vec(any::<u8>(), 0..200),
            signature in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let text = format!(
                "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                STANDARD.encode(der)
            );
            prop_assert_eq!(PublicKey::from_pem(&text), Err(NotAKey));
            let key = PublicKey::from_pem(&pem(REQUESTS[1])).unwrap();
            prop_assert!(!key.verifies(b"message", &signature));
        }
    }
}
