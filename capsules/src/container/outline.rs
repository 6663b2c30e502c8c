//! The outline of a tree: its directories and the targets of its links, without its files.
//!
//! Owns its bytes: each directory and target once, with its length, in the order in which a walk through the
//! tree needs them first. Invariant: one that is decoded is a sound tree within the limits, and holds nothing
//! that the tree does not need.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use xyn_store::Digest;
use xyn_store::blobs::BlobError;

use super::error::{ContainerError, Fault, Part};
use super::layout::Layout;
use crate::tree::{Limits, Listing, Shelf, TreeError, list};

const LENGTH_BYTES: usize = 4;

/// A tree without the bytes of its files.
#[derive(Debug)]
pub struct Outline {
    pub(super) root: Digest,
    pub(super) raw: Vec<u8>,
    pub(super) listing: Listing,
    pub(super) layout: Layout,
    /// Where each directory and each target stands in `raw`.
    places: HashMap<Digest, Range<usize>>,
}

impl Outline {
    /// The outline of the tree `root`, whose directories and targets are in `shelf`.
    pub(super) fn of(shelf: &dyn Shelf, root: Digest, limits: Limits) -> Result<Self, ContainerError> {
        let writing = Writing { shelf, written: RefCell::default() };
        list(&writing, &root, limits)?;
        Self::decode(root, writing.written.into_inner().raw, limits, 0)
    }

    /// Reads an outline that anyone may have made, which stands at byte `at`.
    pub(super) fn decode(
        root: Digest,
        raw: Vec<u8>,
        limits: Limits,
        at: u64,
    ) -> Result<Self, ContainerError> {
        let unsound = |fault| ContainerError::Unsound { part: Part::Tree, at, fault };
        let reading = Reading { raw: &raw, read: RefCell::default() };
        let listing = list(&reading, &root, limits).map_err(|error| match error {
            TreeError::Blob(BlobError::NotFound(digest)) => unsound(Fault::Blob(digest)),
            error => error.into(),
        })?;
        let (end, places) = reading.read.into_inner();
        if end < raw.len() {
            return Err(unsound(Fault::Unused((raw.len() - end) as u64)));
        }
        let layout = Layout::of(&listing)?;
        Ok(Self { root, raw, listing, layout, places })
    }

    /// The tree's digest.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Every entry.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The bytes of each directory and target.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &[u8]> {
        self.places.values().map(|place| &self.raw[place.clone()])
    }
}

impl Shelf for Outline {
    fn read(&self, digest: &Digest, _: u64) -> Result<Vec<u8>, TreeError> {
        let place = self.places.get(digest).ok_or(BlobError::NotFound(*digest))?;
        Ok(self.raw[place.clone()].to_vec())
    }
}

/// Writes down what is read for the first time.
struct Writing<'a> {
    shelf: &'a dyn Shelf,
    written: RefCell<Written>,
}

#[derive(Default)]
struct Written {
    raw: Vec<u8>,
    known: BTreeSet<Digest>,
}

impl Shelf for Writing<'_> {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        let bytes = self.shelf.read(digest, limit_bytes)?;
        let mut written = self.written.borrow_mut();
        if written.known.insert(*digest) {
            let length = u32::try_from(bytes.len()).expect("directories and targets are within small limits");
            written.raw.extend_from_slice(&length.to_le_bytes());
            written.raw.extend_from_slice(&bytes);
        }
        Ok(bytes)
    }
}

/// Finds what is needed for the first time right where it is needed.
struct Reading<'a> {
    raw: &'a [u8],
    /// How far it was read, and where what was read stands.
    read: RefCell<(usize, HashMap<Digest, Range<usize>>)>,
}

impl Reading<'_> {
    fn next(&self, at: usize) -> Option<Range<usize>> {
        let length = self.raw.get(at..)?.first_chunk::<LENGTH_BYTES>()?;
        let start = at + LENGTH_BYTES;
        let end = start.checked_add(u32::from_le_bytes(*length) as usize)?;
        (end <= self.raw.len()).then_some(start..end)
    }
}

impl Shelf for Reading<'_> {
    fn read(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, TreeError> {
        let (at, places) = &mut *self.read.borrow_mut();
        let place = match places.get(digest) {
            Some(place) => place.clone(),
            None => {
                let place = self.next(*at).filter(|place| Digest::of(&self.raw[place.clone()]) == *digest);
                let place = place.ok_or(BlobError::NotFound(*digest))?;
                *at = place.end;
                places.insert(*digest, place.clone());
                place
            }
        };
        if place.len() as u64 > limit_bytes {
            return Err(BlobError::TooLarge { limit_bytes }.into());
        }
        Ok(self.raw[place].to_vec())
    }
}
