//! Every message survives its bytes, and every fault has its name.

use proptest::collection::vec;
use proptest::prelude::*;
use xyn_store::Timestamp;
use xyn_store::audit::checkpoint::Checkpoint;
use xyn_store::audit::key::NodeKey;

use super::*;

fn key() -> NodeKey {
    NodeKey::from_secret([1; 32])
}

fn feed() -> FeedId {
    FeedId { node: key().public(), incarnation: 300 }
}

fn frame() -> Frame {
    Frame { from: 1, to: 300, bytes: Payload::new(b"records").expect("short") }
}

fn syncs() -> Vec<Sync> {
    let head = Some(Head { seq: 300, hash: Digest::of(b"x") });
    let known = [(feed(), Known { head, fork: Some(301) }), (feed(), Known::default())];
    vec![
        Sync::Summary(Summary([[7; 16]; BUCKETS])),
        Sync::Have { feeds: Bounded::new(known.to_vec()).expect("two"), ask: 0x8001 },
        Sync::Want { feed: feed(), after: 300, credit: 1 << 18 },
        Sync::Frames { feed: feed(), after: 0, frames: Bounded::new(vec![frame(), frame()]).expect("two") },
        Sync::WantProof { feed: feed() },
        Sync::Proof { feed: feed(), proof: Payload::new(&[0; 300]).expect("short") },
    ]
}

fn joins() -> Vec<Join> {
    let env = EnvId::rooted_in(key().public());
    let redeem = Redeem {
        env,
        ticket: TicketId([3; 8]),
        secret: TicketSecret::from_bytes([4; 16]),
        consent: Signature::from_bytes([5; 64]),
    };
    let place = Place { feed: feed(), record: Head { seq: 1, hash: Digest::of(b"y") } };
    let statement = || Payload::new(b"statement").expect("short");
    let statements = Bounded::new(vec![(statement(), Some(place)), (statement(), None)]).expect("two");
    vec![Join::Redeem(redeem), Join::Welcome { statements }, Join::Refused(NotRedeemed::Expired)]
}

fn witnesses() -> Vec<Witness> {
    let (at, root) = (Timestamp::EPOCH, Digest::of(b"root"));
    let checkpoint = Checkpoint { node: key().public(), incarnation: 1, size: 300, root, at }.sign(&key());
    let growth = Growth { log: feed(), from: 3, to: 300 };
    let hashes = Bounded::new(vec![root; 3]).expect("three");
    vec![
        Witness::Offer(checkpoint),
        Witness::Prove(growth),
        Witness::Proof { growth, hashes },
        Witness::Witnessed { size: 7, at: Timestamp::EPOCH, signature: Signature::from_bytes([6; 64]) },
    ]
}

fn news() -> News {
    News { feed: feed(), frame: frame() }
}

/// The bytes of one message of each kind.
fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<_> = syncs().iter().map(encode).collect();
    samples.extend(joins().iter().map(encode));
    samples.extend(witnesses().iter().map(encode));
    samples.push(encode(&news()));
    samples
}

fn read_as_anything(bytes: &[u8]) {
    let _ = (decode::<Sync>(bytes), decode::<Join>(bytes), decode::<Witness>(bytes), decode::<News>(bytes));
}

#[test]
fn every_message_survives_its_bytes() {
    for message in syncs() {
        assert_eq!(decode::<Sync>(&encode(&message)).expect("own bytes"), message);
    }
    for message in joins() {
        assert_eq!(decode::<Join>(&encode(&message)).expect("own bytes"), message);
    }
    for message in witnesses() {
        assert_eq!(decode::<Witness>(&encode(&message)).expect("own bytes"), message);
    }
    assert_eq!(decode::<News>(&encode(&news())).expect("own bytes"), news());
}

#[test]
fn version_1_bytes_stay_what_they_are() {
    let all = samples().concat();
    let golden = "3f85a47bb5e89587792a6cf45232700c9fdfff2d32f19e067e1285a596331bd1";
    assert_eq!(Digest::of(&all).to_string(), golden, "the encoding of version 1 is frozen");
}

#[test]
fn each_fault_has_its_name() {
    let good = encode(&syncs()[0]);
    let newer = [&[2], &good[1..]].concat();
    assert!(matches!(decode::<Sync>(&newer), Err(InvalidMessage::Newer(2))));
    assert!(matches!(decode::<Sync>(&[]), Err(InvalidMessage::Malformed(_))));
    assert!(matches!(decode::<Sync>(&[0, 1]), Err(InvalidMessage::Malformed(_))));
    assert!(matches!(decode::<Sync>(&good[..20]), Err(InvalidMessage::Malformed(Some(_)))));
    let trailing = [good.as_slice(), &[0]].concat();
    assert!(matches!(decode::<Sync>(&trailing), Err(InvalidMessage::Malformed(None))));
    let long = vec![1; Witness::BYTES_MAX + 1];
    assert!(
        matches!(decode::<Witness>(&long), Err(InvalidMessage::TooLarge { size, .. }) if size == long.len())
    );
}

#[test]
fn a_list_or_payload_beyond_its_bound_is_refused() {
    assert!(Bounded::<u8, 2>::new(vec![1, 2, 3]).is_none());
    assert!(Payload::<2>::new(&[1, 2, 3]).is_none());
    let three = postcard::to_stdvec(&vec![1u8, 2, 3]).expect("plain data");
    assert!(postcard::from_bytes::<Bounded<u8, 3>>(&three).is_ok());
    assert!(postcard::from_bytes::<Bounded<u8, 2>>(&three).is_err());
    assert!(postcard::from_bytes::<Payload<3>>(&three).is_ok());
    assert!(postcard::from_bytes::<Payload<2>>(&three).is_err());
}

#[test]
fn the_largest_answers_fit_a_message() {
    let bytes = Payload::new(&vec![0; FRAME_BYTES_MAX]).expect("at the bound");
    let frames = Bounded::new(vec![Frame { from: u64::MAX, to: u64::MAX, bytes }]).expect("one");
    let frames = Sync::Frames { feed: feed(), after: u64::MAX, frames };
    let known = Known { head: Some(Head { seq: u64::MAX, hash: Digest::of(b"") }), fork: Some(u64::MAX) };
    let wide = FeedId { incarnation: u64::MAX, ..feed() };
    let feeds = Bounded::new(vec![(wide, known); FEEDS_MAX]).expect("at the bound");
    for message in [frames, Sync::Have { feeds, ask: u16::MAX }] {
        assert!(encode(&message).len() <= MESSAGE_BYTES_MAX);
    }
    let hashes = Bounded::new(vec![Digest::of(b""); PROOF_HASHES_MAX]).expect("at the bound");
    let growth = Growth { log: wide, from: u64::MAX, to: u64::MAX };
    let proof = Witness::Proof { growth, hashes };
    assert!(encode(&proof).len() <= Witness::BYTES_MAX);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_as_anything(&bytes);
        read_as_anything(&[&[VERSION], bytes.as_slice()].concat());
    }

    #[test]
    fn mutated_messages_never_panic(
        sample in prop::sample::select(samples()),
        changes in vec((any::<prop::sample::Index>(), prop_oneof![Just(0xff), any::<u8>()]), 1..4),
    ) {
        let mut bytes = sample;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_as_anything(&bytes);
    }
}
