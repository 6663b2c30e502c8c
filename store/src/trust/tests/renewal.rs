//! Certificates that follow each other, and who may write the next one.

use super::*;

fn until(said: &Said, who: u8) -> (Role, Option<i64>) {
    let roster = said.roster();
    let member = roster.member(public(who)).expect("a member");
    (member.role, member.expires.map(Timestamp::as_micros))
}

#[test]
fn whoever_is_above_renews_a_certificate_and_the_newest_one_holds_whoever_said_it() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.invite(BOB, CAROL);
    assert_eq!(until(&said, CAROL), (Role::User, None));
    said.renew(BOB, CAROL, Role::User, 5_000, 100).expect("Bob let her in");
    said.renew(ROOT, CAROL, Role::User, 7_000, 300).expect("the root is above all");
    said.renew(ALICE, CAROL, Role::User, 6_000, 200).expect("Alice is above Bob");
    assert_eq!(until(&said, CAROL), (Role::User, Some(7_000)));
    assert_eq!(said.roster().member(public(CAROL)).map(|member| member.issuer), Some(public(ROOT)));
    said.renew(BOB, CAROL, Role::User, 8_000, 400).expect("Bob still may");
    assert_eq!(until(&said, CAROL), (Role::User, Some(8_000)));
    for (who, node) in [(CAROL, CAROL), (CAROL, BOB), (BOB, ALICE), (DAVE, CAROL), (ALICE, DAVE)] {
        assert_eq!(said.renew(who, node, Role::User, 9_000, 500), None, "{who} is not above {node}");
    }
}

#[test]
fn of_two_certificates_of_one_time_every_node_takes_the_same() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    let ids = [5_000, 6_000].map(|end| (said.renew(ROOT, ALICE, Role::User, end, 100), end));
    let (_, end) = ids.into_iter().max().expect("two");
    assert_eq!(until(&said, ALICE), (Role::User, Some(end)));
    said.placed.reverse();
    assert_eq!(until(&said, ALICE), (Role::User, Some(end)));
}

#[test]
fn a_renewal_gives_no_more_than_its_issuer_has_and_the_root_gives_anything() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.renew(ALICE, BOB, Role::OwnerAdmin, 5_000, 100);
    assert_eq!(until(&said, BOB).0, Role::User);
    said.renew(ROOT, BOB, Role::OwnerAdmin, 5_000, 200);
    assert_eq!(until(&said, BOB).0, Role::OwnerAdmin);
}

#[test]
fn a_member_for_a_time_lets_nobody_in_for_longer_and_its_renewal_lifts_those_below() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.renew(ROOT, ALICE, Role::User, 5_000, 100);
    // Alice lets in a second node of her own, without an end, and that one another.
    said.invite(ALICE, BOB);
    said.invite(BOB, CAROL);
    said.renew(BOB, CAROL, Role::User, 9_000, 200);
    let ends = |said: &Said| [ALICE, BOB, CAROL].map(|who| until(said, who).1);
    assert_eq!(ends(&said), [Some(5_000); 3]);
    let now = Timestamp::from_micros(5_000);
    let refused = said.roster().admit(public(BOB), now).map(|_| ());
    assert_eq!(refused, Err(NotAdmitted::Expired(public(BOB), now)));
    said.renew(ROOT, ALICE, Role::User, 7_000, 300);
    assert_eq!(ends(&said), [Some(7_000); 3]);
    // What another than the issuer goes on from ends as it does now; by the issuer it would be lifted again.
    let roster = said.roster();
    let bob = roster.member(public(BOB)).expect("a member");
    assert_eq!(bob.end_by(public(ROOT)), Some(now.after(std::time::Duration::from_micros(2_000))));
    assert_eq!(bob.end_by(public(ALICE)), None);
    // Under another key Alice is the same member, which is renewed under that one.
    said.rotate(ROOT, ALICE, DAVE, &[(ALICE, 9)]);
    said.renew(ROOT, DAVE, Role::User, 8_000, 400).expect("the root is above all");
    assert_eq!(ends(&said)[1..], [Some(8_000); 2]);
    said.renew(ROOT, DAVE, Role::User, 6_000, 500).expect("the root is above all");
    assert_eq!(ends(&said)[1..], [Some(6_000); 2]);
    said.renew(ROOT, DAVE, Role::User, 10_000, 600).expect("the root is above all");
    assert_eq!(ends(&said)[1..], [Some(10_000), Some(9_000)], "each ends where its own certificate says");
}

#[test]
fn who_took_another_key_is_renewed_under_that_one_and_who_is_out_stays_out() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.rotate(ALICE, BOB, CAROL, &[(BOB, 1)]);
    said.renew(ALICE, CAROL, Role::User, 5_000, 100).expect("Alice is above the seat");
    assert_eq!(until(&said, CAROL), (Role::User, Some(5_000)));
    said.revoke(ROOT, ALICE, &[(ALICE, 3)]);
    // What Alice said before still holds; the root goes on in her place.
    said.renew(ROOT, CAROL, Role::Operator, 6_000, 200).expect("the root is above all");
    assert_eq!(until(&said, CAROL), (Role::Operator, Some(6_000)));
    said.revoke(ROOT, CAROL, &[]);
    said.renew(ROOT, CAROL, Role::User, 7_000, 300);
    let standing = said.roster().member(public(CAROL)).map(Member::standing);
    assert_eq!(standing, Some(Standing::Revoked));
}

#[test]
fn the_root_revokes_who_founded_and_those_below_stay() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    let id = said.revoke(ROOT, ALICE, &[(ALICE, 1)]);
    // The root writes no feed: a member below the founder carries its word.
    let carried = Some(Place { feed: feed(BOB), record: head(1) });
    said.placed.last_mut().expect("it was said").place = carried;
    let roster = said.roster();
    assert_eq!(roster.not_counted().get(&id), None);
    let standing = |who| roster.member(public(who)).map(Member::standing);
    assert_eq!((standing(ALICE), standing(BOB)), (Some(Standing::Revoked), Some(Standing::Active)));
}
