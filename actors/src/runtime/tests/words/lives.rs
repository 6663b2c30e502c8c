//! A key that writes more feeds than a statement can name: it is revoked, and replaced, all the same.

use xyn_store::trust::{Cut, HEADS_MAX, Standing};

use super::*;

/// So many that their heads are longer than a statement.
const LIVES: u64 = 900;

fn note(title: String) -> Note {
    let principal = Principal::new("mallory@lab");
    Note { principal, branch: Branch::main(), kind: Kind::Note, title, refs: Refs::default() }
}

impl Founder {
    /// Takes many feeds of the key with this secret, of so many records each.
    async fn takes_lives(&self, secret: [u8; 32], records: impl Fn(u64) -> u64) {
        let lives: Vec<u64> = (0..LIVES).collect();
        // No more of them are taken in an hour.
        for some in lives.chunks(50) {
            let mut frames = Vec::new();
            for &life in some {
                let mut author = Author::alive(&self.node, secret, incarnation(life));
                (0..records(life)).for_each(|n| author.says(noon(), note(n.to_string())));
                let sent = |frame: &Vec<u8>| Sent {
                    from: author.feed.node,
                    frame: Payload::new(frame).expect("is bounded"),
                };
                frames.extend(author.frames.iter().map(sent));
            }
            let verdicts = self.node.timeline().admit(frames).await.expect("judges");
            let is_in = |verdict: &Verdict| matches!(verdict, Verdict::Admitted { .. });
            assert!(verdicts.iter().all(is_in), "{verdicts:?}");
            let clock = self.node.runtime.clock();
            clock.set(clock.now().after(HOUR));
        }
    }

    fn cut(&self, node: PublicKey, life: u64) -> Cut {
        self.node.timeline().roster().cut(FeedId { node, incarnation: incarnation(life) })
    }
}

/// Long on the wire.
fn incarnation(life: u64) -> u64 {
    u64::MAX - life
}

#[tokio::test]
async fn a_member_with_more_feeds_than_a_statement_names_is_revoked_and_its_longest_still_count() {
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let key = NodeKey::from_secret([1; 32]);
    let seat = Seat::Under(founder.node.timeline().own().node);
    let Claim::Certificate(certificate) = founder.certificate(&key, "mallory@lab", Role::User, None) else {
        panic!("a certificate");
    };
    let consent = seat.agree(founder.node.timeline().env(), &key);
    founder.states(Claim::Certificate(Certificate { seat, consent, ..certificate })).await;
    founder.takes_lives([1; 32], |life| if life == 400 { 2 } else { 1 }).await;
    let revoke = json!({ "node": key.public(), "reason": "it never stops" });
    founder.node.submit("peer.revoke", revoke).await.expect("revokes");
    let roster = founder.node.timeline().roster();
    assert_eq!(roster.member(key.public()).map(|it| it.standing()), Some(Standing::Revoked));
    assert_eq!(founder.cut(key.public(), 400).seq(), Some(2));
    let gone = (0..LIVES).filter(|life| founder.cut(key.public(), *life) == Cut::Everything);
    assert_eq!(gone.count(), LIVES as usize - HEADS_MAX);
    founder.node.stop().await;
}

#[tokio::test]
async fn a_node_whose_key_wrote_more_feeds_than_a_statement_names_takes_another_key_and_its_own_feed_counts()
{
    let home = tempfile::tempdir().expect("a folder");
    let founder = Founder::start(home.path()).await;
    let own = founder.node.timeline().own();
    let thief = NodeKey::load(home.path()).expect("it has a key");
    founder.takes_lives(thief.transport_secret(), |_| 8).await;
    founder.node.submit("peer.rotate", json!({})).await.expect("rotates");
    let roster = founder.node.timeline().roster();
    assert_ne!(roster.heir(own.node), own.node);
    let row = founder.node.feeds().into_iter().find(|row| row.feed == own);
    let row = row.expect("it wrote");
    assert!(row.head.seq < 8, "it is shorter than the others");
    assert!(matches!(roster.cut(own), Cut::After { seq: 1.., .. }));
    founder.node.stop().await;
}
