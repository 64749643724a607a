//! Tokens: JWTs signed with Ed25519, for devices and for people, told apart by their claims.
//!
//! Written on `ring`, which is here for TLS anyway, because the JWT crates bring a second set of hash and
//! curve crates for algorithms that must never be accepted. Exactly one header algorithm is taken.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::ids::{DeviceId, TokenId, UserId};
use crate::time::Timestamp;

/// Life of a token in seconds: one week, as Mender's.
pub const TOKEN_LIFE_S: i64 = 604_800;

/// Longest token that is looked at; ours have some 500 bytes.
const TOKEN_BYTES_MAX: usize = 4096;

const ALGORITHM: &str = "EdDSA";
const DEVICE_ISSUER: &str = "Mender";
const USER_ISSUER: &str = "mender.useradm";

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours, changed on the way, or of another server.
    #[error("invalid token")]
    Invalid,
    /// Past its end.
    #[error("token expired")]
    Expired,
}

/// Whom a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A device.
    Device(DeviceId),
    /// A person.
    User(UserId),
}

/// A token whose signature and times are right. Whether it is still stored is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The token's own id.
    pub id: TokenId,
    /// Whom it names.
    pub subject: Subject,
}

/// The key that signs this server's tokens.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

#[derive(Serialize)]
struct HeaderOut {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<u32>,
}

#[derive(Deserialize)]
struct HeaderIn {
    alg: String,
}

#[derive(Serialize)]
struct Addon {
    name: &'static str,
    enabled: bool,
}

/// Claims of a device's token, as real peers know them.
#[derive(Serialize)]
struct DeviceClaims {
    jti: TokenId,
    sub: DeviceId,
    iss: &'static str,
    iat: i64,
    exp: i64,
    #[serde(rename = "mender.device")]
    device: bool,
    #[serde(rename = "mender.plan")]
    plan: &'static str,
    #[serde(rename = "mender.trial")]
    trial: bool,
    #[serde(rename = "mender.addons")]
    addons: [Addon; 1],
}

/// Claims of a person's token.
#[derive(Serialize)]
struct UserClaims {
    jti: TokenId,
    sub: UserId,
    iss: &'static str,
    iat: i64,
    nbf: i64,
    exp: i64,
    #[serde(rename = "mender.user")]
    user: bool,
    scp: &'static str,
}

#[derive(Deserialize)]
struct ClaimsIn {
    jti: String,
    sub: String,
    exp: i64,
    #[serde(rename = "mender.device", default)]
    device: bool,
    #[serde(rename = "mender.user", default)]
    user: bool,
}

