//! Records that no honest member writes: each is refused by its name, in the counters, the log and the trace, and
//! none of them is shown.

mod boards;
mod names;

use std::time::Duration;

use tokio::task::JoinSet;
use xyn_net::wire::{self, Bounded, Frame, Known, Message as _, News, Payload, Sync};
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fork::Proof;
use xyn_store::timeline::frame::{self, FRAME_MAX_BYTES};
use xyn_store::timeline::hlc::Hlc;
use xyn_store::timeline::record::{Body, Content, NO_RECORD, Place};
use xyn_store::timeline::{Bytes, FEEDS_PER_HOUR_MAX, Saying, Timeline};
use xyn_store::trust::Head;
use xyn_store::{Clock, Digest, Options, Store, Timestamp, ids};

use crate::flood::{attacker, member};
use crate::node::eventually;
use crate::team::{Mate, converge};

/// Under which names the records here are refused; those from the future are kept, and move no clock.
const REASONS: [&str; 4] = ["wrong_env", "past_cut", "forked", "from_future"];
/// The secret of somebody whose name is stolen.
const ANOTHER: u8 = 99;
const AUTHOR: &str = "mallory@lab";
const CENTURIES: Duration = Duration::from_secs(1_000 * 365 * 86_400);

/// Under which names frames, records and changes are refused that are not what they should be. What comes before
/// what it follows is told about, and waits.
const SHAPES: [&str; 11] = [
    "mislabelled",
    "bad_signature",
    "newer_frame",
    "newer_entry",
    "oversized",
    "malformed",
    "forged_actor",
    "wrong_doc",
    "undecodable_change",
    "missing_dependency",
    "gap",
];

/// Whoever writes a feed under a key.
struct Author {
    key: NodeKey,
    root: PublicKey,
    timeline: Timeline,
}

impl Author {
    fn new(secret: u8, root: PublicKey) -> Self {
        Self::in_life(1, secret, root)
    }

    /// In this life of its folder.
    fn in_life(incarnation: u64, secret: u8, root: PublicKey) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("it opens");
        let key = NodeKey::from_secret([secret; 32]);
        let feed = FeedId { node: key.public(), incarnation };
        let timeline = Timeline::open(&store.read().expect("it reads"), root, feed).expect("it opens");
        Self { key, root, timeline }
    }

    /// The news of the first moment of this feed.
    fn says(&mut self, title: &str, now: Timestamp) -> Vec<u8> {
        let frame = self.writes(title, now);
        self.news(1, frame)
    }

    /// The news that record `seq` of this feed is in `frame`.
    fn news(&self, seq: u64, frame: Vec<u8>) -> Vec<u8> {
        let bytes = Payload::behind(0, frame).expect("it fits");
        wire::encode(&News { feed: self.timeline.own(), frame: Frame { from: seq, to: seq, bytes } })
    }

    /// The change that the next moment of this feed is.
    fn changes(&mut self, title: &str, now: Timestamp) -> Bytes {
        let bytes = self.writes(title, now);
        let frame = frame::Frame::open(&self.root, &bytes).expect("its own");
        match frame.records[0].content.body.clone() {
            Body::Entry { change, .. } => change,
            other => panic!("a moment is an entry: {other:?}"),
        }
    }

    /// The news that the first record of this feed is `change`, made to its entry document number `document`.
    fn forges(&self, document: u32, change: Bytes, now: Timestamp) -> Vec<u8> {
        let place = Place { env: self.root, feed: self.timeline.own(), seq: 1, prev: NO_RECORD };
        self.forges_at(place, document, change, now)
    }

    /// The same for the record at `place`.
    fn forges_at(&self, place: Place, document: u32, change: Bytes, now: Timestamp) -> Vec<u8> {
        let content = Content { hlc: Hlc::at(now), body: Body::Entry { document, change } };
        let record = place.write(content).expect("it fits");
        let frame = frame::Frame::seal(&self.key, self.root, vec![record]).expect("one record");
        self.news(place.seq, frame.encode())
    }

    /// The next moment of this feed, signed.
    fn writes(&mut self, title: &str, now: Timestamp) -> Vec<u8> {
        self.writes_as(AUTHOR, (Kind::Note, title, Refs::default()), now)
    }

    /// The same in the name of `principal`.
    fn writes_as(&mut self, principal: &str, what: (Kind, &str, Refs), now: Timestamp) -> Vec<u8> {
        let (principal, branch, (kind, title, refs)) = (Principal::new(principal), Branch::main(), what);
        let note = Note { principal, branch, kind, title: title.to_owned(), refs };
        let sayings = vec![Saying::Entry(ids::fresh(now), Box::new(note))];
        self.timeline.say(&self.key, now, sayings).expect("it fits").frames.remove(0)
    }
}

