//! Passwords: Argon2id, off the threads that serve requests, a bounded number at once.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::Semaphore;

/// Shortest password an account may have.
pub const PASSWORD_CHARS_MIN: usize = 8;

/// Longest password that is looked at.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Hashes at once; each takes [`MEMORY_KIB`].
const HASHES_MAX: usize = 4;

/// OWASP's first choice for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long for a new password.
    #[error(
        "password must have at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
    )]
    Length,
    /// The hash function or the randomness failed.
    #[error("password hashing failed: {0}")]
    Failed(String),
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Compared when there is no such account, so that the answer takes the same time.
    decoy: Arc<str>,
}

impl Passwords {
    /// Prepares the comparison for accounts that do not exist.
    ///
    /// # Errors
    /// When hashing fails at all.
    pub fn new() -> Result<Self, PasswordError> {
        let mut random = [0_u8; 16];
        fill(&mut random)?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(HASHES_MAX)),
            decoy: hash(&random)?.into(),
        })
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`PasswordError::Length`] when it is too short or too long.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::Length);
        }
        self.off_thread(move || hash(password.as_bytes())).await?
    }

    /// Whether the password belongs to the stored hash; with no hash, false after the same time.
    ///
    /// # Errors
    /// When the stored hash is not one.
    pub async fn matches(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, PasswordError> {
        let decoy = Arc::clone(&self.decoy);
        self.off_thread(move || {
            let known = stored.is_some();
            let phc = stored.as_deref().unwrap_or(&decoy);
            let parsed =
                PasswordHash::new(phc).map_err(|error| PasswordError::Failed(error.to_string()))?;
            // A longer one cannot have been stored; cut, it still takes the time.
            let bytes = password.as_bytes();
            let looked_at = bytes.get(..PASSWORD_BYTES_MAX).unwrap_or(bytes);
            let same = hasher()?.verify_password(looked_at, &parsed).is_ok();
            Ok(same && known && bytes.len() <= PASSWORD_BYTES_MAX)
        })
        .await?
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|error| PasswordError::Failed(error.to_string()))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| PasswordError::Failed(error.to_string()))
    }
}

fn hasher() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| PasswordError::Failed(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn fill(bytes: &mut [u8]) -> Result<(), PasswordError> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| PasswordError::Failed("no randomness".to_owned()))
}

fn hash(password: &[u8]) -> Result<String, PasswordError> {
    let mut salt = [0_u8; 16];
    fill(&mut salt)?;
    let salt =
        SaltString::encode_b64(&salt).map_err(|error| PasswordError::Failed(error.to_string()))?;
    hasher()?
        .hash_password(password, &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_no_account_never_does() {
        let passwords = Passwords::new().unwrap();
        let stored = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        let matches = |password: &str, stored: Option<&str>| {
            passwords.matches(password.to_owned(), stored.map(str::to_owned))
        };
        assert!(matches("correct horse", Some(&stored)).await.unwrap());
        assert!(!matches("correct horsf", Some(&stored)).await.unwrap());
        assert!(!matches("", Some(&stored)).await.unwrap());
        assert!(!matches("correct horse", None).await.unwrap());
        assert!(!matches(&"x".repeat(5000), Some(&stored)).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_huge_passwords_are_not_taken() {
        let passwords = Passwords::new().unwrap();
        for bad in ["1234567".to_owned(), "x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(matches!(
                passwords.hash(bad).await,
                Err(PasswordError::Length)
            ));
        }
    }
}
