//! A store in memory: chunks by their digests, and blobs that are whole.

use std::collections::{BTreeMap, BTreeSet};

use xyn_store::Digest;
use xyn_store::blobs::Manifest;

use crate::proto::blobs::NotKept;
use crate::wire::Payload;
use crate::wire::blobs::{Answer, Ask, PARCEL_BYTES_MAX};

/// What one node has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shelf {
    pub(crate) chunks: BTreeMap<Digest, Vec<u8>>,
    pub(crate) manifests: BTreeMap<Digest, Manifest>,
    /// Blobs that are coming in.
    open: BTreeMap<Digest, Manifest>,
    /// Bundles that are coming in.
    gathered: BTreeSet<Digest>,
    /// How many bytes more there is room for.
    pub(crate) room: Option<u64>,
}

impl Shelf {
    /// Keeps a blob, cut into pieces of `cut` bytes; answers its digest.
    pub(crate) fn put(&mut self, bytes: &[u8], cut: usize) -> Digest {
        let object = Digest::of(bytes);
        let parts = bytes.chunks(cut).map(|chunk| {
            self.chunks.insert(Digest::of(chunk), chunk.to_vec());
            (Digest::of(chunk), chunk.len() as u32)
        });
        let manifest = Manifest::new(object, parts.collect());
        self.manifests.insert(object, manifest);
        object
    }

    /// Says that `object` is made of chunks that are those of another blob.
    pub(crate) fn forge(&mut self, object: Digest, bytes: &[u8], cut: usize) {
        let other = self.put(bytes, cut);
        let parts = self.manifests.remove(&other).expect("it was put").parts().to_vec();
        self.manifests.insert(object, Manifest::new(object, parts));
    }

    pub(crate) fn has(&self, object: &Digest) -> bool {
        self.manifests.contains_key(object)
    }

    pub(crate) fn answer(&self, ask: &Ask) -> Answer {
        match ask {
            Ask::Manifest { object, from, credit, .. } => match self.manifests.get(object) {
                Some(manifest) => {
                    let bytes = manifest.encode();
                    let rest = &bytes[(*from as usize).min(bytes.len())..];
                    let page = Payload::new(&rest[..rest.len().min(*credit as usize)]).expect("is bounded");
                    Answer::Manifest { name: Digest::of(&bytes), length: bytes.len() as u32, page }
                }
                None => Answer::Absent,
            },
            Ask::Chunks { chunks, .. } => {
                let mut parcel = Vec::new();
                for chunk in chunks.iter().filter_map(|chunk| self.chunks.get(chunk)) {
                    if parcel.len() + chunk.len() + 4 <= PARCEL_BYTES_MAX {
                        parcel.extend_from_slice(&(chunk.len() as u32).to_be_bytes());
                        parcel.extend_from_slice(chunk);
                    }
                }
                Answer::Chunks(Payload::new(&parcel).expect("is bounded"))
            }
        }
    }

    pub(crate) fn open(&mut self, manifest: &Manifest) -> Result<Vec<Digest>, NotKept> {
        let mut seen = BTreeSet::new();
        let missing =
            manifest.parts().iter().filter(|(it, _)| !self.chunks.contains_key(it) && seen.insert(*it));
        let missing: Vec<_> = missing.copied().collect();
        let needed: u64 = missing.iter().map(|(_, bytes)| u64::from(*bytes)).sum();
        if let Some(left_bytes) = self.room.filter(|room| *room < needed) {
            return Err(NotKept::Full { left_bytes });
        }
        self.open.insert(manifest.object(), manifest.clone());
        Ok(missing.into_iter().map(|(chunk, _)| chunk).collect())
    }

    pub(crate) fn gather(&mut self, bundle: &Manifest) -> Result<Vec<Digest>, NotKept> {
        self.gathered.insert(bundle.object());
        self.open(bundle)
    }

    pub(crate) fn keep(
        &mut self,
        object: &Digest,
        asked: &[Digest],
        parcel: &[u8],
    ) -> (Vec<Digest>, Option<NotKept>) {
        assert!(self.open.contains_key(object), "nothing is kept of what is not open");
        let (mut rest, mut kept, mut fault) = (parcel, Vec::new(), None);
        while let Some((length, more)) = rest.split_first_chunk() {
            let (chunk, more) = more.split_at(u32::from_be_bytes(*length) as usize);
            let digest = Digest::of(chunk);
            rest = more;
            if !asked.contains(&digest) {
                fault = Some(NotKept::False);
                continue;
            }
            self.chunks.insert(digest, chunk.to_vec());
            kept.push(digest);
        }
        (kept, fault)
    }

    pub(crate) fn assemble(&mut self, object: &Digest) -> Result<(), NotKept> {
        let manifest = self.open.remove(object).expect("it is open");
        if self.gathered.remove(object) {
            return Ok(());
        }
        let parts = manifest.parts().iter().map(|(chunk, _)| self.chunks[chunk].as_slice());
        if Digest::of(&parts.collect::<Vec<_>>().concat()) != *object {
            return Err(NotKept::False);
        }
        self.manifests.insert(*object, manifest);
        Ok(())
    }

    pub(crate) fn close(&mut self, object: &Digest) {
        self.open.remove(object);
        self.gathered.remove(object);
    }
}
