//! What comes of the questions: pages, chunks, and blobs that are whole.
//!
//! Owns what an answer means. Verifies no chunk. Invariant: whoever sent what is false is dropped, whether
//! that shows at once or when the blob is put together.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use xyn_store::audit::signature::PublicKey;
use xyn_store::blobs::Manifest;
use xyn_store::{Digest, Timestamp};

use super::ask::{Asked, What};
use super::chunks::Chunks;
use super::fetch::{Fetch, Said, Stage};
use super::{
    ASK_AGAIN_AFTER, AskId, Blobs, MANIFEST_BYTES_MAX, NotFetched, NotKept, OVERTAKING_MAX, Output, Parcel,
    Progress,
};
use crate::proto::conduct::Misdeed;
use crate::wire::blobs::{Answer, PAGE_BYTES_MAX};

/// Chunks that came and wait to be kept.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    object: Digest,
    chunks: Vec<Digest>,
    parcel: Parcel,
}

impl Blobs {
    /// Has the driver keep what arrived, of each blob one answer at a time and in the order in which they were asked
    /// for: what is hashed for the blob as it is verified need not be held or read again.
    pub(super) fn keep(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        // Blobs may have been given up meanwhile.
        self.arrived.retain(|ask, _| self.asks.contains_key(ask));
        let objects: BTreeSet<Digest> = self.arrived.values().map(|it| it.object).collect();
        for object in objects {
            if self.keeping.values().any(|kept| *kept == object) {
                continue;
            }
            let mut of_blob = self.arrived.iter().filter(|(_, it)| it.object == object).map(|(ask, _)| *ask);
            let Some(ask) = of_blob.next() else { continue };
            let is_first = of_blob.count() >= OVERTAKING_MAX || !self.is_overtaking(ask, object, now);
            if is_first && let Some(Arrived { object, chunks, parcel }) = self.arrived.remove(&ask) {
                self.keeping.insert(ask, object);
                out.push(Output::Keep { object, ask, chunks, parcel });
            }
        }
    }

    /// Whether chunks of `object` were asked for before `ask`, and so lately that nobody else is asked for them yet.
    fn is_overtaking(&self, ask: AskId, object: Digest, now: Timestamp) -> bool {
        let Some(fetch) = self.fetches.iter().find(|fetch| fetch.object == object) else {
            return false;
        };
        // Whoever is the first to ask somebody else, as [`Self::pick`] does.
        let sources = self.peers.iter().filter(|(peer, _)| fetch.is_source(**peer));
        let patience = sources.map(|(_, state)| state.hedge_after()).min().unwrap_or_default();
        self.asks.range(..ask).any(|(_, asked)| {
            let is_awaited = asked.object == object && !asked.is_answered;
            is_awaited && matches!(asked.what, What::Chunks(_)) && now < asked.at.after(patience)
        })
    }

    pub(super) fn answered(
        &mut self,
        ask: AskId,
        bytes: Option<Vec<u8>>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        // What comes late was given up.
        let Some(asked) = self.asks.remove(&ask) else {
            return;
        };
        let peer = asked.peer;
        let Some(bytes) = bytes else {
            self.release(&asked);
            return self.unanswered(&asked, now);
        };
        if let Some(state) = self.peers.get_mut(&peer) {
            state.delivered(bytes.len() as u64, now.since(asked.at));
        }
        match (Answer::read(bytes), &asked.what) {
            (_, What::Nothing) => {}
            (Ok(Answer::Chunks(parcel)), What::Chunks(which)) if !parcel.is_empty() => {
                let Some(Fetch { object, stage: Stage::Fetching(chunks), .. }) = self.fetch(asked.object)
                else {
                    return;
                };
                let (object, chunks) = (*object, chunks.digests(which));
                self.asks.insert(ask, Asked { is_answered: true, ..asked });
                self.arrived.insert(ask, Arrived { object, chunks, parcel });
            }
            (Ok(Answer::Manifest { name, length, page }), What::Manifest(from)) => {
                self.page(peer, asked.object, *from, (name, length, &page), now, out);
            }
            (Ok(Answer::Absent), What::Manifest(0)) => self.unanswered(&asked, now),
            (Ok(Answer::Absent | Answer::Chunks(_)), _) => self.disappointed(&asked, now, out),
            (Ok(Answer::Manifest { .. }), _) => {
                self.release(&asked);
                self.blame(peer, Misdeed::Unasked, now, out);
            }
            (Err(invalid), _) => {
                self.release(&asked);
                self.unanswered(&asked, now);
                self.blame(peer, invalid.into(), now, out);
            }
        }
    }

