//! Changes to boards that no honest member writes, or that come without what they build on: they are kept, told of by
//! name, and show nowhere.

use tokio::task::JoinSet;
use xyn_store::audit::signature::PublicKey;
use xyn_store::journal::Append;
use xyn_store::timeline::Bytes;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::frame;
use xyn_store::timeline::hlc::Hlc;
use xyn_store::timeline::record::{Body, Content, NO_RECORD, Place};
use xyn_store::{Clock, Digest, Options, Store, Timestamp, ids};

use super::{Author, told_by_name};
use crate::flood::{attacker, member};
use crate::team::{Mate, converge};

/// Under which names changes to boards are told of that are taken, because what they build on may come, and show
/// nowhere.
const UNFOUNDED: [&str; 3] = ["board_waits", "board_senseless", "board_rival"];

impl Author {
    /// The changes by which this feed adds one comment after the other to `board`.
    async fn comments<const N: usize>(mut self, board: &Board, now: Timestamp) -> [Bytes; N] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Options::default()).expect("it opens");
        let mut changes = [const { Bytes(Vec::new()) }; N];
        for place in &mut changes {
            let reader = store.read().expect("it reads");
            let comment = Edit::Comment(ids::fresh(now), "mine".into());
            let written = self.timeline.edit(&reader, &self.key, now, board, &[comment]).expect("it fits");
            let append = Append { changes: written.changes, ..Append::default() };
            store.journal().expect("it is open").append(append).await.expect("it is kept");
            let frame = frame::Frame::open(&self.root, &written.frames[0]).expect("its own");
            match frame.records[0].content.body.clone() {
                Body::Board { change, .. } => *place = change,
                other => panic!("a comment is on a board: {other:?}"),
            }
        }
        changes
    }

    /// The news that the first records of this feed are `changes` to `board`.
    fn forges_comments(&self, board: &Board, changes: Vec<Bytes>, now: Timestamp) -> Vec<Vec<u8>> {
        let mut place = Place { env: self.root, feed: self.timeline.own(), seq: 1, prev: NO_RECORD };
        let news = changes.into_iter().map(|change| {
            let content = Content { hlc: Hlc::at(now), body: Body::Board { board: board.clone(), change } };
            let (seq, record) = (place.seq, place.write(content).expect("it fits"));
            place = Place { seq: seq + 1, prev: record.hash, ..place };
            let frame = frame::Frame::seal(&self.key, self.root, vec![record]).expect("one record");
            self.news(seq, frame.encode())
        });
        news.collect()
    }
}

/// News of the member with this secret with changes that are told of under the name `reason`.
async fn unfounded(reason: &str, secret: u8, board: &Board, root: PublicKey, now: Timestamp) -> Vec<Vec<u8>> {
    let author = || Author::new(secret, root);
    let [first, second] = author().comments(board, now).await;
    let changes = match reason {
        // Alone: what it builds on never comes.
        "board_waits" => vec![second],
        "board_senseless" => vec![beginning_late(first)],
        _ => {
            let [other] = author().comments(board, now).await;
            vec![first, other]
        }
    };
    author().forges_comments(board, changes, now)
}

/// `change`, the first of its author, with its operations numbered as if others came before them.
fn beginning_late(Bytes(mut change): Bytes) -> Bytes {
    // Magic, checksum, kind, and the length in groups of seven bits; then no change before it, who wrote it, and two
    // numbers, the second of which is that of its first operation.
    const HEAD: usize = 4 + 4 + 1;
    let length = 1 + change[HEAD..].iter().take_while(|byte| **byte >= 0x80).count();
    let start = HEAD + length + 1 + (1 + 16) + 1;
    assert_eq!(change[start - 1..=start], [1, 1], "its first change and its first operation");
    change[start] = 9;
    let checksum = Digest::of(&change[HEAD - 1..]);
    change[4..8].copy_from_slice(&checksum.as_bytes()[..4]);
    Bytes(change)
}

#[tokio::test]
async fn changes_to_boards_that_fit_nowhere_are_told_by_name_and_all_show_the_same_without_them() {
    let [mut ada, mut bob] = ["ada", "bob"].map(Mate::new);
    ada.up(None).await;
    bob.up(Some(&ada.invite().await)).await;
    let moment = ada.folder.xyn(["timeline", "note", "before"]).ok().trim().to_owned();
    converge(&[&ada, &bob], &["before"]).await;

    let board = Board::Comments(moment.parse().expect("an id"));
    let (root, now) = (ada.env().root(), Clock::system().now());
    let (host, topic) = (ada.node().mesh()[0].clone(), format!("xyn/{}", ada.env()));
    let mut attacks = JoinSet::new();
    for (secret, reason) in (1..).zip(UNFOUNDED) {
        let (key, news) = (member(&ada, secret).await, unfounded(reason, secret, &board, root, now).await);
        attacks.spawn(attacker::gossip(key, host.clone(), topic.clone(), news));
    }
    for mate in [&ada, &bob] {
        told_by_name(mate, &UNFOUNDED).await;
        assert_eq!(mate.refusals("lie").await, 0, "it is not the fault of who brings it");
    }
    attacks.shutdown().await;
    // The board goes on for everybody else.
    ada.folder.xyn(["timeline", "comment", &moment, "so be it"]).ok();
    bob.note("after").await;
    converge(&[&ada, &bob], &["before", "after"]).await;
    for mate in [&ada, &bob] {
        let said = mate.folder.xyn(["timeline", "comment", &moment, "--json"]).json();
        let texts: Vec<_> =
            said["comments"].as_array().expect("a list").iter().map(|it| &it["text"]).collect();
        assert_eq!(texts, ["mine", "so be it"], "of two rivals one shows");
        let said = mate.folder.xyn(["timeline", "digest"]);
        assert!(said.err.contains("3 changes to boards show nowhere"), "{said:?}");
    }
}
