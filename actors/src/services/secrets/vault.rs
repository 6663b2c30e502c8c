//! The vault: secrets as they lie on disk.
//!
//! Owns two files in the folder `secrets`, which nobody but the node's user reads: a key, and all secrets sealed by
//! it (XChaCha20-Poly1305, RFC 8439 and draft-irtf-cfrg-xchacha-03). They are few and small, so each change writes
//! all of them. Invariant: after any stop the sealed file is the one before a change or the one after it, and bytes
//! that the key does not open are never taken for secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use xyn_store::scope::Principal;
use xyn_store::{Digest, Timestamp, durable};

use super::name::SecretName;

/// Bytes that a value may have.
pub const VALUE_MAX_BYTES: usize = 64 << 10;
/// Secrets that a node keeps.
const SECRETS_MAX: usize = 1_024;
/// What the sealed file begins with: what it is, and its version.
const MAGIC: &[u8; 8] = b"xynseal1";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Behind the magic: the digest of the key, by which another key is told from damage.
const DIGEST_BYTES: usize = 32;

/// A value that is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret(String);

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its name.
    pub name: SecretName,
    /// Counts the values it had, from 1.
    pub version: u32,
    /// When it got the one it has.
    pub at: Timestamp,
    /// Who put that.
    pub by: Principal,
}

/// Why secrets cannot be read or kept. Says nothing of what they are.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key does not fit.
    #[error("`{}` is not the key that the secrets beside it were sealed with; restore it from a backup", .0.display())]
    OtherKey(PathBuf),
    /// The key is gone.
    #[error("`{}` is missing, and the secrets beside it are sealed with it; restore it from a backup", .0.display())]
    NoKey(PathBuf),
    /// The bytes are others than were written.
    #[error("`{}` was changed since it was written; restore it from a backup, or remove it and put the secrets again", .0.display())]
    Damaged(PathBuf),
    /// There is no room.
    #[error("a node keeps at most {SECRETS_MAX} secrets; remove one that nobody needs")]
    Full,
    /// The operating system has no randomness.
    #[error("cannot seal secrets: no randomness")]
    Randomness(#[from] getrandom::Error),
}

/// The secrets of a node.
pub(crate) struct Vault {
    folder: PathBuf,
    /// Who changes them.
    turn: Mutex<()>,
}

/// All secrets as they were at one moment.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Secrets(BTreeMap<SecretName, (Known, Secret)>);

impl Secret {
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for whom it is meant.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«secret»")
    }
}

impl Secrets {
    /// The value of `name`.
    pub(crate) fn get(&self, name: &SecretName) -> Option<&Secret> {
        self.0.get(name).map(|(_, secret)| secret)
    }
}

impl Vault {
    /// The vault in the data folder `data`.
    pub(crate) fn of(data: &Path) -> Self {
        Self { folder: data.join("secrets"), turn: Mutex::default() }
    }

    /// All secrets as they are now. Reads and opens the whole file, so whoever needs several opens it once; blocks.
    pub(crate) fn open(&self) -> Result<Secrets, VaultError> {
        let path = self.sealed_path();
        let Some(sealed) = read(&path)? else { return Ok(Secrets::default()) };
        let key = self.key()?.ok_or_else(|| VaultError::NoKey(self.key_path()))?;
        let damaged = || VaultError::Damaged(path.clone());
        let (head, rest) = sealed.split_at_checked(MAGIC.len() + DIGEST_BYTES).ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
        if !head.starts_with(MAGIC) {
            return Err(damaged());
        }
        if head[MAGIC.len()..] != *Digest::of(&key).as_bytes() {
            return Err(VaultError::OtherKey(self.key_path()));
        }
        let opened = XChaCha20Poly1305::new((&key).into())
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: head });
        postcard::from_bytes(&opened.map_err(|_| damaged())?).map_err(|_| damaged())
    }

    /// What may be known of each secret, by name.
    pub(crate) fn list(&self) -> Result<Vec<Known>, VaultError> {
        Ok(self.open()?.0.into_values().map(|(known, _)| known).collect())
    }

    /// Keeps `value` as `name`, in place of what it was; answers how many values it had.
    pub(crate) fn put(
        &self,
        name: &SecretName,
        value: Secret,
        by: &Principal,
        at: Timestamp,
    ) -> Result<u32, VaultError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Secrets(mut kept) = self.open()?;
        if kept.len() >= SECRETS_MAX && !kept.contains_key(name) {
            return Err(VaultError::Full);
        }
        let version = kept.get(name).map_or(0, |(known, _)| known.version).saturating_add(1);
        let known = Known { name: name.clone(), version, at, by: by.clone() };
        kept.insert(name.clone(), (known, value));
        self.write(&Secrets(kept)).map(|()| version)
    }

    /// Forgets `name`.
    pub(crate) fn delete(&self, name: &SecretName) -> Result<(), VaultError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Secrets(mut kept) = self.open()?;
        match kept.remove(name) {
            Some(_) => self.write(&Secrets(kept)),
            None => Ok(()),
        }
    }

    fn key_path(&self) -> PathBuf {
        self.folder.join("key")
    }

    fn sealed_path(&self) -> PathBuf {
        self.folder.join("sealed")
    }

    fn write(&self, kept: &Secrets) -> Result<(), VaultError> {
        let io = |action| move |path: &Path, source| VaultError::Io { action, path: path.to_owned(), source };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|source| io("create")(&self.folder, source))?;
        let key = match self.key()? {
            Some(key) => key,
            None => self.make_key()?,
        };
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(Digest::of(&key).as_bytes());
        let plain = postcard::to_stdvec(kept).expect("names, numbers and texts can be encoded");
        let sealed = XChaCha20Poly1305::new((&key).into())
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: &plain, aad: &bytes })
            .expect("what is sealed is far below the limit of the cipher");
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        let path = self.sealed_path();
        durable::put(&path, &bytes).map_err(|source| io("write")(&path, source))
    }

    /// The key, where there is one.
    fn key(&self) -> Result<Option<[u8; KEY_BYTES]>, VaultError> {
        let path = self.key_path();
        let key = read(&path)?.map(|bytes| bytes.try_into());
        key.transpose().map_err(|_| VaultError::OtherKey(path))
    }

    /// A new key, which is lasting before anything is sealed with it.
    fn make_key(&self) -> Result<[u8; KEY_BYTES], VaultError> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)?;
        let path = self.key_path();
        durable::put(&path, &key).map_err(|source| VaultError::Io { action: "write", path, source })?;
        Ok(key)
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, VaultError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VaultError::Io { action: "read", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
