//! The folder that holds everything a server must not lose: database, recordings,
//! signing key, lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::auth::jwt::SigningKey;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file or the folder itself cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server runs on it.
    #[error("{0}: another longwire-server is using this data directory")]
    InUse(PathBuf),
    /// The signing key's file holds something else.
    #[error("{0}: not a signing key")]
    Key(PathBuf),
    /// No key could be made.
    #[error("no randomness for a signing key")]
    Randomness,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

/// Held as long as a server runs on the folder; ends with the process at the latest.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// Opens the folder, making it (for its owner only) when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| failed(path, source))?;
        let path = path.to_path_buf();
        let this = Self { path };
        // The database makes its file with the process's umask; made here first, it is the owner's alone,
        // and its journal takes the same mode.
        let database = this.database();
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&database)
            .map_err(|source| failed(&database, source))?;
        Ok(this)
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("longwire.db")
    }

    /// The recordings' folder.
    #[must_use]
    pub fn recordings(&self) -> PathBuf {
        self.path.join("recordings")
    }

    /// Makes sure that no second server runs on the folder.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] when one does.
    pub fn lock(&self) -> Result<Lock, DataDirError> {
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| failed(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(self.path.clone())),
            Err(TryLockError::Error(source)) => Err(failed(&path, source)),
        }
    }

    /// The key that signs tokens, made on first use. Call it with the lock held.
    ///
    /// # Errors
    /// When it cannot be read, made or kept.
    pub fn signing_key(&self, _lock: &Lock) -> Result<SigningKey, DataDirError> {
        let path = self.path.join("signing.key");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = SigningKey::generate().map_err(|_| DataDirError::Randomness)?;
                self.write_secret(&path, &bytes)
                    .map_err(|source| failed(&path, source))?;
                bytes
            }
            Err(source) => return Err(failed(&path, source)),
        };
        SigningKey::from_pkcs8(&bytes).map_err(|_| DataDirError::Key(path))
    }

    /// Writes a file for the owner only, whole or not at all.
    fn write_secret(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = path.with_extension("new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(&self.path)?.sync_all()
    }
}

fn failed(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::File {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let data = DataDir::open(&path).unwrap();
        let lock = data.lock().unwrap();
        data.signing_key(&lock).unwrap();
        let file = path.join("signing.key");
        let first = fs::read(&file).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&data.database()), 0o600);
        data.signing_key(&lock).unwrap();
        assert_eq!(fs::read(&file).unwrap(), first);
    }

    #[test]
    fn a_second_server_on_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let lock = data.lock().unwrap();
        assert!(matches!(data.lock(), Err(DataDirError::InUse(_))));
        drop(lock);
        data.lock().unwrap();
    }

    #[test]
    fn a_file_that_is_no_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let lock = data.lock().unwrap();
        fs::write(folder.path().join("signing.key"), "x").unwrap();
        assert!(matches!(data.signing_key(&lock), Err(DataDirError::Key(_))));
    }
}
