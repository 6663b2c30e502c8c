//! What the root says through members, and who says it again.

use super::*;

/// Has `carrier` carry what was said last.
fn carried(said: &mut Said, carrier: u8, seq: u64) {
    said.placed.last_mut().expect("something was said").place =
        Some(Place { feed: feed(carrier), record: head(seq) });
}

fn unsaid(said: &Said, who: u8) -> Vec<Digest> {
    said.roster().unsaid(&said.placed, feed(who)).into_iter().map(SignedStatement::id).collect()
}

/// Alice, Bob and Carol, whom the root let in.
fn three() -> Said {
    let mut said = Said::default();
    for who in [ALICE, BOB, CAROL] {
        said.invite(ROOT, who);
    }
    said
}

#[test]
fn each_member_says_once_whom_the_root_revokes() {
    let mut said = three();
    let word = said.revoke(ROOT, CAROL, &[]);
    assert_eq!(unsaid(&said, BOB), [word], "it may have come without a record");
    carried(&mut said, ALICE, 1);
    assert_eq!((unsaid(&said, ALICE), unsaid(&said, BOB)), (vec![], vec![word]));
    let again = said.placed.last().expect("it was said").clone();
    said.placed.push(again);
    carried(&mut said, BOB, 1);
    assert_eq!((unsaid(&said, ALICE), unsaid(&said, BOB)), (vec![], vec![]));
    said.say(
        ALICE,
        Claim::Revocation(Revocation { node: public(DAVE), last: last(&[]), reason: "no".into() }),
    );
    assert_eq!(unsaid(&said, BOB), [], "what a member says stands in its own feed");
}

#[test]
fn what_a_member_said_behind_a_cut_of_its_feed_it_says_again_in_another() {
    let mut said = three();
    let word = said.revoke(ROOT, CAROL, &[]);
    carried(&mut said, BOB, 4);
    said.forks.insert(feed(BOB), Cut::from(head(4)));
    assert_eq!(unsaid(&said, BOB), []);
    said.forks.insert(feed(BOB), Cut::from(head(3)));
    assert_eq!(unsaid(&said, BOB), [], "nobody would hear it");
    let roster = said.roster();
    let next = FeedId { incarnation: 2, ..feed(BOB) };
    let again: Vec<Digest> = roster.unsaid(&said.placed, next).into_iter().map(SignedStatement::id).collect();
    assert_eq!(again, [word], "in its next life somebody may");
}

#[test]
fn each_member_says_once_whom_the_root_seats_wherever_it_heard_that() {
    let mut said = three();
    let word = said.invite(ROOT, DAVE);
    assert_eq!(unsaid(&said, ALICE), [], "whoever has it on paper has it from the root");
    carried(&mut said, BOB, 4);
    assert_eq!(unsaid(&said, ALICE), [word], "not everybody may hear Bob so far");
    let turned_out = said.revoke(ROOT, BOB, &[(BOB, 3)]);
    carried(&mut said, ALICE, 1);
    assert_eq!(said.roster().admit(public(DAVE), Timestamp::EPOCH).map(|it| it.rank), Ok(1));
    assert_eq!(unsaid(&said, ALICE), [word]);
    let at = said.placed.iter().find(|it| it.statement.id() == word).expect("it was said").clone();
    said.placed.push(at);
    carried(&mut said, ALICE, 2);
    assert_eq!(unsaid(&said, ALICE), []);
    assert_eq!(unsaid(&said, CAROL), [turned_out, word], "who is out comes first");
}
