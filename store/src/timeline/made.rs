//! What moments name that has bytes: trees of files, and artifacts of runs.
//!
//! Owns what a moment says of an artifact, so that whoever has the timeline alone can ask for it, and the way from
//! an artifact or its bytes to the moments that name it. Says nothing of what is here. Invariant: only moments that
//! count name anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::canonical::Moment;
use super::entry::{Entry, Refs, is_name};
use super::{page, rows};
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::ids::ArtifactId;
use crate::json::Json;
use crate::projection::ArtifactRow;
use crate::reader::Order;
use crate::tables::{Key, Table};

/// An artifact, as a moment names it. Each text has the length of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The artifact.
    pub artifact_id: ArtifactId,
    /// File name for people.
    pub name: String,
    /// `log`, `report`, `bundle` or `file`.
    pub kind: String,
    /// Media type.
    pub content_type: String,
    /// Size of the bytes.
    pub byte_length: u64,
    /// Digest of the bytes.
    pub sha256: Digest,
}

impl Made {
    /// Whether an entry may hold it.
    pub(super) fn fits(&self) -> bool {
        [&self.name, &self.kind, &self.content_type].into_iter().all(|text| is_name(text))
    }

    /// The row of it, as far as `entry` tells, which names it.
    fn row(self, entry: Entry) -> ArtifactRow {
        ArtifactRow {
            artifact_id: self.artifact_id,
            name: self.name,
            kind: self.kind,
            content_type: self.content_type,
            byte_length: self.byte_length,
            created_at: entry.at.at,
            created_by: entry.note.principal,
            run_id: entry.note.refs.run,
            step_id: None,
            sha256: self.sha256,
            metadata: Json::from(&serde_json::json!({})),
        }
    }
}

impl Refs {
    /// The keys under which `moment`, which refers to this, is found by the artifacts and capsules that it names.
    pub(super) fn names(&self, moment: &Moment) -> Vec<Key> {
        let artifacts = self.artifacts.iter().map(|made| artifact_prefix(made.artifact_id));
        let offers = self.offer.iter().flat_map(|offer| offer.names(self.capsule.as_ref()));
        artifacts.chain(offers).map(|prefix| rows::append_moment(prefix, moment)).collect()
    }

    /// What content it names, beside artifacts: a tree of files, a capsule's bytes.
    pub fn contents(&self) -> impl Iterator<Item = Digest> {
        self.after.into_iter().chain(self.offer.iter().flat_map(|offer| offer.files()))
    }
}

/// Prefixes of several lengths, told apart by their first byte; those of capsules are with the offers.
fn artifact_prefix(artifact_id: ArtifactId) -> Key {
    Key::new().bytes(b"a").bytes(artifact_id.as_bytes())
}

impl Reader {
    /// The nodes whose moments name each of `contents`; what no moment names is not in it. Reads the whole timeline,
    /// because it is seldom asked: an index by digest would have every moment write at a random place.
    pub fn namers(
        &self,
        contents: &BTreeSet<Digest>,
    ) -> Result<BTreeMap<Digest, BTreeSet<PublicKey>>, StoreError> {
        let mut namers: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        self.each_named(contents, |digest, _, moment| {
            namers.entry(digest).or_default().insert(moment.feed.node);
        })?;
        Ok(namers)
    }

    /// Which of `contents` are named by a moment whose references `admit` lets through. Reads the whole timeline, too.
    pub fn named(
        &self,
        contents: &BTreeSet<Digest>,
        admit: impl Fn(&Refs) -> bool,
    ) -> Result<BTreeSet<Digest>, StoreError> {
        let mut named = BTreeSet::new();
        self.each_named(contents, |digest, refs, _| named.extend(admit(refs).then_some(digest)))?;
        Ok(named)
    }

    /// Tells `visit` of each of `contents` that a moment names, with its references.
    fn each_named(
        &self,
        contents: &BTreeSet<Digest>,
        mut visit: impl FnMut(Digest, &Refs, Moment),
    ) -> Result<(), StoreError> {
        self.scan(Table::TimelineMoments, &[], None, Order::Ascending, |key, value| {
            let refs = page::note(value)?.refs;
            let named = refs.contents().chain(refs.artifacts.iter().map(|made| made.sha256));
            for digest in named.filter(|digest| contents.contains(digest)) {
                visit(digest, &refs, rows::read_moment(key)?);
            }
            Ok(true)
        })
    }

    /// What is known of an artifact: its row, or of one that another node made what the first moment says that names
    /// it.
    pub fn artifact(&self, artifact_id: ArtifactId) -> Result<Option<ArtifactRow>, StoreError> {
        if let Some(row) = self.get(&ArtifactRow::key_of(artifact_id))? {
            return Ok(Some(row));
        }
        let prefix = artifact_prefix(artifact_id);
        let first = self.first_moment(Table::TimelineNamed, prefix.as_bytes(), None, Order::Ascending)?;
        let entry = first.map_or(Ok(None), |moment| self.moment(moment))?;
        Ok(entry.and_then(|mut entry| {
            let mut artifacts = std::mem::take(&mut entry.note.refs.artifacts).into_iter();
            let made = artifacts.find(|made| made.artifact_id == artifact_id)?;
            Some(made.row(entry))
        }))
    }
}