/// Waits until `host` has counted, logged and traced a refusal for each of `reasons`.
async fn told_by_name(host: &Mate, reasons: &[&str]) {
    eventually("each is refused by its name", async || {
        let metrics = host.node().request("GET", "/metrics").send().await.expect("it answers");
        let metrics = metrics.text().await.expect("text");
        let (log, trace) =
            (host.node().log(), host.node().get("/api/v1/peers/trace?limit=200").await.to_string());
        let is_logged =
            |reason: &str| log.lines().any(|line| line.contains("what a peer said") && line.contains(reason));
        let is_told = |reason: &&str| {
            metrics.contains(&format!("mesh_said_refused_total{{reason=\"{reason}\"}}"))
                && is_logged(reason)
                && trace.contains(&format!("\"reason\":\"{reason}\""))
        };
        reasons.iter().all(is_told).then_some(())
    })
    .await;
}

#[tokio::test]
async fn records_that_no_honest_member_writes_are_refused_by_name_counted_and_never_shown() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    ada.note("before").await;
    converge(&[&ada, &bob], &["before"]).await;

    let (root, now) = (ada.env().root(), Clock::system().now());
    let stranger = NodeKey::from_secret([9; 32]).public();
    let twice = |title| Author::new(3, root).says(title, now);
    let news = [
        (1, vec![Author::new(1, stranger).says("of another environment", now)]),
        (2, vec![Author::new(9, root).says("of a stranger", now)]),
        (3, vec![twice("the one"), twice("the other")]),
        (4, vec![Author::new(4, root).says("from the year 3000", now.after(CENTURIES))]),
    ];
    let mut attacks = JoinSet::new();
    for (who, news) in news {
        let (key, topic) = (member(&ada, who).await, format!("xyn/{}", ada.env()));
        attacks.spawn(attacker::gossip(key, ada.node().mesh()[0].clone(), topic, news));
    }
    told_by_name(&ada, &REASONS).await;
    attacks.shutdown().await;
    ada.note("after").await;
    converge(&[&ada, &bob], &["before", "after", "from the year 3000"]).await;
    let shown = ada.titles();
    for title in ["of another environment", "of a stranger", "the one", "the other"] {
        assert!(!shown.iter().any(|shown| shown == title), "{title}: {shown:?}");
    }
    // What is ahead of the reader's clock says so where it is looked at, not in the lines that all nodes share.
    let log = ada.log();
    let ahead = log.iter().find(|moment| moment["title"] == "from the year 3000").expect("it is kept");
    let entry_id = ahead["entry_id"].as_str().expect("an id");
    let view = ada.folder.xyn(["timeline", "show", entry_id, "--json"]).json();
    assert_eq!((view["is_from_future"].as_bool(), &view["moment"]), (Some(true), ahead));
}

/// Has the entry of `change` say that a newer version of this program wrote it.
fn make_newer(change: &mut [u8]) {
    let named = change.windows(AUTHOR.len()).position(|window| window == AUTHOR.as_bytes());
    // Before the author's name stands its length, and before that the version.
    change[named.expect("an entry names its author") - 2] += 1;
    let checksum = Digest::of(&change[8..]);
    change[4..8].copy_from_slice(&checksum.as_bytes()[..4]);
}

/// News of the member with this secret that are refused under the name `reason`.
pub(crate) fn misshapen(reason: &str, secret: u8, root: PublicKey, now: Timestamp) -> Vec<u8> {
    let mut author = Author::new(secret, root);
    let mut frame = author.writes("the first", now);
    match reason {
        "mislabelled" => return Author::new(ANOTHER, root).news(1, frame),
        "bad_signature" => *frame.last_mut().expect("it has bytes") ^= 1,
        "newer_frame" => frame[0] = 9,
        "oversized" => frame.resize(FRAME_MAX_BYTES + 1, 0),
        "malformed" => frame.truncate(frame.len() - 100),
        "gap" => {
            author.writes("the second", now);
            let third = author.writes("the third", now);
            return author.news(3, third);
        }
        // Alone it follows nothing: what it builds on never comes.
        "missing_dependency" => {
            let second = author.changes("the second", now);
            return author.forges(0, second, now);
        }
        "forged_actor" => {
            let stolen = Author::new(ANOTHER, root).changes("in another's name", now);
            return author.forges(0, stolen, now);
        }
        _ => {
            let mut change = Author::new(secret, root).changes("the first", now);
            match reason {
                "wrong_doc" => return author.forges(7, change, now),
                "newer_entry" => make_newer(&mut change.0),
                _ => *change.0.last_mut().expect("it has bytes") ^= 1,
            }
            return author.forges(0, change, now);
        }
    }
    author.news(1, frame)
}

