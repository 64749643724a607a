//! The device's own key pair: Ed25519, made at the first start, kept for good.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::{fingerprint, private_file};

/// DER of a PKCS#8 version 1 private key, up to the 32 bytes of the seed (RFC 8410).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// DER of a SubjectPublicKeyInfo, up to the 32 bytes of the key (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why there is no key to work with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The key's file.
        path: PathBuf,
        /// The cause.
        cause: std::io::Error,
    },
    /// The file is no Ed25519 key. A new one is not made in its place: the server would take the
    /// device for another.
    #[error(
        "{0} is not an Ed25519 private key in PEM form; restore it, or remove it to be accepted \
         anew with a new key"
    )]
    Damaged(PathBuf),
    /// The system gives no random numbers.
    #[error("no random numbers for a new key")]
    NoRandomness,
}

/// A key pair.
pub(super) struct DeviceKey(Ed25519KeyPair);

impl DeviceKey {
    /// Reads the key at `path`, or makes one and keeps it there.
    pub(super) fn open(path: &Path) -> Result<Self, KeyError> {
        let file = |cause| KeyError::File {
            path: path.to_owned(),
            cause,
        };
        if let Some(pem) = private_file::read(path).map_err(file)? {
            return Self::from_pem(&pem).ok_or_else(|| KeyError::Damaged(path.to_owned()));
        }
        let mut seed = [0; 32];
        ring::rand::SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| KeyError::NoRandomness)?;
        let pem = pem("PRIVATE KEY", &[PKCS8_PREFIX.as_slice(), &seed].concat());
        // Read back as it will be the next time, before the server ever sees it.
        let key = Self::from_pem(pem.as_bytes()).ok_or(KeyError::NoRandomness)?;
        private_file::write(path, pem.as_bytes()).map_err(file)?;
        log::info!("made a new device key: {}", path.display());
        Ok(key)
    }

    fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .ok()
            .map(Self)
    }

    fn public_der(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), self.0.public_key().as_ref()].concat()
    }

    /// The public key as PEM SubjectPublicKeyInfo.
    pub(super) fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }

    /// The public key as people compare it.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint::of(&self.public_der())
    }

    /// The signature over `bytes`, in base64.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        BASE64_STANDARD.encode(self.0.sign(bytes))
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    // An Ed25519 key in base64 fits one line.
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        BASE64_STANDARD.encode(der)
    )
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn item_28_a_key_is_made_once_and_its_signatures_verify() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = DeviceKey::open(&path).unwrap();
        let again = DeviceKey::open(&path).unwrap();
        assert_eq!(key.public_pem(), again.public_pem());
        let signature = BASE64_STANDARD.decode(again.sign(b"text\n")).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, key.0.public_key().as_ref());
        assert!(public.verify(b"text\n", &signature).is_ok());
        assert!(public.verify(b"text", &signature).is_err());
    }

    #[test]
    fn files_are_those_of_rfc_8410() {
        // The key pair and its public key are the examples of RFC 8410, section 10.
        let private = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        assert_eq!(
            DeviceKey::from_pem(private.as_bytes())
                .unwrap()
                .public_pem(),
            public
        );
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        for text in [
            "",
            "garbage",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(DeviceKey::open(&path), Err(KeyError::Damaged(_))));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
