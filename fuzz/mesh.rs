//! What other nodes can send: records, frames, proofs, statements, tickets, manifests and messages.
//!
//! Signatures and checksums are made right before a parser that wants them sees the bytes, so that what is
//! behind them is tried as well.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use xyn_net::wire::contacts::{Contact, Contacts};
use xyn_net::wire::{self, Bounded, Frame as Travelling, Join, Known, Message, News, Payload, Witness};
use xyn_store::audit::checkpoint::Checkpoint;
use xyn_store::audit::key::NodeKey;
use xyn_store::blobs::Manifest;
use xyn_store::ids;
use xyn_store::scope::Principal;
use xyn_store::timeline::admit::Verdict;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::Note;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::frame::Frame;
use xyn_store::timeline::record::{Body, NO_RECORD, Place, Record};
use xyn_store::timeline::{Bytes, Saying, Timeline};
use xyn_store::trust::{
    Certificate, Claim, Cut, EnvId, Placed, Revocation, Role, Roster, Seat, Statement, Succession, Ticket,
    TicketId, TicketSecret,
};
use xyn_store::{Digest, Options, Reader, Store};

use super::entries::entries;
use super::{halves, now};

pub(super) fn author() -> NodeKey {
    NodeKey::from_secret([1; 32])
}

pub(super) fn root() -> NodeKey {
    NodeKey::from_secret([9; 32])
}

pub(super) fn env() -> EnvId {
    EnvId::rooted_in(root().public())
}

/// Where the author's first record stands.
fn first() -> Place {
    let feed = FeedId { node: author().public(), incarnation: 1 };
    Place { env: env().root(), feed, seq: 1, prev: NO_RECORD }
}

/// Runs `work` on a node that knows nothing yet.
fn on_an_empty_node<T>(work: impl FnOnce(&Reader, Timeline) -> T) -> T {
    thread_local!(static STORE: OnceCell<(tempfile::TempDir, Store)> = const { OnceCell::new() });
    STORE.with(|store| {
        let (_, store) = store.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder");
            let store = Store::open(folder.path(), Options::default()).expect("opens");
            (folder, store)
        });
        let reader = store.read().expect("reads");
        let timeline = Timeline::open(&reader, env().root(), first().feed).expect("opens");
        work(&reader, timeline)
    })
}

/// A frame with these entries, and a record of every other kind.
fn frame(entries: Vec<Note>) -> Vec<u8> {
    let entry = |(n, note)| Saying::Entry(ids::derived(now(), &[&[n]]), Box::new(note));
    let mut sayings: Vec<Saying> = (1..).zip(entries).map(entry).collect();
    sayings.push(Saying::Statement(b"statement".to_vec()));
    let said = |sayings| on_an_empty_node(|_, mut timeline| timeline.say(&author(), now(), sayings));
    let mut written = said(sayings).expect("fits").frames;
    let thread = Board::Comments(ids::derived(now(), &[&[1]]));
    let edits = [
        (Board::Label("v1".into()), Edit::Label(ids::derived(now(), &[&[1]]))),
        (thread, Edit::Comment(ids::derived(now(), &[b"comment"]), "so be it".into())),
    ];
    for (board, edit) in edits {
        let edited = on_an_empty_node(|reader, mut timeline| {
            timeline.edit(reader, &author(), now(), &board, &[edit]).expect("fits")
        });
        written.extend(edited.frames);
    }
    let opened = written.iter().map(|bytes| Frame::open(&env().root(), bytes).expect("own bytes"));
    let (mut place, mut records) = (first(), Vec::new());
    for one in opened.flat_map(|frame| frame.records) {
        let record = place.read(one.payload).expect("own bytes");
        place = place.next(record.hash);
        records.push(record);
    }
    Frame::seal(&author(), env().root(), records).expect("records").encode()
}

/// The content of a record, with the checksum of the change in it made right.
fn record(place: &Place, payload: &[u8]) -> Option<Record> {
    let mut content = place.read(payload.to_vec()).ok()?.content;
    if let Body::Entry { change, .. } | Body::Board { change, .. } = &mut content.body
        && let Some((head, covered)) = change.0.split_at_mut_checked(8)
    {
        head[4..].copy_from_slice(&Digest::of(covered).as_bytes()[..4]);
    }
    place.write(content).ok()
}

/// Frames, rightly signed: what is in them is admitted or refused, and nothing panics.
pub(super) mod frames {
    use super::*;

    /// Bytes before the records of a frame, behind them, and before each.
    const HEADER_BYTES: usize = 113;
    const SIGNATURE_BYTES: usize = 64;
    const LENGTH_BYTES: usize = 3;

