//! The node's key: one file, `node.key`, readable by its owner only.
//!
//! Owns making, keeping and signing with the secret. Never shows it, and replaces it by one thing only: the key
//! that was prepared beside it to succeed it. A node that lost its key is another node. Invariant: a key that was
//! handed out is durable, and a folder has one key at any instant.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ed25519_dalek::{Signer, SigningKey};

use crate::audit::hex;
use crate::audit::signature::{PublicKey, Signature, message};
use crate::digest::Digest;
use crate::durable;

/// The name of the key's file in the data folder: 64 hex digits and a line feed.
pub const FILE_NAME: &str = "node.key";
/// The name of the file of an environment's root key, in the folder of the node that founded it. It is needed
/// only to speak for the root, and may be kept elsewhere.
pub const ROOT_FILE_NAME: &str = "root.key";
/// The name of the file of the key that is to take over, from when it is made until it does.
pub const NEXT_FILE_NAME: &str = "next.key";

/// The secret key of a node.
pub struct NodeKey(SigningKey);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No file.
    #[error("`{0}` is missing; restore it from a backup: without it the node cannot continue its log")]
    Missing(PathBuf),
    /// There is one already, and replacing it would give the node another identity.
    #[error("`{0}` exists already; a node keeps its key")]
    Exists(PathBuf),
    /// Group or others may read or write the file.
    #[error("`{0}` is open to other users (mode {mode:03o}); run `chmod 600 {0}`", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not 64 hex digits. Says nothing of what it holds, which may be most of a key.
    #[error("`{0}` does not hold 64 hex digits; restore it from a backup")]
    Malformed(PathBuf),
    /// The file or its folder cannot be read or written.
    #[error("cannot {action} `{}`: {}", path.display(), durable::reason(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system has no randomness.
    #[error("cannot make a key: no randomness")]
    Randomness(#[from] getrandom::Error),
}

impl NodeKey {
    /// Makes the key of a new node and keeps it in `folder`.
    ///
    /// The caller holds the folder's lock, so that two processes do not make a key each.
    pub fn create(folder: &Path) -> Result<Self, KeyError> {
        Self::create_as(folder, FILE_NAME)
    }

