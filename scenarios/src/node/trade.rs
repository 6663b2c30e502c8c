//! Content on its way: the exchange of blobs of a process, fed as the driver feeds it.
//!
//! Owns which question of which peer is which. A question and its answer share a stream in production, so nobody
//! answers what another was asked. Invariant: whatever is served is told to the core once, when the answer was
//! taken or is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xyn_net::proto::blobs::{AskId, Blobs, Input, Output, Progress};
use xyn_net::wire;
use xyn_net::wire::blobs::Answer;
use xyn_store::audit::signature::PublicKey;
use xyn_store::{Digest, Timestamp};

use super::chest::{Chest, Piece};
use super::{Effect, Errand, Fetched, Job, Process, Talk};

/// The exchange of blobs of one process.
#[derive(Default)]
pub(crate) struct Trade {
    pub(crate) core: Blobs,
    /// Whom each open question was put to.
    asks: BTreeMap<AskId, PublicKey>,
    /// Questions of peers, and their numbers of them.
    asked: BTreeMap<u64, (PublicKey, AskId)>,
    next_number: u64,
    /// What is being fetched.
    in_hand: BTreeSet<Digest>,
}

impl Process {
    /// Asks for what people here want and is not being fetched; answers what came to be here whole.
    pub(crate) fn look_for_content(&mut self, chest: &mut Chest, now: Timestamp) -> Vec<Piece> {
        let mut whole = Vec::new();
        for piece in chest.wanted().collect::<Vec<_>>() {
            match chest.next(piece) {
                None => {
                    chest.share(piece);
                    whole.push(piece);
                }
                Some(want) => {
                    if self.trade.in_hand.insert(want.name()) {
                        self.blobs(Input::Fetch(want), now);
                    }
                }
            }
        }
        whole
    }

    /// A second passed. Where nothing is fetched nothing can be late.
    pub(super) fn wait_for_content(&mut self, now: Timestamp) {
        if !self.trade.in_hand.is_empty() {
            self.blobs(Input::Tick, now);
        }
    }

    /// A peer asks something.
    pub(super) fn was_asked(&mut self, peer: PublicKey, number: AskId, bytes: &[u8], now: Timestamp) {
        let id = self.trade.next_number;
        self.trade.next_number += 1;
        self.trade.asked.insert(id, (peer, number));
        self.blobs(Input::Asked { peer, id, bytes: bytes.to_vec() }, now);
    }

    /// A peer answers; no bytes: the stream broke.
    pub(super) fn was_answered(&mut self, peer: PublicKey, ask: AskId, bytes: &[u8], now: Timestamp) {
        if self.trade.asks.get(&ask) == Some(&peer) {
            self.trade.asks.remove(&ask);
            let bytes = (!bytes.is_empty()).then(|| bytes.to_vec());
            self.blobs(Input::Answered { ask, bytes }, now);
        }
    }

    /// An answer to `peer` was taken, or is lost.
    pub(crate) fn served(&mut self, peer: PublicKey, now: Timestamp) {
        self.blobs(Input::Served { peer }, now);
    }

    /// A peer is gone, and with it all streams.
    pub(super) fn hang_up(&mut self, peer: PublicKey, now: Timestamp) {
        self.trade.asks.retain(|_, asked| *asked != peer);
        self.trade.asked.retain(|_, (asker, _)| *asker != peer);
        self.blobs(Input::Disconnected(peer), now);
    }

    /// An errand was run.
    pub(super) fn fetched(&mut self, fetched: Fetched, now: Timestamp) {
        match fetched {
            Fetched::Input(input) => self.blobs(input, now),
            Fetched::Answer { id, answer } => self.reply(id, &answer),
        }
    }

    fn reply(&mut self, id: u64, answer: &Answer) {
        // Whoever left does not wait any more, and the core knows.
        if let Some((peer, number)) = self.trade.asked.remove(&id) {
            let bytes = wire::encode(answer).into();
            self.effects.push(Effect::Send { peer, talk: Talk::Answer(number), bytes });
        }
    }

    pub(super) fn blobs(&mut self, input: Input, now: Timestamp) {
        for output in self.trade.core.handle(input, now) {
            let errand = match output {
                Output::Ask { peer, ask, message } => {
                    self.trade.asks.insert(ask, peer);
                    let bytes: Arc<[u8]> = wire::encode(&message).into();
                    self.effects.push(Effect::Send { peer, talk: Talk::Ask(ask), bytes });
                    continue;
                }
                Output::Open(manifest) => Errand::Open { manifest, is_bundle: false },
                Output::Gather(manifest) => Errand::Open { manifest, is_bundle: true },
                Output::Keep { object, ask, chunks, parcel } => Errand::Keep { object, ask, chunks, parcel },
                Output::Assemble(object) => Errand::Assemble(object),
                Output::Serve { id, ask, .. } => Errand::Serve { id, ask },
                Output::Close(object) => {
                    // At once, so that whoever opens it again meanwhile is not closed in its stead.
                    self.effects.push(Effect::Shut(object));
                    continue;
                }
                Output::Progress(object, Progress::Done(_) | Progress::Failed(_)) => {
                    self.trade.in_hand.remove(&object);
                    continue;
                }
                Output::Progress(..) => continue,
                Output::Drop { peer, reason } => {
                    self.drop_peer(peer, reason, now);
                    continue;
                }
            };
            self.work(Job::Content(errand));
        }
    }
}

/// Does for the exchange what the store does.
pub(crate) fn run(errand: Errand, chest: &mut Chest) -> Fetched {
    match errand {
        Errand::Open { manifest, is_bundle } => {
            let result = chest.open(Arc::clone(&manifest), is_bundle);
            Fetched::Input(Input::Opened { manifest, result })
        }
        Errand::Keep { object, ask, chunks, parcel } => {
            let (kept, fault) = chest.keep(&object, &chunks, &parcel);
            Fetched::Input(Input::Kept { ask, kept, fault })
        }
        Errand::Assemble(object) => {
            Fetched::Input(Input::Assembled { object, result: chest.assemble(&object) })
        }
        Errand::Serve { id, ask } => Fetched::Answer { id, answer: chest.answer(&ask) },
    }
}