#[tokio::test]
async fn news_that_are_not_what_they_should_be_are_refused_by_name_counted_and_change_nothing() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    ada.note("before").await;
    converge(&[&ada, &bob], &["before"]).await;

    let (root, now, before) = (ada.env().root(), Clock::system().now(), ada.log());
    let mut members = Vec::new();
    for (secret, reason) in (1..).zip(SHAPES) {
        // One alone drops nobody who is newer.
        let news = [now, now.after(Duration::from_secs(1))].map(|at| misshapen(reason, secret, root, at));
        members.push((member(&ada, secret).await, news.to_vec()));
    }
    let mut attacks = JoinSet::new();
    for (key, news) in members {
        let topic = format!("xyn/{}", ada.env());
        attacks.spawn(attacker::gossip(key, ada.node().mesh()[0].clone(), topic, news));
    }
    told_by_name(&ada, &SHAPES).await;
    // Whoever sends what is false is dropped, and so is who is newer, as that; a gap is nobody's fault.
    let newer = SHAPES.iter().filter(|reason| reason.starts_with("newer")).count() as u64;
    let dropped = (SHAPES.len() as u64 - 1 - newer, newer);
    let is_dropped = async || (ada.refusals("lie").await, ada.refusals("newer").await) == dropped;
    eventually("each of them is dropped", async || is_dropped().await.then_some(())).await;
    assert!(ada.node().log().contains("upgrade this one"), "{}", ada.node().log());
    attacks.shutdown().await;
    assert_eq!(ada.log(), before);
    assert_eq!(ada.folder.xyn(["timeline", "log", "--excluded", "--json"]).ok(), "", "nothing is kept");
    ada.note("after").await;
    converge(&[&ada, &bob], &["before", "after"]).await;
    assert_eq!(bob.log().len(), before.len() + 1);
}

#[tokio::test]
async fn a_forged_record_that_waited_for_a_good_one_is_refused_by_name_when_that_comes() {
    let mut ada = Mate::new("ada");
    ada.up(None).await;
    let (root, now) = (ada.env().root(), Clock::system().now());
    let mut author = Author::new(1, root);
    let good = author.writes("a good one", now);
    let first = frame::Frame::open(&root, &good).expect("its own").records.remove(0);
    let behind = Place { env: root, feed: first.feed, seq: 2, prev: first.hash };
    let stolen = Author::new(ANOTHER, root).changes("in another's name", now);
    let forged = author.forges_at(behind, 0, stolen, now);
    let [early, late] = [member(&ada, 1).await, member(&ada, 2).await];
    let gossip = |key, news| {
        let topic = format!("xyn/{}", ada.env());
        tokio::spawn(attacker::gossip(key, ada.node().mesh()[0].clone(), topic, vec![news]))
    };
    let first = gossip(early, forged);
    told_by_name(&ada, &["gap"]).await;
    let second = gossip(late, author.news(1, good));
    told_by_name(&ada, &["forged_actor"]).await;
    [first, second].iter().for_each(|attack| attack.abort());
    let shown = ada.titles();
    let is_shown = |title: &str| shown.iter().any(|shown| shown == title);
    assert!(is_shown("a good one") && !is_shown("in another's name"), "{shown:?}");
}

