//! What must hold of content: nothing is false, nothing comes twice, and whoever can have what it wants has it.

use xyn_net::wire;
use xyn_net::wire::blobs::Ask;
use xyn_store::{Digest, Timestamp};

use super::{Broken, Check};
use crate::node::{Chest, Talk};
use crate::span::Span;
use crate::world::{Behind, Lack};

impl Check {
    /// A node asks for something.
    pub(crate) fn asks(&mut self, now: Timestamp, node: usize, chest: &Chest, talk: Talk, bytes: &[u8]) {
        let (true, Talk::Ask(_)) = (self.is_honest(node), talk) else { return };
        let Ok(Ask::Chunks { chunks, .. }) = wire::decode(bytes) else { return };
        if let Some(chunk) = chunks.iter().find(|chunk| chest.holds(chunk)) {
            self.broke(now, Broken::Repeated { node, chunk: chunk.to_string() });
        }
    }

    /// A node holds something else than it says.
    pub(crate) fn counterfeit(&mut self, now: Timestamp, node: usize, object: Digest) {
        if self.is_honest(node) {
            self.broke(now, Broken::Counterfeit { node, object: object.to_string() });
        }
    }

    /// After all this time content did not come to where it is wanted.
    pub(crate) fn lacks(&mut self, now: Timestamp, lack: Lack, within: Span) {
        let Lack { node, holder, root } = lack;
        let (root, within) = (root.to_string(), within.to_string());
        self.broke(now, Broken::Unfetched { node, holder, root, within });
    }

    /// What a node has is not the capsule that was put on trial.
    pub(crate) fn unproved(&mut self, now: Timestamp, node: usize, why: String) {
        if self.is_honest(node) {
            self.broke(now, Broken::Unproved { node, why });
        }
    }

    /// No node but the one that offers the capsule on trial could have it.
    pub(crate) fn unspread(&mut self, now: Timestamp, node: usize) {
        self.broke(now, Broken::Unspread { node });
    }

    /// After all this time a node is not as far with the capsule on trial as it could be.
    pub(crate) fn behind(&mut self, now: Timestamp, behind: Behind, within: Span) {
        let Behind { node, lacks } = behind;
        self.broke(now, Broken::Behind { node, lacks, within: within.to_string() });
    }
}