    /// Nothing came of a question; a peer that was asked whether it has a blob is asked again later.
    pub(super) fn unanswered(&mut self, asked: &Asked, now: Timestamp) {
        if let (What::Manifest(_), Some(fetch)) = (&asked.what, self.fetch(asked.object)) {
            fetch.said.insert(asked.peer, Said::Absent(now.after(ASK_AGAIN_AFTER)));
        }
    }

    /// A peer does not have what it said it has.
    fn disappointed(&mut self, asked: &Asked, now: Timestamp, out: &mut Vec<Output>) {
        self.release(asked);
        if let Some(fetch) = self.fetch(asked.object) {
            fetch.said.insert(asked.peer, Said::Absent(now.after(ASK_AGAIN_AFTER)));
        }
        self.blame(asked.peer, Misdeed::Empty, now, out);
    }

    /// A part of a manifest came, and with it the word that its sender has the blob.
    fn page(
        &mut self,
        peer: PublicKey,
        object: Digest,
        from: u32,
        (name, length, page): (Digest, u32, &[u8]),
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(fetch) = self.fetch(object) else {
            return;
        };
        // Who has it by a manifest that is of no use is as one who has it not.
        let is_of_use = !fetch.is_refused(name) && length <= MANIFEST_BYTES_MAX;
        let absent = Said::Absent(now.after(ASK_AGAIN_AFTER));
        fetch.said.insert(peer, if is_of_use { Said::Has(name) } else { absent });
        if !is_of_use {
            if matches!(&fetch.stage, Stage::Listing(list) if list.by == peer) {
                fetch.search();
            }
            return;
        }
        if matches!(fetch.stage, Stage::Searching) {
            out.extend(fetch.list(peer, name));
        }
        let Stage::Listing(list) = &mut fetch.stage else {
            return;
        };
        if list.by != peer || list.bytes.len() != from as usize {
            return;
        }
        list.bytes.extend_from_slice(page);
        if list.name != name {
            // It cut the blob anew meanwhile.
            return fetch.search();
        }
        match list.bytes.len().cmp(&(length as usize)) {
            // A shorter one, but for the greeting, is who wants to be waited for.
            Ordering::Less if page.len() == PAGE_BYTES_MAX => fetch.moved(now),
            Ordering::Less if !page.is_empty() => {}
            Ordering::Equal => self.listed(object, now, out),
            Ordering::Less | Ordering::Greater => {
                fetch.search();
                self.blame(peer, Misdeed::FalseManifest, now, out);
            }
        }
    }

    /// A manifest is here.
    fn listed(&mut self, object: Digest, now: Timestamp, out: &mut Vec<Output>) {
        let Some(fetch) = self.fetch(object) else {
            return;
        };
        let Stage::Listing(list) = mem::replace(&mut fetch.stage, Stage::Searching) else {
            return;
        };
        if Digest::of(&list.bytes) != list.name {
            fetch.search();
            return self.blame(list.by, Misdeed::FalseManifest, now, out);
        }
        match Manifest::decode(&list.bytes) {
            Ok(manifest) if manifest.object() != object => self.disprove(object, now, out),
            Ok(manifest) if manifest.size_bytes() > fetch.limit_bytes() => {
                fetch.refuse(Some(manifest.size_bytes()));
            }
            Ok(manifest) => {
                let manifest = Arc::new(manifest);
                fetch.moved(now);
                fetch.stage = Stage::Opening(Arc::clone(&manifest));
                out.push(Output::Open(manifest));
            }
            Err(_) => self.disprove(object, now, out),
        }
    }