impl SigningKey {
    /// A new key in PKCS#8 form, to be kept secret.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Vec<u8>, ring::error::Unspecified> {
        Ok(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?
            .as_ref()
            .to_vec())
    }

    /// Reads a key that [`Self::generate`] made.
    ///
    /// # Errors
    /// When the bytes are no such key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        Ok(Self {
            pair: Ed25519KeyPair::from_pkcs8(bytes)?,
        })
    }

    /// A token for a device.
    ///
    /// # Errors
    /// Never in practice; the claims are plain JSON.
    pub fn device_token(
        &self,
        id: TokenId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<String, serde_json::Error> {
        self.sign(
            None,
            &DeviceClaims {
                jti: id,
                sub: device,
                iss: DEVICE_ISSUER,
                iat: now.seconds(),
                exp: now.seconds() + TOKEN_LIFE_S,
                device: true,
                plan: "enterprise",
                trial: false,
                addons: [Addon {
                    name: "troubleshoot",
                    enabled: true,
                }],
            },
        )
    }

    /// A token for a person.
    ///
    /// # Errors
    /// Never in practice; the claims are plain JSON.
    pub fn user_token(
        &self,
        id: TokenId,
        user: UserId,
        now: Timestamp,
    ) -> Result<String, serde_json::Error> {
        self.sign(
            Some(0),
            &UserClaims {
                jti: id,
                sub: user,
                iss: USER_ISSUER,
                iat: now.seconds(),
                nbf: now.seconds(),
                exp: now.seconds() + TOKEN_LIFE_S,
                user: true,
                scp: "mender.*",
            },
        )
    }

    fn sign(&self, kid: Option<u32>, claims: &impl Serialize) -> Result<String, serde_json::Error> {
        let header = HeaderOut {
            alg: ALGORITHM,
            typ: "JWT",
            kid,
        };
        let mut token = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
        let signature = self.pair.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Checks form, signature, kind and end of a token.
    ///
    /// # Errors
    /// [`TokenError::Expired`] only for a token that is otherwise right.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Invalid)?;
        let signature = decode(signature)?;
        UnparsedPublicKey::new(&signature::ED25519, self.pair.public_key())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Invalid)?;
        let header: HeaderIn = json(header)?;
        if header.alg != ALGORITHM {
            return Err(TokenError::Invalid);
        }
        let claims: ClaimsIn = json(claims)?;
        let subject = match (claims.device, claims.user) {
            (true, false) => Subject::Device(parse(&claims.sub)?),
            (false, true) => Subject::User(parse(&claims.sub)?),
            (true, true) | (false, false) => return Err(TokenError::Invalid),
        };
        if claims.exp <= now.seconds() {
            return Err(TokenError::Expired);
        }
        Ok(Verified {
            id: parse(&claims.jti)?,
            subject,
        })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Invalid)
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    serde_json::from_slice(&decode(part)?).map_err(|_| TokenError::Invalid)
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, TokenError> {
    text.parse().map_err(|_| TokenError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_token_names_its_kind_and_subject() {
        let (key, now) = (key(), Timestamp::now());
        let (id, device, user) = (TokenId::new(), DeviceId::new(), UserId::new());
        let token = key.device_token(id, device, now).unwrap();
        assert_eq!(
            key.verify(&token, now),
            Ok(Verified {
                id,
                subject: Subject::Device(device)
            })
        );
        let token = key.user_token(id, user, now).unwrap();
        assert_eq!(
            key.verify(&token, now),
            Ok(Verified {
                id,
                subject: Subject::User(user)
            })
        );
    }

    #[test]
    fn claims_are_those_of_mender() {
        let (key, now) = (key(), Timestamp::now());
        let claims = |token: &str| -> serde_json::Value {
            let part = token.split('.').nth(1).unwrap();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let device = claims(
            &key.device_token(TokenId::new(), DeviceId::new(), now)
                .unwrap(),
        );
        assert_eq!(device["iss"], "Mender");
        assert_eq!(device["mender.device"], true);
        assert_eq!(
            device["exp"].as_i64().unwrap() - device["iat"].as_i64().unwrap(),
            604_800
        );
        assert_eq!(device["mender.addons"][0]["name"], "troubleshoot");
        let user = claims(&key.user_token(TokenId::new(), UserId::new(), now).unwrap());
        assert_eq!(user["iss"], "mender.useradm");
        assert_eq!(user["mender.user"], true);
        assert_eq!(user["scp"], "mender.*");
    }

    #[test]
    fn a_token_ends_and_another_server_s_never_counts() {
        let (key, now) = (key(), Timestamp::now());
        let token = key.user_token(TokenId::new(), UserId::new(), now).unwrap();
        assert!(
            key.verify(&token, now.plus_seconds(TOKEN_LIFE_S - 1))
                .is_ok()
        );
        assert_eq!(
            key.verify(&token, now.plus_seconds(TOKEN_LIFE_S)),
            Err(TokenError::Expired)
        );
        assert_eq!(self::key().verify(&token, now), Err(TokenError::Invalid));
    }

    #[test]
    fn an_unsigned_token_or_another_algorithm_is_refused() {
        let (key, now) = (key(), Timestamp::now());
        let token = key.user_token(TokenId::new(), UserId::new(), now).unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(
            key.verify(&format!("{none}.{claims}."), now),
            Err(TokenError::Invalid)
        );
        // Even when this server's own key signed it.
        let signed = format!("{none}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(key.pair.sign(signed.as_bytes()));
        assert_eq!(
            key.verify(&format!("{signed}.{signature}"), now),
            Err(TokenError::Invalid)
        );
    }

    proptest! {
        #[test]
        fn a_changed_token_is_invalid(at in 0_usize..400, to in "[A-Za-z0-9_.-]") {
            let (key, now) = (key(), Timestamp::now());
            let token = key.user_token(TokenId::new(), UserId::new(), now).unwrap();
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != token);
            prop_assert_eq!(key.verify(&changed, now), Err(TokenError::Invalid));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,200}") {
            prop_assert_eq!(key().verify(&text, Timestamp::now()), Err(TokenError::Invalid));
        }
    }
}