#[tokio::test]
async fn a_record_that_comes_again_is_told_by_name_and_shown_once() {
    let mut ada = Mate::new("ada");
    ada.up(None).await;
    let (root, now) = (ada.env().root(), Clock::system().now());
    let mut author = Author::new(1, root);
    let records = ["said twice", "said once"].map(|title| {
        let bytes = author.writes(title, now);
        frame::Frame::open(&root, &bytes).expect("its own").records.remove(0)
    });
    // The same message is passed over by gossip; the same record in another message is not.
    let news = |count| {
        let frame = frame::Frame::seal(&author.key, root, records[..count].to_vec()).expect("a record");
        let bytes = Payload::behind(0, frame.encode()).expect("it fits");
        let frame = Frame { from: 1, to: count as u64, bytes };
        wire::encode(&News { feed: author.timeline.own(), frame })
    };
    let (host, topic) = (ada.node().mesh()[0].clone(), format!("xyn/{}", ada.env()));
    let send =
        |key, count| tokio::spawn(attacker::gossip(key, host.clone(), topic.clone(), vec![news(count)]));
    let first = send(member(&ada, 1).await, 2);
    converge(&[&ada], &["said twice", "said once"]).await;
    first.abort();
    let second = send(member(&ada, 1).await, 1);
    told_by_name(&ada, &["duplicate"]).await;
    ada.note("after").await;
    converge(&[&ada], &["said twice", "said once", "after"]).await;
    assert_eq!(ada.counted("xyn_mesh_said_refused_total{reason=\"duplicate\"}").await, 1);
    assert_eq!(ada.titles().iter().filter(|title| *title == "said twice").count(), 1);
    second.abort();
}

#[tokio::test]
async fn what_a_member_writes_in_more_lives_than_are_taken_waits_and_is_told_by_name() {
    let mut ada = Mate::new("ada");
    ada.up(None).await;
    let (root, now, before) = (ada.env().root(), Clock::system().now(), ada.log().len());
    let lives = 1..=FEEDS_PER_HOUR_MAX + 1;
    let news = lives.map(|life| Author::in_life(life, 1, root).says(&format!("in life {life}"), now));
    let (key, topic, news) = (member(&ada, 1).await, format!("xyn/{}", ada.env()), news.collect());
    let host = ada.node().mesh()[0].clone();
    let attack = tokio::spawn(attacker::gossip(key, host, topic, news));
    told_by_name(&ada, &["paced"]).await;
    let moments = async || ada.node().all("/api/v1/timeline").await.len();
    eventually("the others are taken", async || {
        (moments().await == before + FEEDS_PER_HOUR_MAX as usize).then_some(())
    })
    .await;
    assert_eq!(ada.refusals("lie").await, 0, "it waits, and is no lie");
    attack.abort();
}

/// What `host` says of itself when it is asked about its log: under which feed it writes.
async fn feed_of(host: &Mate) -> FeedId {
    let audit = host.node().get("/api/v1/audit").await;
    let life = audit["incarnation"].as_str().expect("a life of the folder");
    FeedId { node: host.key(), incarnation: u64::from_str_radix(life, 16).expect("hexadecimal") }
}

#[tokio::test]
async fn nobody_is_taken_for_a_forker_by_a_false_proof_and_who_brings_one_is_dropped() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    bob.note("before").await;
    converge(&[&ada, &bob], &["before"]).await;

    // Two records that a member wrote under one number of its own feed prove nothing about Bob's.
    let (root, now, accused) = (ada.env().root(), Clock::system().now(), feed_of(&bob).await);
    let twice = |title| Author::new(5, root).writes(title, now);
    let proof = Proof::new(&root, twice("the one"), twice("the other")).expect("they contradict");
    let head = Some(Head { seq: 1, hash: Digest::of(b"made up") });
    let feeds = Bounded::new(vec![(accused, Known { head, fork: Some(1) })]).expect("one");
    let proof = Payload::behind(0, proof.encode()).expect("it fits");
    let messages =
        [Sync::Have { feeds, ask: 0 }, Sync::Proof { feed: accused, proof }].map(|it| wire::encode(&it));
    let (key, host) = (member(&ada, 5).await, ada.node().mesh()[0].clone());
    let attack = tokio::spawn(attacker::say(key, host, Sync::PROTOCOL, messages.to_vec()));
    eventually("the proof is refused by its name", async || {
        let said = ada.counted("xyn_mesh_said_refused_total{reason=\"false_proof\"}").await;
        (said > 0 && ada.refusals("lie").await > 0).then_some(())
    })
    .await;
    assert!(ada.node().log().contains("proves nothing"), "{}", ada.node().log());
    attack.abort();
    bob.note("heard as before").await;
    converge(&[&ada, &bob], &["before", "heard as before"]).await;
}