    fn create_as(folder: &Path, name: &str) -> Result<Self, KeyError> {
        let path = folder.join(name);
        let io = |source| KeyError::Io { action: "create", path: path.clone(), source };
        if path.try_exists().map_err(io)? {
            return Err(KeyError::Exists(path));
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = Self(SigningKey::from_bytes(&secret));
        durable::put(&path, key.text().as_bytes()).map_err(io)?;
        Ok(key)
    }

    /// Reads the key kept in `folder`.
    pub fn load(folder: &Path) -> Result<Self, KeyError> {
        Self::load_from(&folder.join(FILE_NAME))
    }

    /// The root key kept in `folder`, made when there is none. Whoever asks is about to found an environment.
    pub fn found_root(folder: &Path) -> Result<Self, KeyError> {
        Self::root(folder)?.map_or_else(|| Self::create_as(folder, ROOT_FILE_NAME), Ok)
    }

    /// The root key, where it is kept in `folder`.
    pub fn root(folder: &Path) -> Result<Option<Self>, KeyError> {
        Self::find(folder, ROOT_FILE_NAME)
    }

    /// The key that is to take over in `folder`, made when there is none.
    pub fn prepare_next(folder: &Path) -> Result<Self, KeyError> {
        /// Two who ask at once are to be given the same key.
        static ASKING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
        Self::next(folder)?.map_or_else(|| Self::create_as(folder, NEXT_FILE_NAME), Ok)
    }

    /// The key that is to take over in `folder`, if one was prepared.
    pub fn next(folder: &Path) -> Result<Option<Self>, KeyError> {
        Self::find(folder, NEXT_FILE_NAME)
    }

    /// Puts the key that was prepared in `folder` in the place of the present one, in one step: a crash leaves
    /// either. The old secret is gone then.
    pub(crate) fn take_over(folder: &Path) -> Result<(), KeyError> {
        let path = folder.join(FILE_NAME);
        let renamed = fs::rename(folder.join(NEXT_FILE_NAME), &path);
        let done = renamed.and_then(|()| durable::sync_folder(folder));
        done.map_err(|source| KeyError::Io { action: "replace", path, source })
    }

    /// Copies the root key that is kept in `folder` into the new file `to`; with `removes`, it is in `folder` no more
    /// once the copy was read back. A crash leaves it in one of the two at least.
    pub fn export_root(folder: &Path, to: &Path, removes: bool) -> Result<Self, KeyError> {
        let kept = folder.join(ROOT_FILE_NAME);
        let root = Self::load_from(&kept)?;
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| KeyError::Io { action, path, source }
        };
        let mut file = match durable::create_private(to) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeyError::Exists(to.to_owned()));
            }
            made => made.map_err(io("create", to))?,
        };
        let written = file.write_all(root.text().as_bytes()).and_then(|()| file.sync_all());
        let written = written.and_then(|()| durable::sync_folder(durable::folder_of(to)));
        // Also where modes are not kept, such as on a stick: others could read it there.
        let copy = written.map_err(io("write", to)).and_then(|()| Self::load_from(to));
        let is_whole = copy.as_ref().is_ok_and(|copy| copy.public() == root.public());
        if !is_whole {
            // What is not whole must not look like a key, and what others can read must not be one.
            let _ = fs::remove_file(to);
            return copy.and(Err(KeyError::Malformed(to.to_owned())));
        }
        if removes {
            let removed = fs::remove_file(&kept).and_then(|()| durable::sync_folder(folder));
            removed.map_err(io("remove", &kept))?;
        }
        copy
    }

    fn find(folder: &Path, name: &str) -> Result<Option<Self>, KeyError> {
        match Self::load_from(&folder.join(name)) {
            Err(KeyError::Missing(_)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Reads a key that is kept in a file elsewhere, such as the root key of an environment.
    pub fn load_from(path: &Path) -> Result<Self, KeyError> {
        let path = path.to_owned();
        let (mode, text) = match read(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KeyError::Missing(path)),
            Err(source) => {
                return Err(KeyError::Io { action: "read", path, source });
            }
        };
        if mode & 0o077 != 0 {
            return Err(KeyError::Permissions { path, mode });
        }
        let secret = std::str::from_utf8(&text).ok().and_then(|text| hex::decode(text.trim_end()));
        secret.map(|secret| Self(SigningKey::from_bytes(&secret))).ok_or(KeyError::Malformed(path))
    }

    /// Who this node is.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs `payload` for one purpose: `domain` is a line that no other use of the key has.
    pub fn sign(&self, domain: &'static str, payload: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(&message(domain, payload)).to_bytes())
    }

    /// The secret, for the transport that proves this key to peers in its handshake. It goes nowhere else.
    pub fn transport_secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The secret, for the signing of capsules: what is signed there begins as no other message of this key does.
    pub fn capsule_secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// A secret of its own for one purpose, from which the key cannot be had: the same for as long as the node has
    /// this key. `purpose` is a line that no other use of the key has.
    pub fn derived_secret(&self, purpose: &'static str) -> Digest {
        Digest::of_parts(&[purpose.as_bytes(), b"\0", self.0.as_bytes()])
    }

    /// A key from a secret kept elsewhere: a root key in a safe, or the keys of a simulation, derived from
    /// its seed.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&secret))
    }

    /// What a file of it holds.
    fn text(&self) -> String {
        format!("{}\n", hex::encode(self.0.as_bytes()))
    }
}

/// The permission bits and the beginning of the file, enough to see whether it is a key.
fn read(path: &Path) -> io::Result<(u32, Vec<u8>)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let mut text = Vec::new();
    file.take(128).read_to_end(&mut text)?;
    Ok((mode, text))
}

