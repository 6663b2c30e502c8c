//! What happens to people, one story a test.

use super::*;
use crate::trust::NotCounted::*;

fn standing(said: &Said, who: u8) -> Option<Standing> {
    said.roster().member(public(who)).map(Member::standing)
}

fn why_not(said: &Said, id: Digest) -> Option<NotCounted> {
    said.roster().not_counted().get(&id).copied()
}

fn after(seq: u64) -> Cut {
    Cut::from(head(seq))
}

#[test]
fn members_let_members_in_below_themselves() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    let roster = said.roster();
    assert_eq!(roster.members().map(|(_, member)| member.rank).max(), Some(2));
    assert_eq!(roster.first_expiry(), None);
    assert_eq!(roster.cut(feed(BOB)), Cut::Nowhere);
    assert!(roster.ranks_above(public(ROOT), public(BOB)) && roster.ranks_above(public(ALICE), public(BOB)));
    assert!(!roster.ranks_above(public(BOB), public(ALICE)));
    assert_eq!(roster.cut(feed(CAROL)), Cut::Everything, "a stranger's feed");
    assert!(roster.not_counted().is_empty());
}

#[test]
fn a_revoked_member_keeps_what_it_wrote_before_and_whom_it_let_in_before() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    let late = said.invite(ALICE, CAROL);
    said.revoke(ROOT, ALICE, &[(ALICE, 1)]);
    let roster = said.roster();
    assert_eq!(roster.cut(feed(ALICE)), after(1));
    let another_life = FeedId { node: public(ALICE), incarnation: 2 };
    assert_eq!(roster.cut(another_life), Cut::Everything, "a feed that is not listed");
    assert_eq!(standing(&said, ALICE), Some(Standing::Revoked));
    let because = |node| roster.member(public(node)).and_then(|member| member.revoked_because.as_deref());
    assert_eq!((because(ALICE), because(BOB)), (Some("lost laptop"), None));
    assert_eq!(standing(&said, BOB), Some(Standing::Active));
    assert_eq!((standing(&said, CAROL), why_not(&said, late)), (None, Some(PastCut)));
}

#[test]
fn a_revocation_wins_over_certificates_of_equals_whenever_they_are_made() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.revoke(ALICE, BOB, &[]);
    for again in [ALICE, ROOT] {
        said.seat(again, Seat::Under(public(ALICE)), BOB, Role::User);
        assert_eq!(standing(&said, BOB), Some(Standing::Revoked));
    }
    // Dave sits beside Alice, so that he is not above her word.
    said.invite(ROOT, DAVE);
    said.invite(DAVE, BOB);
    assert_eq!(standing(&said, BOB), Some(Standing::Revoked));
}

#[test]
fn whoever_ranks_higher_may_take_a_revoked_member_in_and_answers_for_it() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ROOT, DAVE);
    said.invite(ALICE, BOB);
    said.invite(BOB, CAROL);
    said.revoke(BOB, CAROL, &[]);
    said.invite(DAVE, CAROL);
    assert_eq!(standing(&said, CAROL), Some(Standing::Active));
    said.revoke(ROOT, DAVE, &[]);
    assert_eq!(standing(&said, CAROL), Some(Standing::Revoked), "what Dave said does not count any more");
}

#[test]
fn two_members_who_revoke_each_other_both_stay() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ROOT, BOB);
    // Certifying each other does not help them: both sit higher already.
    let (up, down) = (said.invite(ALICE, BOB), said.invite(BOB, ALICE));
    let (one, other) = (said.revoke(ALICE, BOB, &[]), said.revoke(BOB, ALICE, &[]));
    assert_eq!(
        (standing(&said, ALICE), standing(&said, BOB)),
        (Some(Standing::Active), Some(Standing::Active))
    );
    let reasons = [up, down, one, other].map(|id| why_not(&said, id));
    assert_eq!(reasons, [Some(Seated), Some(Seated), Some(NotAbove), Some(NotAbove)]);
}

