//! Nodes that exchange blobs over lines of some width, from one seed.
//!
//! Owns the bed: it carries out what the cores ask for and looks at every step whether limits are kept.

mod laws;
mod listing;
mod order;
mod questions;
mod shelf;
mod stories;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use xyn_store::audit::key::NodeKey;

use super::*;
use crate::proto::dice;
use crate::wire;
use crate::wire::blobs::{Answer, Ask};
use shelf::Shelf;

/// How a node departs from the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Honest,
    /// Changes a byte of every chunk it sends.
    Liar,
    /// Says that it has a blob and never sends a chunk.
    Mute,
    /// Says that it has a blob and then that it has none of its chunks.
    Braggart,
}

struct Node {
    core: Blobs,
    shelf: Shelf,
    manner: Manner,
    /// What its line carries each second.
    bytes_per_second: u64,
    /// Until when its line is busy.
    busy: Timestamp,
    progress: BTreeMap<Digest, Progress>,
    /// Answers whose chunks it keeps, in this order.
    kept: Vec<AskId>,
    /// Bytes of answers that came.
    came_bytes: u64,
    /// Bytes of parcels it sent.
    sent_bytes: u64,
}

enum Event {
    Question { from: usize, to: usize, ask: AskId, bytes: Vec<u8> },
    Answer { from: usize, to: usize, ask: AskId, bytes: Option<Vec<u8>> },
    Tick,
}

struct Bed {
    nodes: Vec<Node>,
    loss_percent: u64,
    now: Timestamp,
    connected: BTreeSet<(usize, usize)>,
    /// Who dropped whom, and why.
    drops: Vec<(usize, usize, Misdeed)>,
    /// Questions being served: of whom, to whom, the asker's number.
    served: BTreeMap<u64, (usize, usize, AskId)>,
    events: BTreeMap<(Timestamp, u64), Event>,
    order: u64,
    random: u64,
}

const LATENCY: Duration = Duration::from_millis(5);
const MIB: u64 = 1 << 20;

fn public(node: usize) -> PublicKey {
    NodeKey::from_secret([node as u8 + 1; 32]).public()
}

/// Bytes that are different in every chunk.
fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 1024);
    for at in 0..length.div_ceil(1024) as u64 {
        bytes.extend_from_slice([(at ^ seed << 40).to_le_bytes(); 128].as_flattened());
    }
    bytes.truncate(length);
    bytes
}

impl Bed {
    fn new(count: usize, seed: u64) -> Self {
        let node = |_| Node {
            core: Blobs::default(),
            shelf: Shelf::default(),
            manner: Manner::Honest,
            bytes_per_second: 100 * MIB,
            busy: Timestamp::EPOCH,
            progress: BTreeMap::new(),
            kept: Vec::new(),
            came_bytes: 0,
            sent_bytes: 0,
        };
        let mut bed = Self {
            nodes: (0..count).map(node).collect(),
            loss_percent: 0,
            now: Timestamp::from_micros(1_700_000_000_000_000),
            connected: BTreeSet::new(),
            drops: Vec::new(),
            served: BTreeMap::new(),
            events: BTreeMap::new(),
            order: 0,
            random: seed,
        };
        bed.later(TICK, Event::Tick);
        bed
    }

    fn connect(&mut self, a: usize, b: usize) {
        let is_dropped =
            |(by, whom, _): &(usize, usize, Misdeed)| (*by, *whom) == (a, b) || (*by, *whom) == (b, a);
        if a != b && !self.drops.iter().any(is_dropped) && self.connected.insert((a.min(b), a.max(b))) {
            self.tell(a, Input::Connected(public(b)));
            self.tell(b, Input::Connected(public(a)));
        }
    }

