//! A newcomer fetches a long feed by the real path: two cores, what a node answers of what it keeps, and the timeline
//! that judges it.

use xyn_store::simulation::{Base, Memory};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::timeline::frame::PACK_RECORDS;
use xyn_store::timeline::{Saying, Timeline};
use xyn_store::trust::Cut;
use xyn_store::{Digest, ids};

use super::*;
use crate::records;
use crate::wire::Frame;

const RECORDS: u64 = 3 * PACK_RECORDS + 7;

struct Member {
    sync: Sync,
    base: Memory,
    timeline: Timeline,
    /// The ranges of the frames that came.
    came: Vec<(u64, u64)>,
    /// What comes is spoilt before it is looked at.
    spoils: bool,
}

impl Member {
    fn new(number: usize) -> Self {
        let base = Memory::new();
        let env = root().public();
        let timeline = Timeline::open(&base.read().expect("reads"), env, feed(number)).expect("opens");
        let sync = Sync::new(public(number), roster(&[]), BTreeMap::new());
        Self { sync, base, timeline, came: Vec::new(), spoils: false }
    }

    /// Writes as a run does, a few at a time, so that they are signed a few at a time.
    fn write(&mut self, number: usize, count: u64, now: Timestamp) {
        for at in 0..count {
            let refs = Refs {
                run: Some(ids::derived(now, &[&at.to_le_bytes()])),
                before: Some(Digest::of(&at.to_le_bytes())),
                after: Some(Digest::of(&at.to_be_bytes())),
                ..Refs::default()
            };
            let title = format!("Run {at} of the landing page completed");
            let principal = Principal::new("ana@laptop");
            let note = Note { principal, branch: Branch::main(), kind: Kind::Run, title, refs };
            let saying =
                Saying::Entry(ids::derived(now, &[b"entry".as_slice(), &at.to_le_bytes()]), Box::new(note));
            let written = self.timeline.say(&KEYS[number], now, vec![saying]).expect("it fits");
            self.base.commit(written.changes).expect("there is room");
        }
        let known = self.known(feed(number));
        self.sync.handle(Input::Grew { feed: feed(number), known }, now);
    }

    fn known(&self, feed: FeedId) -> Known {
        records::known(&self.base.read().expect("reads"), feed).expect("reads")
    }

    fn admit(&mut self, feed: FeedId, frames: &[Frame], now: Timestamp) -> Result<Known, Refused> {
        let reader = self.base.read().expect("reads");
        let mut bytes: Vec<Vec<u8>> = frames.iter().map(|frame| frame.bytes.to_vec()).collect();
        self.came.extend(frames.iter().map(|frame| (frame.from, frame.to)));
        if self.spoils
            && let Some(last) = bytes.last_mut().and_then(|frame| frame.last_mut())
        {
            *last ^= 1;
        }
        let admission = self.timeline.admit(&reader, &bytes, now, |_| Cut::Nowhere).expect("judges");
        drop(reader);
        self.base.commit(admission.changes).expect("there is room");
        records::answer(feed, frames[0].from, &admission.verdicts)?;
        Ok(self.known(feed))
    }
}

/// Lets two members meet until neither says anything more. Answers who dropped whom for what.
fn meet(members: &mut [Member; 2], now: Timestamp) -> Vec<(usize, Misdeed)> {
    let mut dropped = Vec::new();
    let mut inputs: VecDeque<(usize, Input)> =
        [0, 1].map(|number| (number, Input::Connected(public(1 - number)))).into();
    while let Some((number, input)) = inputs.pop_front() {
        for output in members[number].sync.handle(input, now) {
            let member = &mut members[number];
            match output {
                Output::Send { message, .. } => {
                    let bytes = wire::encode(&message);
                    assert!(bytes.len() <= wire::MESSAGE_BYTES_MAX);
                    inputs.push_back((1 - number, Input::Received { peer: public(number), bytes }));
                }
                Output::Read { peer, feed, after, to, credit } => {
                    let reader = member.base.read().expect("reads");
                    let frames = records::frames(&reader, root().public(), &feed, after, to, credit as usize);
                    let frames = frames.expect("reads");
                    inputs.push_back((number, Input::Read { peer, feed, after, frames }));
                }
                Output::Admit { peer, feed, frames } => {
                    let result = member.admit(feed, &frames, now);
                    inputs.push_back((number, Input::Admitted { peer, feed, result }));
                }
                Output::Drop { reason, .. } => {
                    dropped.push((number, reason));
                    return dropped;
                }
                Output::ReadProof { .. } | Output::AdmitProof { .. } => panic!("nobody forked"),
            }
        }
    }
    dropped
}

fn author_and_newcomer() -> ([Member; 2], Timestamp) {
    let now = Timestamp::from_micros(1_700_000_000_000_000);
    let mut members = [Member::new(0), Member::new(1)];
    members[0].write(0, RECORDS, now);
    (members, now)
}

#[test]
fn a_newcomer_verifies_one_signature_for_each_range_of_a_feed_and_has_what_its_author_has() {
    let (mut members, now) = author_and_newcomer();
    assert_eq!(meet(&mut members, now), []);
    let [author, newcomer] = members;
    let ranges = [(1, 1024), (1025, 2048), (2049, 3072), (3073, RECORDS)];
    assert_eq!(newcomer.came, ranges, "signed one by one, and sent as whole ranges");
    let digest = |member: &Member| member.base.read().expect("reads").timeline_digest().expect("reads");
    assert_eq!(digest(&newcomer), digest(&author));
    assert_eq!(newcomer.known(feed(0)), author.known(feed(0)));
}

#[test]
fn a_range_that_was_spoilt_is_no_part_of_the_feed_and_whoever_sent_it_lied() {
    let (mut members, now) = author_and_newcomer();
    members[1].spoils = true;
    assert_eq!(meet(&mut members, now), [(1, Misdeed::Lie)]);
    assert_eq!(members[1].known(feed(0)), Known::default());
}
