//! A short form of a public key for people to compare.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// `SHA256:` and the unpadded base64 of the SHA-256 of a key's DER SubjectPublicKeyInfo; the form
/// the server and the command line show, too.
#[must_use]
pub fn of(public_key_der: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, public_key_der);
    format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(digest))
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_a_prefixed_unpadded_digest() {
        // echo -n | openssl dgst -sha256 -binary | base64
        assert_eq!(
            super::of(b""),
            "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
        );
    }
}
