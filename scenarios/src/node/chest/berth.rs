//! The capsule on trial, as one node has it.
//!
//! Owns which step of it this folder has come to, lastingly, and its chunks' place beside all other content: their
//! records are those of the whole world. Decides nothing: the world says when there is a next step. Invariant: a node
//! goes on only with a capsule that is here whole and was just proved.

use std::sync::Arc;

use xyn_net::proto::blobs::NotKept;
use xyn_store::Digest;

use super::{Chest, Piece};
use crate::trial::Trial;

/// How far a folder is with the capsule on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// What served before serves.
    #[default]
    Before,
    /// The capsule serves.
    RolledOut,
    /// What served before serves again.
    RolledBack,
}

/// The place of the capsule on trial.
#[derive(Clone)]
pub(super) struct Berth {
    trial: Arc<Trial>,
    step: Step,
}

impl Chest {
    /// Keeps room free for the capsule on trial.
    pub(crate) fn reserve(&mut self, trial: Arc<Trial>) {
        self.berth = Some(Berth { trial, step: Step::Before });
    }

    /// How far this folder is with the capsule on trial.
    pub(crate) fn step(&self) -> Step {
        self.berth.as_ref().map_or(Step::Before, |berth| berth.step)
    }

    /// The file on trial.
    fn tried(&self) -> Option<Piece> {
        let manifest = &self.berth.as_ref()?.trial.manifest;
        Some(Piece { root: manifest.object(), is_tree: false, size_bytes: manifest.size_bytes() })
    }

    /// Whether the file on trial is here whole, and others may have it.
    pub(crate) fn has_tried(&self) -> bool {
        self.tried().is_some_and(|piece| self.is_shared(&piece.root))
    }

    /// Somebody here wants the file on trial.
    pub(crate) fn want_tried(&mut self) {
        if let Some(piece) = self.tried() {
            self.want(piece);
        }
    }

    /// Keeps the file on trial: it comes into the world here.
    pub(crate) fn put_tried(&mut self) -> Result<(), NotKept> {
        let Some((Berth { trial, .. }, piece)) = self.berth.clone().zip(self.tried()) else { return Ok(()) };
        self.works(0)?;
        trial.records.iter().for_each(|(chunk, record)| self.insert(*chunk, record));
        self.blobs.insert(piece.root, Arc::clone(&trial.manifest));
        self.sync();
        self.share(piece);
        Ok(())
    }

    /// Proves what is here of the capsule on trial, and goes on to `step`. `Ok(false)`: the disk does not work now.
    pub(crate) fn go_on(&mut self, step: Step) -> Result<bool, String> {
        let Some((trial, piece)) = self.berth.as_ref().map(|it| Arc::clone(&it.trial)).zip(self.tried())
        else {
            return Ok(false);
        };
        if self.works(0).is_err() {
            return Ok(false);
        }
        trial.judge(&self.read(&piece.root).ok_or("it is not here whole")?)?;
        if let Some(berth) = &mut self.berth {
            berth.step = step;
        }
        Ok(true)
    }

    /// Whether a chunk is of the capsule on trial.
    pub(super) fn has_berth(&self, chunk: &Digest) -> bool {
        self.berth.as_ref().is_some_and(|berth| berth.trial.records.contains_key(chunk))
    }

    /// The record that all nodes share, where `record` is one of the capsule on trial.
    pub(super) fn pooled(&self, chunk: &Digest, record: &[u8]) -> Option<Arc<[u8]>> {
        self.berth.as_ref()?.trial.pooled(chunk, record)
    }
}
