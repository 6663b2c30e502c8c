//! What comes in from peers: verified chunk by chunk, and proved when it is whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use xyn_net::proto::blobs::NotKept;
use xyn_store::Digest;
use xyn_store::blobs::{Manifest, Parcel};

use super::Chest;
#[cfg(test)]
use super::Flaw;

/// Something on its way here.
#[derive(Clone)]
pub(super) struct Intake {
    manifest: Arc<Manifest>,
    /// Whether each chunk is a blob of its own.
    is_bundle: bool,
}

impl Chest {
    /// Begins to take something in, or goes on with it: the chunks that are missing.
    pub(crate) fn open(&mut self, manifest: Arc<Manifest>, is_bundle: bool) -> Result<Vec<Digest>, NotKept> {
        let mut seen = BTreeSet::new();
        let parts = manifest.parts().iter().copied();
        let missing: Vec<_> = parts.filter(|(it, _)| self.is_missing(it) && seen.insert(*it)).collect();
        self.works(self.taken_bytes(&missing))?;
        self.open.insert(manifest.object(), Intake { manifest, is_bundle });
        Ok(missing.into_iter().map(|(chunk, _)| chunk).collect())
    }

    /// Verifies and keeps chunks, which are some of `asked` in this order; answers which, and what was wrong with
    /// another one.
    pub(crate) fn keep(
        &mut self,
        object: &Digest,
        asked: &[Digest],
        parcel: &[u8],
    ) -> (Vec<Digest>, Option<NotKept>) {
        let (mut kept, mut fault) = (Vec::new(), None);
        if !self.open.contains_key(object) {
            return (kept, fault);
        }
        #[cfg(test)]
        if self.flaw == Some(Flaw::Gullible) {
            asked.iter().for_each(|chunk| self.insert(*chunk, parcel));
            return (asked.to_vec(), fault);
        }
        let mut expected = asked.iter();
        for chunk in Parcel::new(parcel) {
            let chunk = chunk.ok().filter(|chunk| expected.any(|asked| *asked == chunk.digest()));
            let Some(chunk) = chunk else {
                fault = Some(NotKept::False);
                continue;
            };
            let is_counted = !self.has_berth(&chunk.digest());
            if let Err(reason) = self.works(if is_counted { chunk.record().len() } else { 0 }) {
                return (kept, Some(reason));
            }
            self.insert(chunk.digest(), chunk.record());
            kept.push(chunk.digest());
        }
        (kept, fault)
    }

    /// Puts together what came, proves it and makes it lasting.
    pub(crate) fn assemble(&mut self, object: &Digest) -> Result<(), NotKept> {
        let Intake { manifest, is_bundle } = self.open.remove(object).ok_or(NotKept::Failed)?;
        self.works(0)?;
        self.sync();
        if is_bundle {
            let whole =
                manifest.parts().iter().map(|part| (part.0, Arc::new(Manifest::new(part.0, vec![*part]))));
            self.blobs.extend(whole);
            return Ok(());
        }
        self.blobs.insert(*object, manifest);
        let is_proved = self.is_proved(object);
        if !is_proved {
            self.blobs.remove(object);
        }
        if is_proved { Ok(()) } else { Err(NotKept::False) }
    }

    fn is_proved(&self, object: &Digest) -> bool {
        #[cfg(test)]
        if self.flaw == Some(Flaw::Gullible) {
            return true;
        }
        self.read(object).is_some_and(|bytes| Digest::of(&bytes) == *object)
    }

    /// Nothing more of it comes for now: what came is made lasting.
    pub(crate) fn close(&mut self, object: &Digest) {
        self.open.remove(object);
        self.sync();
    }

    /// The process ends in order.
    pub(crate) fn close_all(&mut self) {
        self.open.clear();
        self.sync();
    }
}