/// Shows the public half.
impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeKey").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder can be made")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("the key is there").permissions().mode() & 0o777
    }

    #[test]
    fn each_purpose_has_a_secret_of_its_own_which_is_not_the_key_and_stays() {
        let (key, other) = (NodeKey::from_secret([7; 32]), NodeKey::from_secret([8; 32]));
        let secret = key.derived_secret("one");
        assert_eq!(secret, NodeKey::from_secret([7; 32]).derived_secret("one"));
        assert_ne!(secret, key.derived_secret("another"));
        assert_ne!(secret, other.derived_secret("one"));
        assert_ne!(secret.as_bytes(), &[7; 32]);
    }

    #[test]
    fn a_key_is_the_same_after_a_restart_and_only_the_owner_reads_it() {
        let folder = folder();
        let made = NodeKey::create(folder.path()).expect("the folder is empty");
        let found = NodeKey::load(folder.path()).expect("the key was kept");
        assert_eq!(made.public(), found.public());
        assert_eq!(mode(&folder.path().join(FILE_NAME)), 0o600);
        let names = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(names, 1, "nothing temporary stays");
    }

    #[test]
    fn all_who_ask_at_once_for_the_next_key_are_given_the_same() {
        let folder = folder();
        let ask = || NodeKey::prepare_next(folder.path()).expect("there is room").public();
        let given = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().map(|asked| asked.join().expect("no panic")).collect::<Vec<_>>()
        });
        let kept = NodeKey::next(folder.path()).expect("it reads").expect("it is there").public();
        assert_eq!(given, [kept; 16]);
    }

    #[test]
    fn a_key_is_never_replaced() {
        let folder = folder();
        let first = NodeKey::create(folder.path()).expect("the folder is empty").public();
        assert!(matches!(NodeKey::create(folder.path()), Err(KeyError::Exists(_))));
        assert_eq!(NodeKey::load(folder.path()).expect("still there").public(), first);
    }

    #[test]
    fn the_key_that_takes_over_is_prepared_once_and_replaces_the_old_one() {
        let folder = folder();
        let old = NodeKey::create(folder.path()).expect("the folder is empty").public();
        assert!(NodeKey::next(folder.path()).expect("reads").is_none());
        assert!(NodeKey::take_over(folder.path()).is_err(), "nothing was prepared");
        let next = NodeKey::prepare_next(folder.path()).expect("makes one").public();
        assert_eq!(NodeKey::prepare_next(folder.path()).expect("finds it").public(), next);
        assert_eq!(mode(&folder.path().join(NEXT_FILE_NAME)), 0o600);
        assert_eq!(NodeKey::load(folder.path()).expect("still there").public(), old);
        NodeKey::take_over(folder.path()).expect("replaces");
        assert_eq!(NodeKey::load(folder.path()).expect("the new one").public(), next);
        let names = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!((names, mode(&folder.path().join(FILE_NAME))), (1, 0o600));
    }

    #[test]
    fn the_root_key_is_copied_where_nothing_is_and_leaves_the_folder_only_behind_its_copy() {
        let (folder, elsewhere) = (folder(), folder());
        let to = elsewhere.path().join("lab.root");
        let missing = NodeKey::export_root(folder.path(), &to, true);
        assert!(matches!(missing, Err(KeyError::Missing(_))) && !to.exists());
        let root = NodeKey::found_root(folder.path()).expect("makes one").public();
        assert_eq!(NodeKey::export_root(folder.path(), &to, false).expect("copies").public(), root);
        assert_eq!((NodeKey::load_from(&to).expect("a key").public(), mode(&to)), (root, 0o600));
        let taken = NodeKey::export_root(folder.path(), &to, true);
        assert!(matches!(taken, Err(KeyError::Exists(_))), "{taken:?}");
        let nowhere = NodeKey::export_root(folder.path(), &elsewhere.path().join("gone/lab.root"), true);
        assert!(matches!(nowhere, Err(KeyError::Io { action: "create", .. })), "{nowhere:?}");
        assert!(NodeKey::root(folder.path()).expect("reads").is_some(), "nothing was removed");
        let second = elsewhere.path().join("second.root");
        NodeKey::export_root(folder.path(), &second, true).expect("moves");
        assert!(NodeKey::root(folder.path()).expect("reads").is_none());
        assert_eq!(NodeKey::load_from(&second).expect("a key").public(), root);
    }

    #[test]
    fn a_crash_while_making_the_key_leaves_no_obstacle() {
        let folder = folder();
        fs::write(folder.path().join("node.key.partial"), "half a k").expect("a file");
        assert!(matches!(NodeKey::load(folder.path()), Err(KeyError::Missing(_))));
        NodeKey::create(folder.path()).expect("the left-over is thrown away");
        assert_eq!(mode(&folder.path().join(FILE_NAME)), 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
        let folder = folder();
        NodeKey::create(folder.path()).expect("the folder is empty");
        let path = folder.path().join(FILE_NAME);
        for open in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("own file");
            let error = NodeKey::load(folder.path()).expect_err("the key is open to others");
            assert!(matches!(error, KeyError::Permissions { mode, .. } if mode == open));
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        let folder = folder();
        NodeKey::create(folder.path()).expect("the folder is empty");
        let path = folder.path().join(FILE_NAME);
        let cases = ["", "5ecre7", &"a".repeat(63), &"a".repeat(66), &"g".repeat(64), &"é".repeat(32)];
        for text in cases {
            fs::write(&path, text).expect("own file");
            let error = NodeKey::load(folder.path()).expect_err("not a key");
            assert!(matches!(error, KeyError::Malformed(_)), "{text}: {error}");
            assert!(text.is_empty() || !format!("{error} {error:?}").contains(text));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = folder();
        let file = folder.path().join("taken");
        fs::write(&file, "").expect("own file");
        let error = NodeKey::create(&file).expect_err("it is no folder");
        assert!(matches!(error, KeyError::Io { .. }));
        assert!(error.to_string().contains("taken"), "{error}");
    }

    #[test]
    fn the_secret_is_never_shown() {
        let key = NodeKey::from_secret([7; 32]);
        assert!(!format!("{key:?}").contains("0707"));
        assert!(format!("{key:?}").contains(&key.public().to_string()));
    }
}
