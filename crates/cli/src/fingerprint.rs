//! The name of a key that people compare.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};

/// `SHA256:` and the base64 of the hash over a PEM public key's DER, as agents and servers show it;
/// none if it is no PEM.
pub(crate) fn fingerprint(pem: &str) -> Option<String> {
    let mut lines = pem
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("-----BEGIN "));
    lines.next()?;
    let mut base64 = String::new();
    for line in lines {
        if line.starts_with("-----END ") {
            let der = STANDARD.decode(base64).ok()?;
            let hash = digest(&SHA256, &der);
            return Some(format!("SHA256:{}", STANDARD_NO_PAD.encode(hash)));
        }
        base64.push_str(line);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_over_the_keys_der() {
        let pem = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        assert_eq!(
            fingerprint(pem).as_deref(),
            Some("SHA256:oekVYFTgT6yJmunydRMs3Ael28TqLCrTof/G4NJTaB8")
        );
        assert_eq!(fingerprint(&pem.replace('\n', "\r\n")), fingerprint(pem));
        assert_eq!(fingerprint("x"), None);
        assert_eq!(fingerprint("-----BEGIN PUBLIC KEY-----\nMCow"), None);
    }
}
