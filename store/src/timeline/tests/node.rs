//! A node for tests: a store, a timeline over it, and what its roster says.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::{env, moment};
use crate::clock::Timestamp;
use crate::database::Opener;
use crate::digest::Digest;
use crate::ids;
use crate::journal::{Append, AppendError, Receipt};
use crate::projection::Changes;
use crate::reader::Order;
use crate::tables::Table;
use crate::timeline::EntryFilter;
use crate::timeline::admit::{Admission, Refusal, Verdict};
use crate::timeline::board::{Board, Edit};
use crate::timeline::entry::tests::note;
use crate::timeline::feed::FeedId;
use crate::timeline::recut::{Recut, Step};
use crate::timeline::{Bytes, Saying, Timeline};
use crate::trust::Cut;
use crate::{Options, Store, StoreError, rebuild};

pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) timeline: Timeline,
    pub(crate) cuts: BTreeMap<FeedId, Cut>,
    pub(crate) now: Timestamp,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(|| {
            let backend = redb::backends::InMemoryBackend::new();
            redb::Builder::new()
                .create_with_backend(backend)
                .map_err(|error| StoreError::Damaged(error.to_string()))
        }))
    }

    /// A new one whose database is what `opener` opens.
    pub(crate) fn on(opener: Opener) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a temporary folder can be made"), opener)
    }

    /// The one to which `folder` belongs.
    pub(crate) fn in_folder(folder: tempfile::TempDir, opener: Opener) -> Self {
        let options = Options { opener: Some(opener), ..Options::default() };
        let store = Store::open(folder.path(), options).expect("opens");
        let own = FeedId { node: store.key().public(), incarnation: store.incarnation().id };
        let timeline = Timeline::open(&store.read().expect("reads"), env(), own).expect("opens");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Self { store, timeline, cuts: BTreeMap::new(), now: moment(1000).at, runtime, folder }
    }

    /// Stops it. Answers its folder.
    pub(crate) fn shut_down(self) -> tempfile::TempDir {
        self.store.close();
        self.folder
    }

    pub(crate) fn commit(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        self.try_commit(changes).expect("commits");
    }

    fn try_commit(&self, changes: Changes) -> Result<Receipt, AppendError> {
        let journal = self.store.journal().expect("open");
        self.runtime.block_on(journal.append(Append { changes, ..Append::default() }))
    }

    pub(crate) fn admit(&mut self, frames: &[Vec<u8>]) -> Vec<Verdict> {
        self.admission(frames).verdicts
    }

    pub(crate) fn admission(&mut self, frames: &[Vec<u8>]) -> Admission {
        let reader = self.store.read().expect("reads");
        let cuts = |feed: &FeedId| self.cuts.get(feed).copied().unwrap_or(Cut::Nowhere);
        let admission = self.timeline.admit(&reader, frames, self.now, cuts).expect("admits");
        drop(reader);
        self.commit(admission.changes.clone());
        admission
    }

    /// Writes entries to its own feed. Answers the frames.
    pub(crate) fn say(&mut self, titles: &[&str]) -> Vec<Vec<u8>> {
        let entry = |title: &&str| {
            let entry_id = ids::derived(self.now, &[title.as_bytes()]);
            Saying::Entry(entry_id, Box::new(note(title)))
        };
        let sayings = titles.iter().map(entry).collect();
        let written = self.timeline.say(self.store.key(), self.now, sayings).expect("fits");
        self.commit(written.changes);
        written.frames
    }

    pub(crate) fn edit(&mut self, board: &Board, edits: &[Edit]) -> Vec<Vec<u8>> {
        let reader = self.store.read().expect("reads");
        let written = self.timeline.edit(&reader, self.store.key(), self.now, board, edits).expect("fits");
        drop(reader);
        self.commit(written.changes);
        written.frames
    }

    pub(crate) fn recut(&mut self, cuts: &BTreeMap<FeedId, Cut>) {
        while !self.recut_by(cuts, Step { records: u64::MAX, boards: usize::MAX }) {}
    }

    /// One `step` towards `cuts`. Answers whether it was the last.
    pub(crate) fn recut_by(&mut self, cuts: &BTreeMap<FeedId, Cut>, step: Step) -> bool {
        self.cuts.clone_from(cuts);
        let reader = self.store.read().expect("reads");
        let cuts = |feed: &FeedId| self.cuts.get(feed).copied().unwrap_or(Cut::Nowhere);
        let step = self.timeline.recut(&reader, cuts, step).expect("recuts");
        drop(reader);
        self.commit(step.changes);
        step.is_done
    }

    /// Steps like `step` until it is done or the disk is gone. Answers whether it is done.
    pub(crate) fn try_recut_by(&mut self, cuts: &BTreeMap<FeedId, Cut>, step: Step) -> bool {
        let cuts = |feed: &FeedId| cuts.get(feed).copied().unwrap_or(Cut::Nowhere);
        loop {
            let step = self.store.read().and_then(|reader| self.timeline.recut(&reader, cuts, step));
            let Ok(Recut { changes, is_done }) = step else { return false };
            if !changes.is_empty() && self.try_commit(changes).is_err() {
                return false;
            }
            if is_done {
                return true;
            }
        }
    }

    pub(crate) fn reopen(&mut self) {
        let reader = self.store.read().expect("reads");
        self.timeline = Timeline::open(&reader, env(), self.timeline.own()).expect("opens");
    }

    pub(crate) fn digest(&self) -> Digest {
        self.store.read().expect("reads").timeline_digest().expect("reads")
    }

    /// Every derived row.
    pub(crate) fn rows(&self) -> BTreeMap<(&'static str, Vec<u8>), Bytes> {
        let reader = self.store.read().expect("reads");
        let mut rows = BTreeMap::new();
        for table in Table::TIMELINE_DERIVED {
            let visit = |key: &[u8], value: &[u8]| {
                rows.insert((table.name(), key.to_vec()), Bytes(value.to_vec()));
                Ok(true)
            };
            reader.scan(table, &[], None, Order::Ascending, visit).expect("reads");
        }
        rows
    }

    /// As it was before anything came.
    pub(crate) fn empty(&mut self) {
        let engine = self.store.engine().expect("open");
        let truth = [Table::TimelineRecords, Table::TimelineSignatures, Table::TimelineForks];
        rebuild::clear(&engine, &[truth.as_slice(), &Table::TIMELINE_DERIVED].concat()).expect("clears");
        rebuild::unmark(&engine).expect("unmarks");
        self.cuts.clear();
        self.reopen();
    }

    pub(crate) fn rebuild(&self) {
        let cuts = |feed: &FeedId| self.cuts.get(feed).copied().unwrap_or(Cut::Nowhere);
        self.store.rebuild_timeline(env(), |_| Ok(cuts)).expect("rebuilds");
        let engine = self.store.engine().expect("open");
        rebuild::unmark(&engine).expect("unmarks");
    }
}

pub(crate) fn titles(node: &Node, filter: &EntryFilter, order: Order, limit: usize) -> Vec<String> {
    let reader = node.store.read().expect("reads");
    let (mut titles, mut cursor) = (Vec::new(), None);
    loop {
        let page = reader.entries(filter, order, cursor.as_ref(), limit).expect("reads");
        titles.extend(page.items.into_iter().map(|entry| entry.note.title));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return titles,
        }
    }
}

pub(crate) fn all(node: &Node) -> Vec<String> {
    titles(node, &EntryFilter::default(), Order::Ascending, 50)
}

pub(crate) fn admitted(verdict: &Verdict) -> (u64, u64) {
    match verdict {
        Verdict::Admitted { first, last, .. } => (*first, *last),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn refusal(verdicts: Vec<Verdict>) -> Refusal {
    match verdicts.as_slice() {
        [Verdict::Refused(refusal)] => refusal.clone(),
        other => panic!("{other:?}"),
    }
}
