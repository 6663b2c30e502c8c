//! What moments name that has bytes: trees of files, and artifacts of runs.
//!
//! Owns what a moment says of an artifact, so that whoever has the timeline alone can ask for it, and the way from
//! an artifact or a digest to the moments that name it. Says nothing of what is here. Invariant: only moments that
//! count name anything.

use serde::{Deserialize, Serialize};

use super::canonical::Moment;
use super::entry::{Entry, Refs, is_name};
use super::rows;
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
    /// The keys under which `moment`, which refers to this, is found by what it names.
    pub(super) fn names(&self, moment: &Moment) -> Vec<Key> {
        let artifacts = self.artifacts.iter();
        let ids = artifacts.clone().map(|made| artifact_prefix(made.artifact_id));
        let contents = self.after.iter().chain(artifacts.map(|made| &made.sha256)).map(content_prefix);
        ids.chain(contents).map(|prefix| rows::append_moment(prefix, moment)).collect()
    }
}

/// Prefixes of two lengths, told apart by their first byte.
fn artifact_prefix(artifact_id: ArtifactId) -> Key {
    Key::new().bytes(b"a").bytes(artifact_id.as_bytes())
}

fn content_prefix(digest: &Digest) -> Key {
    Key::new().bytes(b"c").bytes(digest.as_bytes())
}

impl Reader {
    /// Nodes whose moments name the content `digest`, at most `limit` of them: the first that did in front. None: no
    /// moment names it.
    pub fn named_by(&self, digest: &Digest, limit: usize) -> Result<Vec<PublicKey>, StoreError> {
        let mut nodes = Vec::new();
        let prefix = content_prefix(digest);
        self.scan(Table::TimelineNamed, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            let node = rows::read_moment(key)?.feed.node;
            if !nodes.contains(&node) {
                nodes.push(node);
            }
            Ok(nodes.len() < limit)
        })?;
        Ok(nodes)
    }

    /// What is known of an artifact: its row, or of one that another node made what the first moment says that names
    /// it.
    pub fn artifact(&self, artifact_id: ArtifactId) -> Result<Option<ArtifactRow>, StoreError> {
        if let Some(row) = self.get(&ArtifactRow::key_of(artifact_id))? {
            return Ok(Some(row));
        }
        let (prefix, mut first) = (artifact_prefix(artifact_id), None);
        self.scan(Table::TimelineNamed, prefix.as_bytes(), None, Order::Ascending, |key, _| {
            first = Some(rows::read_moment(key)?);
            Ok(false)
        })?;
        let entry = first.map_or(Ok(None), |moment| self.moment(moment))?;
        Ok(entry.and_then(|mut entry| {
            let mut artifacts = std::mem::take(&mut entry.note.refs.artifacts).into_iter();
            let made = artifacts.find(|made| made.artifact_id == artifact_id)?;
            Some(made.row(entry))
        }))
    }
}
