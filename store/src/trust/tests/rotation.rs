//! Who speaks for whom while keys change.

use super::*;

/// The last word of `old` behind record `seq`: that `new` takes its seat.
fn farewell(said: &mut Said, old: u8, new: u8, seq: u64) {
    let succession = Succession::sign(env(), &key(old), public(new), last(&[(old, seq)]));
    said.seat(old, Seat::Succeeding(succession), new, Role::OwnerAdmin);
}

fn open(said: &Said) -> Vec<PublicKey> {
    let roster = said.roster();
    roster.farewells(&said.placed).into_iter().map(|word| word.statement.statement().issuer).collect()
}

#[test]
fn a_last_word_changes_nothing_until_one_above_confirms_it() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.say(BOB, Claim::Revocation(Revocation { node: public(DAVE), last: last(&[]), reason: "no".into() }));
    farewell(&mut said, BOB, CAROL, 1);
    assert_eq!(open(&said), [public(BOB)]);
    assert_eq!((said.roster().heir(public(BOB)), said.roster().member(public(CAROL))), (public(BOB), None));

    said.rotate(ALICE, BOB, CAROL, &[(BOB, 1)]);
    let roster = said.roster();
    assert_eq!(open(&said), [], "it is confirmed");
    assert_eq!((roster.heir(public(BOB)), roster.heir(public(CAROL))), (public(CAROL), public(CAROL)));
    assert_eq!(roster.heritage(public(CAROL)), BTreeSet::from([public(BOB), public(CAROL)]));
    assert_eq!(roster.heritage(public(BOB)), BTreeSet::from([public(BOB)]));

    said.revoke(ALICE, CAROL, &[]);
    assert_eq!(said.roster().heritage(public(CAROL)).len(), 2, "whoever is out was who it was");
}

#[test]
fn a_word_that_was_not_the_last_or_stands_elsewhere_asks_for_nothing() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    farewell(&mut said, BOB, CAROL, 7);
    assert_eq!(open(&said), [], "records before it are missing");
    farewell(&mut said, BOB, CAROL, 1);
    assert_eq!(open(&said), [public(BOB)]);
    said.placed.last_mut().expect("it was said").place = Some(Place { feed: feed(ALICE), record: head(2) });
    assert_eq!(open(&said), [], "another put it into its own feed");
    farewell(&mut said, DAVE, CAROL, 0);
    assert_eq!(open(&said), [], "a stranger has no seat");
}

#[test]
fn whose_new_key_only_one_confirmed_who_was_cut_before_is_out_until_another_above_confirms_it() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, DAVE);
    said.invite(DAVE, BOB);
    said.invite(BOB, 5);
    farewell(&mut said, BOB, CAROL, 1);
    said.rotate(DAVE, BOB, CAROL, &[(BOB, 1)]);
    assert_eq!(said.roster().heir(public(BOB)), public(CAROL));

    said.revoke(ALICE, DAVE, &[(DAVE, 1)]);
    assert_eq!(said.roster().member(public(CAROL)), None, "a stranger, although it goes by this key");
    assert_eq!(open(&said), [public(BOB)], "what it said last can be confirmed still");
    let again = |who| {
        let mut said = said.clone();
        said.rotate(who, BOB, CAROL, &[(BOB, 1)]);
        (said.roster().heir(public(BOB)), open(&said))
    };
    assert_eq!(again(DAVE), (public(BOB), vec![public(BOB)]), "whoever is out confirms nothing");
    for who in [ALICE, ROOT] {
        assert_eq!(again(who), (public(CAROL), vec![]));
    }
}
