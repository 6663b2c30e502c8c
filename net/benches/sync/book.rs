//! A node with a folder: the real store and timeline behind the driver.
//!
//! Owns one writer at a time, as a node has. Invariant: what is answered to the driver is durable.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, watch};
use xyn_net::driver::{Event, Port};
use xyn_net::proto::join::door;
use xyn_net::proto::sync::{Proof, Refused};
use xyn_net::records;
use xyn_net::wire::runs::{Question, Withheld};
use xyn_net::wire::{self, Growth, Known, News, Payload, Redeem};
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::blobs::Blobs;
use xyn_store::journal::Append;
use xyn_store::projection::Changes;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::Frame;
use xyn_store::timeline::{FeedRow, Saying, Timeline};
use xyn_store::trust::{Cut, EnvId, Head, NotRedeemed};
use xyn_store::{Clock, Digest, Options, Reader, Store, Timestamp};

/// A node's records, and what happened to it.
pub(crate) struct Book {
    store: Store,
    env: EnvId,
    clock: Clock,
    timeline: Mutex<Timeline>,
    /// How many records are here, durably.
    count: watch::Sender<u64>,
    events: mpsc::Sender<Event>,
}

impl Book {
    pub(crate) fn open(folder: &Path, env: EnvId, events: mpsc::Sender<Event>) -> Arc<Self> {
        let store = Store::open(folder, Options::default()).expect("opens");
        let own = FeedId { node: store.key().public(), incarnation: store.incarnation().id };
        let timeline = Timeline::open(&store.read().expect("reads"), env.root(), own).expect("opens");
        let count = watch::Sender::new(timeline.feeds().map(|row| row.head.seq).sum());
        Arc::new(Self { store, env, clock: Clock::system(), timeline: Mutex::new(timeline), count, events })
    }

    pub(crate) fn blobs(&self) -> Blobs {
        self.store.blobs().clone()
    }

    pub(crate) fn key(&self) -> &NodeKey {
        self.store.key()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    pub(crate) fn count(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    pub(crate) fn digest(&self) -> Digest {
        self.reader().timeline_digest().expect("reads")
    }

    pub(crate) async fn known(&self) -> Vec<(FeedId, Known)> {
        self.timeline.lock().await.feeds().map(|row| (row.feed, known(row))).collect()
    }

    pub(crate) fn close(&self) {
        self.store.close();
    }

    /// Writes entries, each signed as it would be if it came alone, in one commit.
    pub(crate) async fn write(&self, now: Timestamp, sayings: Vec<Saying>) -> (Vec<News>, Known) {
        let mut timeline = self.timeline.lock().await;
        let (mut changes, mut frames) = (Changes::default(), Vec::new());
        for saying in sayings {
            let written = timeline.say(self.key(), now, vec![saying]).expect("fits");
            changes.extend(written.changes);
            frames.extend(written.frames);
        }
        self.commit(&timeline, changes).await;
        let feed = timeline.own();
        let frames = frames.iter().map(|bytes| News { feed, frame: self.on_the_wire(bytes) }).collect();
        (frames, known(timeline.feed(&feed).expect("it was just written")))
    }

    async fn commit(&self, timeline: &Timeline, changes: Changes) {
        let append = Append { changes, ..Append::default() };
        self.store.journal().expect("open").append(append).await.expect("commits");
        self.count.send_replace(timeline.feeds().map(|row| row.head.seq).sum());
    }

    fn reader(&self) -> Reader {
        self.store.read().expect("reads")
    }

    fn on_the_wire(&self, bytes: &[u8]) -> wire::Frame {
        let frame = Frame::open(&self.env.root(), bytes).expect("own bytes");
        let (from, to) = (frame.place.seq, frame.last().seq);
        wire::Frame { from, to, bytes: Payload::new(bytes).expect("a frame fits a message") }
    }
}

fn known(row: &FeedRow) -> Known {
    let head = (row.head.seq > 0).then_some(Head { seq: row.head.seq, hash: row.head.hash });
    Known { head, fork: row.fork }
}

/// The book, as the driver asks it.
pub(crate) struct Shelf(pub(crate) Arc<Book>);

impl Port for Shelf {
    async fn read(&self, feed: FeedId, after: u64, to: u64, credit: u32) -> Vec<wire::Frame> {
        let Self(book) = self;
        let env = book.env.root();
        records::frames(&book.reader(), env, &feed, after, to, credit as usize).expect("reads")
    }

    async fn read_proof(&self, _: FeedId) -> Option<Proof> {
        None
    }

    async fn admit(&self, _: PublicKey, feed: FeedId, frames: Vec<wire::Frame>) -> Result<Known, Refused> {
        let Self(book) = self;
        let mut timeline = book.timeline.lock().await;
        let bytes: Vec<&[u8]> = frames.iter().map(|frame| &*frame.bytes).collect();
        let reader = book.reader();
        let now = book.clock.now();
        let admission = timeline.admit(&reader, &bytes, now, |_| Cut::Nowhere).expect("reads");
        drop(reader);
        let good = |verdict: &Verdict| !matches!(verdict, Verdict::Refused(_) | Verdict::Forked { .. });
        assert!(admission.verdicts.iter().all(good), "honest nodes send nothing false");
        book.commit(&timeline, admission.changes).await;
        Ok(timeline.feed(&feed).map(known).unwrap_or_default())
    }

    async fn admit_proof(&self, _: PublicKey, _: FeedId, _: Proof) -> Result<Known, Refused> {
        Err(Refused::Busy)
    }

    async fn redeem(&self, _: PublicKey, _: Redeem) -> door::Decision {
        Err(NotRedeemed::Unknown)
    }

    async fn prove(&self, _: Growth) -> Option<Vec<Digest>> {
        None
    }

    async fn vouch(&self, _: SignedCheckpoint) -> Option<Signature> {
        None
    }

    async fn tell_run(&self, _: PublicKey, _: Question) -> Result<Vec<u8>, Withheld> {
        Err(Withheld::Unknown)
    }

    fn notice(&self, event: Event) {
        self.0.events.try_send(event).expect("a bench is told of fewer events than this");
    }
}
