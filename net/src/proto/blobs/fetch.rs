//! A blob, or a bundle of small ones, on its way here.
//!
//! Owns what peers said of it and how far it is. Invariant: its chunks are asked only of peers that have the
//! manifest it is fetched by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xyn_store::audit::signature::PublicKey;
use xyn_store::blobs::Manifest;
use xyn_store::{Digest, Timestamp};

use super::chunks::Chunks;
use super::{GREETING_BYTES, Goods, NotFetched, Output, PATIENCE, Progress, Want};
use crate::wire::blobs::Ask;

#[derive(Clone, Debug)]
pub(super) struct Fetch {
    /// Its name: the blob's, or the bundle's.
    pub(super) object: Digest,
    pub(super) want: Want,
    pub(super) said: BTreeMap<PublicKey, Said>,
    /// The digest of the manifest it is fetched by.
    pub(super) name: Option<Digest>,
    pub(super) stage: Stage,
    /// Manifests by which it cannot be fetched.
    refused: BTreeSet<Digest>,
    /// How large it is, if that is too large.
    too_large: Option<u64>,
    /// When something of it came last.
    moved: Timestamp,
    /// Whether nobody who is connected has it.
    is_absent: bool,
}

/// What a peer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing yet.
    Asked,
    /// That it does not have the blob; asked again later.
    Absent(Timestamp),
    /// That it has it, by this manifest.
    Has(Digest),
}

#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Nobody who has it is known.
    Searching,
    /// Its manifest comes.
    Listing(List),
    /// The store looks what is missing.
    Opening(Arc<Manifest>),
    /// Its chunks come.
    Fetching(Chunks),
    /// The store proves it: its length.
    Assembling(u64),
}

/// A manifest on its way.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// Who sends it.
    pub(super) by: PublicKey,
    pub(super) name: Digest,
    pub(super) bytes: Vec<u8>,
}

impl Fetch {
    pub(super) fn new(want: Want, now: Timestamp) -> Self {
        Self {
            object: want.name(),
            want,
            said: BTreeMap::new(),
            name: None,
            stage: Stage::Searching,
            refused: BTreeSet::new(),
            too_large: None,
            moved: now,
            is_absent: false,
        }
    }

    /// Something of it came.
    pub(super) fn moved(&mut self, now: Timestamp) {
        self.moved = now;
    }

    /// Whether to ask a peer if it has the blob.
    pub(super) fn is_unknown_at(&self, peer: PublicKey, now: Timestamp) -> bool {
        match self.said.get(&peer) {
            None => true,
            Some(Said::Absent(until)) => *until <= now,
            Some(Said::Asked | Said::Has(_)) => false,
        }
    }

    /// Whether its chunks may be asked of a peer.
    pub(super) fn is_source(&self, peer: PublicKey) -> bool {
        matches!((self.said.get(&peer), self.name), (Some(Said::Has(has)), Some(name)) if *has == name)
    }

    /// Who has it by this manifest.
    pub(super) fn holders(&self, name: Digest) -> impl Iterator<Item = PublicKey> {
        self.said.iter().filter(move |(_, said)| **said == Said::Has(name)).map(|(peer, _)| *peer)
    }

    /// Who has it by the manifest it is fetched by.
    pub(super) fn sources(&self) -> impl Iterator<Item = PublicKey> {
        self.name.into_iter().flat_map(|name| self.holders(name))
    }

    pub(super) fn is_refused(&self, name: Digest) -> bool {
        self.refused.contains(&name)
    }

    /// It cannot be fetched by the manifest it is fetched by.
    pub(super) fn refuse(&mut self, too_large: Option<u64>) {
        self.refused.extend(self.name);
        self.too_large = self.too_large.or(too_large);
        self.search();
    }

    /// Begins again to look for a manifest.
    pub(super) fn search(&mut self) {
        self.name = None;
        self.stage = Stage::Searching;
    }

    /// Takes up a manifest that somebody has. That of a bundle is known.
    pub(super) fn list(&mut self, by: PublicKey, name: Digest) -> Option<Output> {
        self.name = Some(name);
        match &self.want.goods {
            Goods::Blob { .. } => {
                self.stage = Stage::Listing(List { by, name, bytes: Vec::new() });
                None
            }
            Goods::Bundle(manifest) => {
                self.stage = Stage::Opening(Arc::clone(manifest));
                Some(Output::Gather(Arc::clone(manifest)))
            }
        }
    }

    /// Whom to ask for to learn who has it, and how much of the manifest is of use.
    pub(super) fn greeting(&self) -> Ask {
        let (object, credit) = match &self.want.goods {
            Goods::Blob { object, .. } => (*object, GREETING_BYTES),
            Goods::Bundle(_) => (self.want.root, 0),
        };
        Ask::Manifest { root: self.want.root, object, from: 0, credit }
    }

    /// The most bytes it may have.
    pub(super) fn limit_bytes(&self) -> u64 {
        match &self.want.goods {
            Goods::Blob { limit_bytes, .. } => *limit_bytes,
            Goods::Bundle(manifest) => manifest.size_bytes(),
        }
    }

    /// A peer is gone.
    pub(super) fn forget(&mut self, peer: PublicKey) {
        self.said.remove(&peer);
        if matches!(&self.stage, Stage::Listing(list) if list.by == peer) {
            self.search();
        }
    }

    /// Looks whether any of `peers`, who are all that are connected, may have it; answers whether that is news.
    pub(super) fn look_around<'a>(&mut self, mut peers: impl Iterator<Item = &'a PublicKey>) -> bool {
        let is_needed = match self.stage {
            Stage::Searching => true,
            Stage::Fetching(_) => self.sources().next().is_none(),
            Stage::Listing(_) | Stage::Opening(_) | Stage::Assembling(_) => false,
        };
        let before = self.is_absent;
        self.is_absent = is_needed && peers.all(|peer| matches!(self.said.get(peer), Some(Said::Absent(_))));
        self.is_absent != before
    }

    pub(super) fn progress(&self) -> Progress {
        match &self.stage {
            _ if self.is_absent => Progress::Absent,
            Stage::Fetching(chunks) => chunks.progress(self.sources().count()),
            _ => Progress::Searching,
        }
    }

    /// Whether nothing came of it for too long, or nothing will: what everybody has is too large. What the
    /// store does takes as long as it takes.
    pub(super) fn is_hopeless(&self, now: Timestamp) -> bool {
        match self.stage {
            Stage::Opening(_) | Stage::Assembling(_) => false,
            Stage::Searching if self.too_large.is_some() => !self.said.values().any(|it| *it == Said::Asked),
            _ => now.since(self.moved) >= PATIENCE,
        }
    }

    /// Why it is given up when nothing comes of it.
    pub(super) fn why(&self) -> NotFetched {
        let limit_bytes = self.limit_bytes();
        let too_large = |size_bytes| NotFetched::TooLarge { size_bytes, limit_bytes };
        self.too_large.map_or(NotFetched::Nowhere, too_large)
    }
}