#[test]
fn nobody_revokes_upwards_or_the_root() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    let cases = [
        (said.revoke(BOB, ALICE, &[]), NotAbove),
        (said.revoke(BOB, BOB, &[]), NotAbove),
        (said.revoke(BOB, ROOT, &[]), Root),
        (said.invite(BOB, ROOT), Root),
        (said.revoke(DAVE, BOB, &[]), Stranger),
        (said.seat(BOB, Seat::Under(public(ALICE)), CAROL, Role::User), NotAbove),
    ];
    for (id, reason) in cases {
        assert_eq!(why_not(&said, id), Some(reason));
    }
}

#[test]
fn a_member_is_heard_in_its_own_feed_only_and_the_root_everywhere() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.placed[0].place = Some(Place { feed: feed(DAVE), record: head(9) });
    let id = said.invite(ALICE, BOB);
    let own = said.placed[1].place;
    for strange in [None, Some(Place { feed: feed(DAVE), record: head(1) })] {
        said.placed[1].place = strange;
        assert_eq!((standing(&said, BOB), why_not(&said, id)), (None, Some(Elsewhere)));
    }
    // The same statement seen again where it belongs.
    let copy = Placed { place: own, ..said.placed[1].clone() };
    said.placed.push(copy);
    assert_eq!(standing(&said, BOB), Some(Standing::Active));
}

#[test]
fn what_was_said_behind_a_fork_does_not_count() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    let behind = said.invite(ALICE, CAROL);
    said.forks.insert(feed(ALICE), after(1));
    assert_eq!(standing(&said, BOB), Some(Standing::Active));
    assert_eq!(why_not(&said, behind), Some(PastCut));
    assert_eq!(said.roster().cut(feed(ALICE)), after(1));
    said.revoke(ROOT, ALICE, &[(ALICE, 7)]);
    assert_eq!(said.roster().cut(feed(ALICE)), after(1), "the earlier cut holds");
}

#[test]
fn of_several_revocations_the_earliest_cut_holds() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.revoke(ALICE, BOB, &[(BOB, 4)]);
    said.revoke(ROOT, BOB, &[(BOB, 2)]);
    assert_eq!(said.roster().cut(feed(BOB)), after(2));
    said.revoke(ROOT, BOB, &[]);
    assert_eq!(said.roster().cut(feed(BOB)), Cut::Everything);
}

#[test]
fn a_member_changes_its_key_and_its_old_one_is_silent_from_then_on() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.rotate(ROOT, ALICE, DAVE, &[(ALICE, 1)]);
    let late = said.invite(ALICE, CAROL);
    let roster = said.roster();
    assert_eq!(standing(&said, ALICE), Some(Standing::Retired));
    assert_eq!(roster.cut(feed(ALICE)), after(1));
    assert_eq!((standing(&said, DAVE), roster.cut(feed(DAVE))), (Some(Standing::Active), Cut::Nowhere));
    assert_eq!(why_not(&said, late), Some(PastCut));
    // The new key speaks for the old one's people.
    said.revoke(DAVE, BOB, &[]);
    assert_eq!(standing(&said, BOB), Some(Standing::Revoked));
}

#[test]
fn a_new_key_that_has_a_seat_elsewhere_silences_the_old_one_all_the_same() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.invite(ALICE, BOB);
    said.invite(BOB, DAVE);
    said.invite(ROOT, CAROL);
    said.rotate(ALICE, BOB, CAROL, &[(BOB, 1)]);
    assert_eq!(standing(&said, BOB), Some(Standing::Retired));
    let roster = said.roster();
    assert!(roster.ranks_above(public(CAROL), public(DAVE)) && roster.not_counted().is_empty());
    said.revoke(ALICE, BOB, &[]);
    assert_eq!(standing(&said, CAROL), Some(Standing::Active), "Alice is not above Carol");
}

#[test]
fn a_new_key_that_nobody_above_confirmed_is_a_stranger() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    let own = said.rotate(ALICE, ALICE, DAVE, &[(ALICE, 1)]);
    assert_eq!((standing(&said, DAVE), why_not(&said, own)), (None, Some(NotAbove)));
    assert_eq!(standing(&said, ALICE), Some(Standing::Active), "and the old key is not silenced");
}