    fn disconnect(&mut self, a: usize, b: usize) {
        if self.connected.remove(&(a.min(b), a.max(b))) {
            // What is under way on a connection is lost with it.
            self.events.retain(|_, event| match event {
                Event::Question { from, to, .. } | Event::Answer { from, to, .. } => {
                    (a.min(b), a.max(b)) != (*from.min(to), *from.max(to))
                }
                Event::Tick => true,
            });
            self.tell(a, Input::Disconnected(public(b)));
            self.tell(b, Input::Disconnected(public(a)));
        }
    }

    fn is_connected(&self, a: usize, b: usize) -> bool {
        self.connected.contains(&(a.min(b), a.max(b)))
    }

    /// `node` forgets what it has in mind; what is on its shelf stays.
    fn kill(&mut self, node: usize) {
        (0..self.nodes.len()).for_each(|other| self.disconnect(node, other));
        self.nodes[node].core = Blobs::default();
        self.nodes[node].progress.clear();
    }

    fn fetch(&mut self, node: usize, object: Digest) {
        self.tell(node, Input::Fetch(Want::named(object, 1 << 30)));
    }

    /// Runs until `node` is done with a blob, or for so long; answers how long that was.
    fn until_done(&mut self, node: usize, object: Digest, patience: Duration) -> Duration {
        let (begun, end) = (self.now, self.now.after(patience));
        let is_over = |bed: &Self| {
            matches!(bed.nodes[node].progress.get(&object), Some(Progress::Done(_) | Progress::Failed(_)))
        };
        while !is_over(self) && self.now < end {
            self.step(end);
        }
        self.now.since(begun)
    }

    fn run(&mut self, time: Duration) {
        let end = self.now.after(time);
        while self.now < end {
            self.step(end);
        }
    }