    pub(crate) fn run(bytes: &[u8]) {
        let _ = Frame::open(&env().root(), bytes);
        let mut body =
            bytes.get(HEADER_BYTES..bytes.len().saturating_sub(SIGNATURE_BYTES)).unwrap_or_default();
        let (mut place, mut records) = (first(), Vec::new());
        while let Some(([high, middle, low], rest)) = body.split_first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            let (payload, rest) = rest.split_at(length.min(rest.len()));
            body = rest;
            if let Some(record) = record(&place, payload) {
                place = place.next(record.hash);
                records.push(record);
            }
        }
        let Some(frame) = Frame::seal(&author(), env().root(), records) else { return };
        let sealed = frame.encode();
        assert_eq!(Frame::open(&env().root(), &sealed).expect("rightly made"), frame);
        let verdicts = admitted(&[&sealed, &sealed]);
        let again =
            if matches!(verdicts[0], Verdict::Refused(_)) { &verdicts[0] } else { &Verdict::Duplicate };
        assert_eq!(&verdicts[1], again, "the same frame twice");
    }

    /// A short frame, and one with all that entries say. They are good: what is refused tries nothing behind that.
    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let seeds = [entries().split_off(5), entries()].map(frame);
        for seed in &seeds {
            let [verdict] = &admitted(&[seed])[..] else { panic!("a frame has a verdict") };
            assert!(matches!(verdict, Verdict::Admitted { .. }), "{verdict:?}");
        }
        seeds.to_vec()
    }

    fn admitted(frames: &[&[u8]]) -> Vec<Verdict> {
        on_an_empty_node(|reader, mut timeline| {
            timeline.admit(reader, frames, now(), |_| Cut::Nowhere).expect("reads").verdicts
        })
    }
}

/// Records, and two under one number: a proof that convinces, or none.
pub(super) mod records {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let sealed = |payload: &[u8]| {
            let record = first().read(payload.to_vec()).ok()?;
            assert_eq!(record.payload, payload, "a record is kept as it came");
            Some(Frame::seal(&author(), env().root(), vec![record]).expect("a record").encode())
        };
        let (one, other) = halves(bytes);
        let _ = (sealed(bytes), Proof::open(&env().root(), bytes));
        let (Some(one), Some(other)) = (sealed(one), sealed(other)) else { return };
        match Proof::new(&env().root(), one.clone(), other.clone()) {
            Ok(proof) => assert_eq!(Proof::open(&env().root(), &proof.encode()).as_ref(), Ok(&proof)),
            Err(error) => assert_eq!(one, other, "{error}"),
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let frame = Frame::open(&env().root(), &frame(entries())).expect("own bytes");
        let mut seeds: Vec<Vec<u8>> = frame.records.iter().map(|record| record.payload.clone()).collect();
        let hlc = frame.records[0].content.hlc;
        let short = [1, 2].map(|byte| (hlc, Body::Statement(Bytes(vec![byte; 3]))));
        let short = short.map(|content| postcard::to_stdvec(&content).expect("plain data"));
        seeds.push(short.join(&0));
        seeds
    }
}

/// What an entry says.
pub(super) mod notes {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        if let Ok(note) = Note::decode(bytes) {
            let again = note.encode().expect("what was read can be written");
            assert_eq!(Note::decode(&again).expect("own bytes"), note);
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        entries().iter().map(|note| note.encode().expect("fits")).collect()
    }
}

/// Statements, signed by whom they name, and the roster they add up to.
pub(super) mod statements {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let _ = xyn_store::trust::SignedStatement::decode(bytes, env());
        let Ok((said, _)) = postcard::take_from_bytes::<Statement>(bytes) else { return };
        let claim = match said.claim {
            Claim::Certificate(certificate) => Claim::Certificate(agreed(certificate)),
            Claim::Revocation(it) => Claim::Revocation(Revocation { node: author().public(), ..it }),
        };
        let said = Statement { env: env(), issuer: root().public(), claim, ..said };
        let Ok(statement) = said.clone().sign(&root()) else { return };
        assert_eq!(statement.statement(), &said);
        let placed = Placed { statement, place: None };
        let roster = Roster::fold(env(), [&placed, &placed], BTreeMap::new());
        let _ = (roster.admit(author().public(), now()), roster.cut(first().feed));
    }

    /// The certificate with the keys and signatures of those it could be about.
    fn agreed(certificate: Certificate) -> Certificate {
        let node = author();
        let seat = match certificate.seat {
            Seat::Under(_) => Seat::Under(root().public()),
            Seat::Succeeding(it) => Seat::Succeeding(Succession::sign(
                env(),
                &NodeKey::from_secret([2; 32]),
                node.public(),
                it.last,
            )),
        };
        let consent = seat.agree(env(), &node);
        Certificate { node: node.public(), seat, consent, ..certificate }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let last =
            BTreeMap::from([(first().feed, xyn_store::trust::Head { seq: 7, hash: Digest::of(b"x") })]);
        let old = NodeKey::from_secret([2; 32]);
        let succession = Succession::sign(env(), &old, author().public(), last.clone());
        let certificate = |seat: Seat| {
            let (node, consent) = (author().public(), seat.agree(env(), &author()));
            let (principal, expires) = (Principal::new("ana@laptop"), Some(now()));
            Claim::Certificate(Certificate { node, seat, principal, role: Role::Operator, expires, consent })
        };
        let claims = [
            certificate(Seat::Under(root().public())),
            certificate(Seat::Succeeding(succession)),
            Claim::Revocation(Revocation { node: author().public(), last, reason: "left".into() }),
        ];
        let said =
            claims.map(|claim| Statement { env: env(), issuer: root().public(), issued_at: now(), claim });
        said.iter().map(|said| postcard::to_stdvec(said).expect("plain data")).collect()
    }
}