#[test]
fn a_revocation_takes_the_keys_that_followed_with_it() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.rotate(ROOT, ALICE, BOB, &[(ALICE, 3)]);
    said.rotate(ROOT, BOB, CAROL, &[(BOB, 5)]);
    said.revoke(ROOT, ALICE, &[(ALICE, 2), (BOB, 4)]);
    for who in [ALICE, BOB, CAROL] {
        assert_eq!(standing(&said, who), Some(Standing::Revoked));
    }
    let roster = said.roster();
    let cuts = [ALICE, BOB, CAROL].map(|who| roster.cut(feed(who)));
    assert_eq!(cuts, [after(2), after(4), Cut::Everything]);
}

#[test]
fn a_revoked_successor_leaves_its_predecessor_s_records_alone() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    said.rotate(ROOT, ALICE, BOB, &[(ALICE, 3)]);
    said.revoke(ROOT, BOB, &[]);
    assert_eq!(standing(&said, ALICE), Some(Standing::Retired));
    assert_eq!(said.roster().cut(feed(ALICE)), after(3));
}

#[test]
fn nobody_gives_more_than_it_has_and_what_it_loses_its_people_lose() {
    let mut said = Said::default();
    let under = |who| Seat::Under(public(who));
    said.seat(ROOT, under(ROOT), ALICE, Role::Operator);
    said.seat(ALICE, under(ALICE), BOB, Role::OwnerAdmin);
    let role = |said: &Said, who| said.roster().member(public(who)).expect("a member").role;
    assert_eq!(role(&said, BOB), Role::Operator);
    said.seat(ROOT, under(ROOT), ALICE, Role::User);
    assert_eq!((role(&said, ALICE), role(&said, BOB)), (Role::User, Role::User));
}

#[test]
fn a_certificate_that_ran_out_closes_the_door_and_takes_nothing_back() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    let noon = Timestamp::from_micros(1_700_000_000_000_000);
    let seat = Seat::Under(public(ROOT));
    let consent = seat.agree(env(), &key(BOB));
    let principal = Principal::new("bob@home");
    let expires = Some(noon);
    let certificate = Certificate { node: public(BOB), seat, principal, role: Role::User, expires, consent };
    said.say(ROOT, Claim::Certificate(certificate));
    let roster = said.roster();
    let before = noon.before(std::time::Duration::from_micros(1));
    assert!(roster.admit(public(BOB), before).is_ok());
    assert_eq!(roster.admit(public(BOB), noon), Err(NotAdmitted::Expired(public(BOB), noon)));
    assert_eq!(roster.first_expiry(), Some(noon));
    assert_eq!(roster.cut(feed(BOB)), Cut::Nowhere);
    assert_eq!(roster.admit(public(CAROL), noon), Err(NotAdmitted::Stranger(public(CAROL))));
    said.revoke(ROOT, BOB, &[]);
    assert_eq!(said.roster().admit(public(BOB), before), Err(NotAdmitted::Revoked(public(BOB))));
    said.invite(ROOT, BOB);
    assert_eq!(said.roster().admit(public(BOB), before), Err(NotAdmitted::Revoked(public(BOB))));
    said.rotate(ROOT, ALICE, DAVE, &[]);
    assert_eq!(said.roster().admit(public(ALICE), noon), Err(NotAdmitted::Retired(public(ALICE))));
}

#[test]
fn the_tree_has_a_depth_and_the_seat_below_it_is_refused() {
    let mut said = Said::default();
    let ids: Vec<Digest> = (0..=RANK_MAX).map(|who| said.invite(who, who + 1)).collect();
    let roster = said.roster();
    assert_eq!(roster.members().count(), usize::from(RANK_MAX));
    assert_eq!(why_not(&said, ids[usize::from(RANK_MAX)]), Some(TooDeep));
}

#[test]
fn statements_of_another_environment_are_not_heard() {
    let mut said = Said::default();
    said.invite(ROOT, ALICE);
    let other = Roster::fold(EnvId::rooted_in(public(BOB)), &said.placed, BTreeMap::new());
    assert_eq!(other.members().count(), 0);
}