    /// The manifest by which a blob was fetched is not that of the blob: whoever says so lies.
    fn disprove(&mut self, object: Digest, now: Timestamp, out: &mut Vec<Output>) {
        let Some(fetch) = self.fetch(object) else {
            return;
        };
        let liars: Vec<_> = fetch.name.into_iter().flat_map(|name| fetch.holders(name)).collect();
        fetch.refuse(None);
        liars.into_iter().for_each(|peer| self.blame(peer, Misdeed::FalseManifest, now, out));
    }

    pub(super) fn opened(
        &mut self,
        manifest: &Arc<Manifest>,
        result: Result<Vec<Digest>, NotKept>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let object = manifest.object();
        let Some(fetch) = self.fetch(object) else {
            // It was given up before it was open.
            return out.push(Output::Close(object));
        };
        // It may have been given up and wanted again meanwhile, by another one.
        if !matches!(&fetch.stage, Stage::Opening(opening) if Arc::ptr_eq(opening, manifest)) {
            return;
        }
        match result {
            Ok(missing) => {
                fetch.stage = Stage::Fetching(Chunks::new(manifest, missing));
                fetch.moved(now);
                out.push(Output::Progress(object, fetch.progress()));
                self.assemble(object, out);
            }
            Err(reason) => self.fail(object, reason.into(), out),
        }
    }

    pub(super) fn kept(
        &mut self,
        ask: AskId,
        kept: &[Digest],
        fault: Option<NotKept>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        self.keeping.remove(&ask);
        // The blob may have been given up meanwhile.
        let Some(asked) = self.asks.remove(&ask) else {
            return;
        };
        let object = asked.object;
        let (Some(fetch), What::Chunks(which)) = (self.fetch(object), &asked.what) else {
            return;
        };
        let Stage::Fetching(chunks) = &mut fetch.stage else {
            return;
        };
        chunks.keep(which, kept);
        let is_short = kept.len() < which.len();
        if !kept.is_empty() {
            fetch.moved(now);
            let progress = fetch.progress();
            out.push(Output::Progress(object, progress));
        }
        match fault {
            None if is_short => self.disappointed(&asked, now, out),
            None => self.release(&asked),
            Some(NotKept::False) => {
                self.release(&asked);
                self.blame(asked.peer, Misdeed::FalseChunk, now, out);
            }
            Some(reason) => return self.fail(object, reason.into(), out),
        }
        self.assemble(object, out);
    }

    /// Puts a blob together when all its chunks are here.
    fn assemble(&mut self, object: Digest, out: &mut Vec<Output>) {
        let Some(fetch) = self.fetch(object) else {
            return;
        };
        if let Stage::Fetching(chunks) = &fetch.stage
            && chunks.is_complete()
        {
            fetch.stage = Stage::Assembling(chunks.size_bytes());
            // Chunks that others were asked for as well are not needed any more.
            self.give_up(object, |what| matches!(what, What::Chunks(_)));
            out.push(Output::Assemble(object));
        }
    }

    pub(super) fn assembled(
        &mut self,
        object: Digest,
        result: Result<(), NotKept>,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        let Some(Fetch { stage: Stage::Assembling(size_bytes), .. }) = self.fetch(object) else {
            return;
        };
        let size_bytes = *size_bytes;
        match result {
            Ok(()) => {
                self.end(object);
                out.push(Output::Progress(object, Progress::Done(size_bytes)));
            }
            Err(NotKept::False) => self.disprove(object, now, out),
            Err(reason) => self.fail(object, NotFetched::NotKept(reason), out),
        }
    }
}