/// Tickets, with a checksum that fits.
pub(super) mod tickets {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let _ = super::super::text(bytes).parse::<Ticket>();
        let Ok((ticket, _)) = postcard::take_from_bytes::<Ticket>(bytes) else { return };
        if let Ok(read) = ticket.to_string().parse::<Ticket>() {
            assert_eq!(read, ticket);
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let ticket = Ticket {
            id: TicketId([7; 8]),
            env: env(),
            issuer: author().public(),
            addresses: vec!["/ip6/fd00::1/udp/4311/quic-v1".into(), "/dns/example.org/tcp/4311".into()],
            secret: TicketSecret::from_bytes([5; 16]),
            expires: now(),
        };
        vec![ticket.to_string().into_bytes(), postcard::to_stdvec(&ticket).expect("plain data")]
    }
}

/// Lists of chunks.
pub(super) mod manifests {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        if let Ok(manifest) = Manifest::decode(bytes) {
            assert_eq!(manifest.encode(), bytes, "a manifest has one form");
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let parts = |count: u8| (0..count).map(|n| (Digest::of(&[n]), 16 << 10)).collect();
        [0, 1, 9].map(|count| Manifest::new(Digest::of(b"blob"), parts(count)).encode()).to_vec()
    }
}

/// Messages of every protocol; the first byte says of which.
pub(super) mod messages {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        fn again<M: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
            if let Ok(message) = wire::decode::<M>(bytes) {
                assert_eq!(wire::decode::<M>(&wire::encode(&message)).expect("own bytes"), message);
            }
        }
        let readers: [fn(&[u8]); 5] =
            [again::<wire::Sync>, again::<News>, again::<Join>, again::<Witness>, again::<Contacts>];
        if let Some((protocol, message)) = bytes.split_first() {
            readers[usize::from(*protocol) % readers.len()](message);
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let feed = first().feed;
        let frame = Travelling { from: 1, to: 6, bytes: Payload::new(&frame(entries())).expect("fits") };
        let frames = Bounded::new(vec![frame.clone()]).expect("one");
        let feeds = Bounded::new(vec![(feed, Known::default())]).expect("one");
        let syncs = [
            wire::Sync::Summary(wire::Summary::default()),
            wire::Sync::Have { feeds, ask: 7 },
            wire::Sync::Want { feed, after: 0, credit: 1 << 18 },
            wire::Sync::Frames { feed, after: 0, frames },
            wire::Sync::Proof { feed, proof: Payload::new(b"proof").expect("fits") },
        ];
        let mut seeds: Vec<Vec<u8>> =
            syncs.iter().map(|it| [&[0], wire::encode(it).as_slice()].concat()).collect();
        seeds.push([&[1], wire::encode(&News { feed, frame }).as_slice()].concat());
        let redeem = Join::Redeem(wire::Redeem {
            env: env(),
            ticket: TicketId([7; 8]),
            secret: TicketSecret::from_bytes([5; 16]),
            consent: Seat::Under(root().public()).agree(env(), &author()),
        });
        let refused = Join::Refused(xyn_store::trust::NotRedeemed::Expired);
        let welcome = Join::Welcome { statements: Bounded::default() };
        seeds.extend([redeem, refused, welcome].map(|it| [&[2], wire::encode(&it).as_slice()].concat()));
        let growth = wire::Growth { log: feed, from: 1, to: 9 };
        let hashes = Bounded::new(vec![Digest::of(b"node"); 3]).expect("three");
        let log =
            Checkpoint { node: feed.node, incarnation: 1, size: 9, root: Digest::of(b"log"), at: now() };
        let checkpoint = log.sign(&author());
        let witness = [
            Witness::Offer(checkpoint),
            Witness::Prove(growth),
            Witness::Proof { growth, hashes },
            Witness::Witnessed {
                size: growth.to,
                at: checkpoint.checkpoint.at,
                signature: checkpoint.signature,
            },
        ];
        seeds.extend(witness.map(|it| [&[3], wire::encode(&it).as_slice()].concat()));
        let addresses = Bounded::new(vec![Payload::new(b"/ip6/::1/tcp/4311").expect("fits")]).expect("one");
        let contact = Contact { node: author().public(), addresses };
        let contacts = Contacts(Bounded::new(vec![contact; 2]).expect("two"));
        seeds.push([&[4], wire::encode(&contacts).as_slice()].concat());
        seeds
    }
}
