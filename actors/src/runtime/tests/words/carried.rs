//! What the root says, whoever carries it: each who hears it says it too.

use xyn_store::trust::{Cut, Standing};

use super::*;

/// A second node, below the founder's.
async fn below(founder: &Founder, folder: &Path, name: &str) -> Node {
    let env = founder.node.timeline().env();
    let key = newcomer(folder, env).await;
    let now = founder.node.runtime.clock().now();
    let node = start_in(folder, actions::builtin(), Clock::manual(now), Environment::default()).await;
    let founders = founder.node.runtime.store().key();
    let first = founder.certificate(founders, Principal::LOCAL_OPERATOR, Role::OwnerAdmin, None);
    founder.tells(&node, first).await;
    let seat = Seat::Under(founders.public());
    let consent = seat.agree(env, &key);
    let (principal, role) = (Principal::new(name), Role::User);
    let claim = Certificate { node: key.public(), seat, principal, role, expires: None, consent };
    said_by(&founder.node, Claim::Certificate(claim)).await;
    node
}

/// Has `node` say `claim` in its own name.
async fn said_by(node: &Node, claim: Claim) {
    let (env, key) = (node.timeline().env(), node.runtime.store().key());
    let statement =
        Statement { env, issuer: key.public(), issued_at: noon(), claim }.sign(key).expect("signs");
    node.timeline().state(statement).await.expect("is said");
}

/// How often `node` itself says that the root revokes somebody.
fn said_again(node: &Node, root: PublicKey) -> usize {
    let (env, own) = (node.timeline().env(), node.timeline().own().node);
    let statements = node.runtime.store().read().expect("reads").statements(env).expect("reads");
    let is_own = |it: &&xyn_store::trust::Placed| it.place.is_some_and(|place| place.feed.node == own);
    let said = statements.iter().filter(is_own).map(|it| it.statement.statement());
    said.filter(|it| it.issuer == root && matches!(it.claim, Claim::Revocation(_))).count()
}

#[tokio::test]
async fn a_founder_that_turns_out_who_carries_the_root_s_word_against_it_is_turned_out_all_the_same() {
    let homes: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let founder = Founder::start(homes[0].path()).await;
    let bob = below(&founder, homes[1].path(), "bob@lab").await;
    let carol = below(&founder, homes[2].path(), "carol@lab").await;
    let dave = below(&founder, homes[3].path(), "dave@lab").await;
    let (root, thief) = (founder.root.public(), founder.node.timeline().own());
    for node in [&bob, &carol, &dave] {
        brings(&founder.node, node).await;
    }
    // The laptop of the founder is stolen: Bob carries the word of the root, and the thief turns Bob out.
    let reason = || "stolen".to_owned();
    let row = bob.runtime.store().read().expect("reads").feed(&thief).expect("reads").expect("it is here");
    let last = BTreeMap::from([(thief, Head { seq: row.head.seq, hash: row.head.hash })]);
    founder.tells(&bob, Claim::Revocation(Revocation { node: thief.node, last, reason: reason() })).await;
    let claim = Revocation { node: bob.timeline().own().node, last: BTreeMap::new(), reason: reason() };
    said_by(&founder.node, Claim::Revocation(claim)).await;
    let standing = |node: &Node| node.timeline().roster().member(thief.node).map(|it| it.standing());

    // Carol hears the thief first, and Bob no more; Dave hears Bob, and says it too.
    brings(&founder.node, &carol).await;
    assert_eq!(carol.timeline().roster().cut(bob.timeline().own()), Cut::Everything);
    bring(&bob, &carol).await;
    assert_eq!(standing(&carol), Some(Standing::Active));
    brings(&bob, &dave).await;
    assert_eq!((standing(&dave), said_again(&dave, root)), (Some(Standing::Revoked), 1));
    bring(&dave, &carol).await;
    assert_eq!(standing(&carol), Some(Standing::Revoked));
    assert_eq!(carol.timeline().roster().cut(bob.timeline().own()), Cut::Nowhere);

    // It goes round, and nobody says it twice.
    for (from, to) in [(&bob, &carol), (&carol, &dave), (&carol, &bob), (&dave, &bob), (&bob, &dave)] {
        bring(from, to).await;
    }
    assert_eq!([&bob, &carol, &dave].map(|node| said_again(node, root)), [1; 3]);
    let (bobs, carols) = (bob.timeline().roster(), carol.timeline().roster());
    assert!(bobs.members().eq(carols.members()), "{bobs:?} {carols:?}");
    for node in [bob, carol, dave, founder.node] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_by_the_root_is_heard_also_by_those_who_never_hear_who_carried_it() {
    let homes: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let founder = Founder::start(homes[0].path()).await;
    let bob = below(&founder, homes[1].path(), "bob@lab").await;
    let carol = below(&founder, homes[2].path(), "carol@lab").await;
    let dave = below(&founder, homes[3].path(), "dave@lab").await;
    for node in [&bob, &carol, &dave] {
        brings(&founder.node, node).await;
    }
    // Dave comes to sit below the root, by a word that Bob carries; the founder has not heard it, and turns Bob out.
    let key = dave.runtime.store().key();
    founder.tells(&bob, founder.certificate(key, "dave@lab", Role::OwnerAdmin, None)).await;
    brings(&bob, &dave).await;
    let (node, last, reason) = (bob.timeline().own().node, BTreeMap::new(), "left".to_owned());
    said_by(&founder.node, Claim::Revocation(Revocation { node, last, reason })).await;
    brings(&founder.node, &carol).await;
    brings(&founder.node, &dave).await;
    let rank = |node: &Node| node.timeline().roster().member(key.public()).map(|it| it.rank);
    assert_eq!((rank(&dave), rank(&carol)), (Some(1), Some(2)));

    bring(&dave, &carol).await;
    assert_eq!(rank(&carol), Some(1));
    let (daves, carols) = (dave.timeline().roster(), carol.timeline().roster());
    assert!(daves.members().eq(carols.members()), "{daves:?} {carols:?}");
    for node in [bob, carol, dave, founder.node] {
        node.stop().await;
    }
}
