//! What a moment says of a capsule that it offers: enough to list it, and to ask members for its bytes.
//!
//! Nothing of it is proved here: it is what the author of the moment says. Whoever fetches the file judges what is
//! in it. Invariant: an offer within its limits survives its bytes, and is never of a private capsule.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, is_line};
use super::rows;
use crate::Reader;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::projection::{Cursor, Page};
use crate::reader::{Order, PageBuilder};
use crate::tables::{Key, Table};

/// Characters that the id of an app in a version may have.
pub const APP_ID_MAX_CHARS: usize = 255;

/// Who may see a capsule. Variants are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// The node that has it.
    Private,
    /// The environment.
    Env,
    /// The local network, too.
    Lan,
    /// Everybody.
    Public,
}

impl Visibility {
    /// Whether other nodes may learn that there is such a capsule.
    pub fn is_told(self) -> bool {
        self != Self::Private
    }
}

/// A capsule that members may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Of the bytes of its manifest: the name of the capsule.
    pub capsule: Digest,
    /// Which app in which version, as a URN.
    pub id: String,
    /// Its place among the capsules of the app.
    pub generation: u64,
    /// Who may see it.
    pub visibility: Visibility,
    /// Digest of the bytes of its file.
    pub file: Digest,
    /// How many they are.
    pub size_bytes: u64,
    /// What of it a node needs that has the capsule before it.
    pub delta: Option<Delta>,
}

/// A file that holds only what differs from another capsule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The tree of the other.
    pub base: Digest,
    /// Digest of the bytes of the file.
    pub file: Digest,
    /// How many they are.
    pub size_bytes: u64,
}

impl Offer {
    /// Whether an entry may hold it.
    pub(super) fn fits(&self) -> bool {
        is_line(&self.id, APP_ID_MAX_CHARS) && self.visibility.is_told()
    }

    /// The digests of its files.
    pub fn files(&self) -> impl Iterator<Item = Digest> {
        [self.file].into_iter().chain(self.delta.map(|delta| delta.file))
    }

    /// Which app, as a URN without a version.
    pub fn app(&self) -> &str {
        self.id.rsplit_once('@').map_or(&self.id, |(app, _)| app)
    }

    /// Before the moments by which it is found: under its app by generation, under its name and under its `tree`.
    pub(super) fn names(&self, tree: Option<&Digest>) -> impl Iterator<Item = Key> {
        let listed = app_prefix(self.app()).u64(self.generation);
        let digests = tree.into_iter().chain([&self.capsule]).map(digest_prefix);
        [listed].into_iter().chain(digests.collect::<Vec<_>>())
    }
}

fn listed() -> Key {
    Key::new().bytes(b"l")
}

fn app_prefix(app: &str) -> Key {
    listed().text(app)
}

fn digest_prefix(digest: &Digest) -> Key {
    Key::new().bytes(b"d").bytes(digest.as_bytes())
}

impl Reader {
    /// Capsules that moments offer and `admit` lets through, each once: by app, the highest generation first.
    pub fn offers(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
        admit: impl Fn(&Offer) -> Result<bool, StoreError>,
    ) -> Result<Page<Entry>, StoreError> {
        let mut page = PageBuilder::new(limit);
        let (prefix, after) = (listed(), cursor.map(Cursor::as_bytes));
        self.scan(Table::TimelineNamed, prefix.as_bytes(), after, Order::Descending, |key, _| {
            let moment = rows::read_moment(key)?;
            let mut found = self.moment(moment)?;
            let offer = found.as_ref().and_then(|entry| entry.note.refs.offer.as_deref());
            let is_shown = match offer {
                // Of several moments that offer a capsule, the first.
                Some(offer) => self.first_offer(&offer.capsule)? == Some(moment) && admit(offer)?,
                None => false,
            };
            Ok(page.offer(key, found.take_if(|_| is_shown)))
        })?;
        Ok(page.finish())
    }

    /// Up to `limit` moments that offer the capsule or the content `digest`, the first in front.
    pub fn offers_of(&self, digest: &Digest, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.offered(&digest_prefix(digest), Order::Ascending, limit)
    }

    /// The same, the last in front.
    pub fn newest_offers_of(&self, digest: &Digest, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.offered(&digest_prefix(digest), Order::Descending, limit)
    }

    /// Up to `limit` moments that offer capsules of `app`, the highest generation in front.
    pub fn offers_of_app(&self, app: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.offered(&app_prefix(app), Order::Descending, limit)
    }

    fn offered(&self, prefix: &Key, order: Order, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        self.scan(Table::TimelineNamed, prefix.as_bytes(), None, order, |key, _| {
            entries.extend(self.moment(rows::read_moment(key)?)?);
            Ok(entries.len() < limit)
        })?;
        Ok(entries)
    }

    fn first_offer(&self, capsule: &Digest) -> Result<Option<super::Moment>, StoreError> {
        let prefix = digest_prefix(capsule);
        self.first_moment(Table::TimelineNamed, prefix.as_bytes(), None, Order::Ascending)
    }
}