    fn step(&mut self, end: Timestamp) {
        let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= end) else {
            self.now = end;
            return;
        };
        self.now = entry.key().0;
        match entry.remove() {
            Event::Question { from, to, ask, bytes } if self.is_connected(from, to) => {
                self.order += 1;
                let id = self.order;
                self.served.insert(id, (to, from, ask));
                self.tell(to, Input::Asked { peer: public(from), id, bytes });
            }
            Event::Answer { from, to, ask, bytes } => {
                self.tell(from, Input::Served { peer: public(to) });
                if self.is_connected(from, to) {
                    self.nodes[to].came_bytes += bytes.as_ref().map_or(0, Vec::len) as u64;
                    self.tell(to, Input::Answered { ask, bytes });
                }
            }
            Event::Question { .. } => {}
            Event::Tick => {
                (0..self.nodes.len()).for_each(|node| self.tell(node, Input::Tick));
                self.later(TICK, Event::Tick);
            }
        }
    }

    /// Gives a node an input and does what it asks for, until it asks for nothing more.
    fn tell(&mut self, node: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.nodes[node].core.handle(input, self.now) {
                inputs.extend(self.perform(node, output));
            }
            self.assert_bounded(node);
        }
    }

    fn perform(&mut self, node: usize, output: Output) -> Option<Input> {
        let Node { shelf, kept: order, .. } = &mut self.nodes[node];
        match output {
            Output::Ask { peer, ask, message } => {
                self.put_question(node, number(peer), ask, &message);
                None
            }
            Output::Open(manifest) => {
                let result = shelf.open(&manifest);
                Some(Input::Opened { manifest, result })
            }
            Output::Gather(manifest) => {
                let result = shelf.gather(&manifest);
                Some(Input::Opened { manifest, result })
            }
            Output::Keep { object, ask, chunks, parcel } => {
                order.push(ask);
                let (kept, fault) = shelf.keep(&object, &chunks, &parcel);
                Some(Input::Kept { ask, kept, fault })
            }
            Output::Assemble(object) => Some(Input::Assembled { object, result: shelf.assemble(&object) }),
            Output::Close(object) => {
                shelf.close(&object);
                None
            }
            Output::Serve { peer, id, ask } => self.serve(node, number(peer), id, &ask),
            Output::Progress(object, progress) => {
                self.nodes[node].progress.insert(object, progress);
                None
            }
            Output::Drop { peer, reason } => {
                self.drops.push((node, number(peer), reason));
                self.disconnect(node, number(peer));
                None
            }
        }
    }

    fn put_question(&mut self, node: usize, to: usize, ask: AskId, message: &Ask) {
        let bytes = wire::encode(message);
        assert!(bytes.len() <= <Ask as wire::Message>::BYTES_MAX, "a question is too long to be read");
        self.later(LATENCY, Event::Question { from: node, to, ask, bytes });
    }

    /// Sends an answer behind all that this node sends already.
    fn serve(&mut self, node: usize, to: usize, id: u64, ask: &Ask) -> Option<Input> {
        let (_, _, number) = self.served.remove(&id).expect("each question is served once");
        let answer = self.nodes[node].shelf.answer(ask);
        let twisted = self.nodes[node].manner.twist(answer);
        let Some(answer) = twisted else {
            // Its line stays open, and nothing comes.
            return None;
        };
        let bytes = wire::encode(&answer);
        assert!(bytes.len() <= wire::MESSAGE_BYTES_MAX, "an answer is too long to be read");
        let lost = self.chance(self.loss_percent);
        let size = bytes.len() as u64;
        let state = &mut self.nodes[node];
        if matches!(answer, Answer::Chunks(_)) {
            state.sent_bytes += size;
        }
        let takes = Duration::from_micros(size * 1_000_000 / state.bytes_per_second);
        state.busy = state.busy.max(self.now).after(takes);
        let delay = state.busy.since(self.now) + LATENCY;
        self.later(delay, Event::Answer { from: node, to, ask: number, bytes: (!lost).then_some(bytes) });
        None
    }

    /// Fails when a node has asked for more, or answers more, than it may at a time.
    #[track_caller]
    fn assert_bounded(&self, node: usize) {
        let state = &self.nodes[node];
        assert!(state.core.asks.values().map(|asked| asked.bytes).sum::<u64>() <= IN_FLIGHT_MAX);
        for peer in state.core.peers.keys() {
            let open = || state.core.asks.values().filter(|asked| asked.peer == *peer && !asked.is_answered);
            let greetings = (OBJECTS_MAX as u64) * u64::from(GREETING_BYTES) + wire::MESSAGE_BYTES_MAX as u64;
            assert!(open().map(|asked| asked.bytes).sum::<u64>() <= WINDOW_MAX + greetings);
            assert!(open().count() <= ASKS_PER_PEER);
        }
        let serving = state.core.peers.values().map(|peer| peer.serving);
        assert!(serving.clone().sum::<usize>() <= ANSWERS_MAX);
        assert!(serving.max().unwrap_or_default() <= ANSWERS_PER_PEER);
        assert!(state.core.peers.values().all(|peer| peer.queue.len() <= ASKED_PER_PEER));
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.order += 1;
        self.events.insert((self.now.after(delay), self.order), event);
    }

    fn chance(&mut self, percent: u64) -> bool {
        dice::roll(&mut self.random) % 100 < percent
    }
}

fn number(peer: PublicKey) -> usize {
    (0..16).find(|node| public(*node) == peer).expect("everybody on the bed has a number")
}

impl Manner {
    /// What a node of this manner says instead.
    fn twist(self, answer: Answer) -> Option<Answer> {
        match (self, answer) {
            (Self::Liar, Answer::Chunks(parcel)) => {
                let mut bytes = parcel.to_vec();
                *bytes.last_mut()? ^= 1;
                Some(Answer::Chunks(wire::Payload::new(&bytes)?))
            }
            (Self::Mute, Answer::Chunks(_)) => None,
            (Self::Braggart, Answer::Chunks(_)) => Some(Answer::Chunks(wire::Payload::new(&[])?)),
            (_, answer) => Some(answer),
        }
    }
}
