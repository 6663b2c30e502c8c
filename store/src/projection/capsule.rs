//! Rows of capsules: those that this node has, and the highest generation it has seen of each app.

use serde::{Deserialize, Serialize};

use super::{Changes, Row};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::EntryId;
use crate::scope::Principal;
use crate::tables::{Key, Table};
use crate::timeline::{Delta, Visibility};

/// A capsule that was proved, whose bytes are the blob `file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsuleRow {
    /// Of the bytes of its manifest: the name of the capsule.
    pub capsule: Digest,
    /// Which app in which version, as a URN.
    pub id: String,
    /// Which app.
    pub app: String,
    /// Its version.
    pub version: String,
    /// What the app is called.
    pub name: String,
    /// Its place among the capsules of the app.
    pub generation: u64,
    /// The root of its content.
    pub tree: Digest,
    /// Who may see it.
    pub visibility: Visibility,
    /// When it was packed, as its manifest says.
    pub created_at: Timestamp,
    /// By whom, as its manifest says.
    pub created_by: String,
    /// Whose signatures of it were counted.
    pub signers: Vec<PublicKey>,
    /// Digest of the bytes of its file.
    pub file: Digest,
    /// How many they are.
    pub size_bytes: u64,
    /// How many files its tree has.
    pub files: u64,
    /// Bytes of them all.
    pub content_bytes: u64,
    /// A file of what differs from the capsule before it.
    pub delta: Option<Delta>,
    /// The capsule of the app that was the newest here before it.
    pub parent: Option<Digest>,
    /// How it came here.
    pub origin: Origin,
    /// When it came.
    pub kept_at: Timestamp,
    /// Who had it packed, imported or fetched.
    pub kept_by: Principal,
    /// The moment that offers it to members.
    pub entry_id: Option<EntryId>,
}

/// How a capsule came to a node. Variants are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It was packed here.
    Packed,
    /// It came as a file.
    Imported,
    /// It came from members.
    Pulled,
}

impl Row for CapsuleRow {
    const TABLE: Table = Table::Capsules;
    /// No two capsules have a file in common, so whoever lets go of one's files takes them from no other.
    const HOLDER: &'static str = "capsule";

    fn key(&self) -> Key {
        Self::key_of(&self.capsule)
    }

    fn blobs(&self) -> Vec<Digest> {
        [self.file].into_iter().chain(self.delta.map(|delta| delta.file)).collect()
    }
}

impl CapsuleRow {
    /// The key of a capsule's row.
    pub fn key_of(capsule: &Digest) -> Key {
        Key::new().bytes(capsule.as_bytes())
    }

    /// Puts the row and the ways to it.
    pub fn write(&self, changes: &mut Changes) {
        changes.put(self);
        self.ways().into_iter().for_each(|(table, key)| changes.mark(table, key));
    }

    /// Puts the row, whose file came to be another than `before`.
    pub fn replace(&self, before: &Digest, changes: &mut Changes) {
        changes.unpin(Self::HOLDER, before);
        changes.put(self);
    }

    /// Takes away the row and the ways to it, and lets go of its files.
    pub fn remove(&self, changes: &mut Changes) {
        changes.remove_row(self);
        self.ways().into_iter().for_each(|(table, key)| changes.unmark(table, key));
        self.blobs().iter().for_each(|file| changes.unpin(Self::HOLDER, file));
    }

    /// The rows by which it is found, by its app and by its content.
    fn ways(&self) -> [(Table, Key); 2] {
        let capsule = self.capsule.as_bytes();
        let of_app = Self::app_prefix(&self.app).u64(self.generation).bytes(capsule);
        let of_tree = Self::tree_prefix(&self.tree).bytes(capsule);
        [(Table::CapsulesByApp, of_app), (Table::CapsulesByTree, of_tree)]
    }

    /// Before the capsules of `app`, by generation.
    pub(crate) fn app_prefix(app: &str) -> Key {
        Key::new().text(app)
    }

    /// Before the capsules of the content `tree`.
    pub(crate) fn tree_prefix(tree: &Digest) -> Key {
        Key::new().bytes(tree.as_bytes())
    }
}

/// The highest generation of an app that was seen here. It stays when capsules go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighestRow {
    /// Which app.
    pub app: String,
    /// The generation.
    pub generation: u64,
    /// The capsule that has it.
    pub capsule: Digest,
}

impl Row for HighestRow {
    const TABLE: Table = Table::CapsulesHighest;

    fn key(&self) -> Key {
        Self::key_of(&self.app)
    }
}

impl HighestRow {
    /// The key of an app's row.
    pub fn key_of(app: &str) -> Key {
        Key::new().text(app)
    }
}
