//! Key rings: who may, until when, and who says so.

use super::*;

const LATER: &str = "2026-12-01T00:00:00Z";

/// A ring that follows the sample, after a change.
fn next(change: impl FnOnce(&mut Ring)) -> Ring {
    let mut next = Ring { version: 2, issued_at: at("2026-11-20T00:00:00Z"), ..ring() };
    change(&mut next);
    next
}

fn unsound(change: impl FnOnce(&mut Ring)) -> InvalidRing {
    let mut ring = ring();
    change(&mut ring);
    match ring.write() {
        Err(NotVerified::Ring(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn key(ring: &mut Ring, number: u8) -> &mut Key {
    ring.keys.get_mut(&id(number)).expect("it is in the sample")
}

/// That no publisher signed, and that the key of this number did, which does not count.
fn barred(number: u8, why: Barred) -> Result<(), NotVerified> {
    barred_from(Some(Right::Role(Role::Publisher)), number, why)
}

/// The same of those who have another right, or were named.
fn barred_from(right: Option<Right>, number: u8, why: Barred) -> Result<(), NotVerified> {
    let passed_over = BTreeMap::from([(id(number), why)]);
    Err(NotVerified::Threshold { have: 0, need: 1, right, passed_over })
}

/// That one of the two signed who must.
fn one_of_two(right: Right, passed_over: BTreeMap<KeyId, Barred>) -> Result<(), NotVerified> {
    Err(NotVerified::Threshold { have: 1, need: 2, right: Some(right), passed_over })
}

#[test]
fn each_role_may_do_its_own_thing_and_no_other() {
    let (ring, tree) = (ring(), sample().tree);
    let published = |signer| ring.manifest(&signed(&[signer]), now()).map(drop);
    assert_eq!((published(1), published(2)), (Ok(()), Ok(())));
    for other in [3, 4, 5, 9] {
        assert_eq!(published(other), barred(other, Barred::Role));
    }
    assert_eq!(published(7), barred(7, Barred::Unknown));
    let said = published(7).expect_err("a stranger").to_string();
    assert_eq!(
        said,
        format!("0 of 1 needed signatures of `publisher` keys; key `{}` is not known here", id(7))
    );
    let statement = |signer| sealed(&about_sample(leave(9, 7)), &[signer]);
    let given = |signer| ring.statement::<Rollback>(&statement(signer), &tree, now()).map(drop);
    assert_eq!(given(4), Ok(()));
    for other in [1, 3, 9] {
        let barred = barred_from(Some(Right::Role(Role::Rollback)), other, Barred::Role);
        assert_eq!(given(other), barred, "attesting is no leave to go back");
    }
    let sbom = |signer| {
        let sbom = Sbom(json!({ "bomFormat": "CycloneDX" }).as_object().expect("an object").clone());
        ring.statement::<Sbom>(&sealed(&about_sample(sbom), &[signer]), &tree, now()).map(drop)
    };
    let barred = barred_from(Some(Right::Role(Role::Attestor)), 4, Barred::Role);
    assert_eq!((sbom(3), sbom(4)), (Ok(()), barred));
    let another = Digest::of(b"another tree");
    let refused = ring.statement::<Rollback>(&statement(4), &another, now()).expect_err("about another");
    assert_eq!(refused, NotVerified::Subject { found: tree, wanted: another });
}

#[test]
fn who_may_do_what_depends_on_the_ring_and_the_instant_only() {
    let mut ring = ring();
    key(&mut ring, 2).expires = Some(at(LATER));
    let who = |now| {
        let quorum = ring.publishers(&slug("shop"), now).expect("current");
        (quorum.members().collect::<BTreeSet<_>>(), quorum.threshold())
    };
    assert_eq!(who(now()), (BTreeSet::from([id(1), id(2)]), 1));
    assert_eq!(who(at(LATER)), (BTreeSet::from([id(1)]), 1));
}

#[test]
fn an_app_can_have_publishers_and_a_threshold_of_its_own() {
    let mut ring = ring();
    ring.apps.insert(slug("shop"), grant(&[1, 5], 2));
    assert!(ring.manifest(&signed(&[5, 1]), now()).is_ok());
    let refused = ring.manifest(&signed(&[1]), now()).map(drop);
    assert_eq!(refused, one_of_two(Right::App(slug("shop")), BTreeMap::new()));
    let refused = ring.manifest(&signed(&[1, 2]), now()).map(drop);
    let passed_over = BTreeMap::from([(id(2), Barred::Role)]);
    assert_eq!(refused, one_of_two(Right::App(slug("shop")), passed_over));
    let said = refused.expect_err("refused").to_string();
    assert!(said.starts_with("1 of 2 needed signatures of `app shop` keys; key `"), "{said}");
    ring.apps = BTreeMap::from([(slug("other"), grant(&[5], 1))]);
    assert_eq!(
        ring.manifest(&signed(&[5]), now()).map(drop),
        barred(5, Barred::Role),
        "the publisher of another app"
    );
}

#[test]
fn a_key_counts_until_it_expires_or_is_revoked_and_says_when() {
    let mut expiring = ring();
    key(&mut expiring, 1).expires = Some(now());
    let before = now().before(std::time::Duration::from_micros(1));
    assert!(expiring.manifest(&signed(&[1]), before).is_ok());
    assert_eq!(expiring.manifest(&signed(&[1]), now()).map(drop), barred(1, Barred::Expired(now())));
    let mut leaked = ring();
    key(&mut leaked, 1).revoked = Some(Revoked { at: now(), reason: line("lost in a train") });
    assert!(leaked.manifest(&signed(&[1]), before).is_ok());
    let said = leaked.manifest(&signed(&[1]), now()).expect_err("revoked").to_string();
    let wanted =
        format!("0 of 1 needed signatures of `publisher` keys; key `{}` was revoked at {}", id(1), now());
    assert_eq!(said, wanted);
    assert!(leaked.manifest(&signed(&[1, 2]), now()).is_ok(), "key 2 signed as well");
}

#[test]
fn what_was_let_in_comes_in_again_though_it_expired_since_but_not_when_it_was_revoked() {
    let mut ring = ring();
    let (then, late) = (now(), at("2030-01-01T00:00:00Z"));
    key(&mut ring, 1).expires = Some(at(LATER));
    assert!(ring.expires < late && ring.manifest(&signed(&[1]), late).is_err());
    assert!(ring.manifest_again(&signed(&[1]), then, late).is_ok());
    assert_eq!(
        ring.manifest_again(&signed(&[1]), late, late).map(drop),
        barred(1, Barred::Expired(at(LATER))),
        "it was not good any more"
    );
    key(&mut ring, 1).revoked = Some(Revoked { at: at(LATER), reason: line("leaked") });
    let refused = ring.manifest_again(&signed(&[1]), then, late).map(drop);
    assert_eq!(refused, barred(1, Barred::Revoked(at(LATER))), "whenever it was let in");
}

#[test]
fn a_ring_that_expired_lets_nobody_in_and_one_from_the_future_neither() {
    let expires = ring().expires;
    let refused = NotVerified::RingExpired { env: line("prod"), at: expires };
    assert_eq!(ring().manifest(&signed(&[1]), expires), Err(refused.clone()));
    assert_eq!(ring().quorum(Role::Attestor, expires).map(drop), Err(refused));
    let (at, now) = (ring().issued_at, at("2026-10-31T00:00:00Z"));
    assert_eq!(
        ring().manifest(&signed(&[1]), now),
        Err(NotVerified::Future { at, now }),
        "a clock that was set back makes no key good again"
    );
}

#[test]
fn a_clock_may_be_a_little_behind_and_not_much() {
    let packed = sample().created_at;
    assert!(ring().manifest(&signed(&[1]), packed.before(CLOCK_SKEW)).is_ok());
    let now = packed.before(CLOCK_SKEW * 2);
    let refused = ring().manifest(&signed(&[1]), now).expect_err("of the future");
    assert_eq!(refused, NotVerified::Future { at: packed, now });
    assert!(refused.to_string().ends_with("set the clock that is wrong"));
}

#[test]
fn a_capsule_of_dev_is_not_one_of_prod() {
    let mut dev = Ring { env: line("dev"), ..ring() };
    dev.roles.insert(Role::Publisher, grant(&[5], 1));
    let admitted = dev.manifest(&signed(&[5]), now()).expect("signed for dev");
    assert_eq!(admitted.env(), &line("dev"));
    assert_eq!(ring().manifest(&signed(&[5]), now()).map(drop), barred(5, Barred::Role));
    // Even where one key publishes in both, what was let into one is not in the other.
    let admitted = Ring { env: line("dev"), ..ring() }.manifest(&signed(&[1]), now()).expect("signed");
    let refused = Refused::Env { found: line("dev"), wanted: line("prod") };
    assert_eq!(decide(&Seen::nothing(line("prod"), slug("shop")), &admitted, None, now()), Err(refused));
}

#[test]
fn the_next_ring_is_signed_by_the_old_root_and_by_its_own() {
    let rotated = next(|next| {
        next.roles.insert(Role::Root, grant(&[5], 1));
        key(next, 9).revoked = Some(Revoked { at: next.issued_at, reason: line("handed over") });
    });
    let taken = ring().succeed(&sealed(&rotated, &[9, 5]), now()).expect("signed by both");
    assert_eq!(taken, rotated);
    let only_old = ring().succeed(&sealed(&rotated, &[9]), now()).map(drop);
    let barred = |number, why| barred_from(Some(Right::Role(Role::Root)), number, why);
    assert_eq!(only_old, barred(9, Barred::Revoked(rotated.issued_at)));
    assert_eq!(ring().succeed(&sealed(&rotated, &[5]), now()).map(drop), barred(5, Barred::Role));
    assert_eq!(ring().succeed(&sealed(&rotated, &[7]), now()).map(drop), barred(7, Barred::Unknown));
    let third = Ring { version: 3, ..rotated.clone() };
    assert!(rotated.succeed(&sealed(&third, &[5]), now()).is_ok());
    assert!(rotated.succeed(&sealed(&third, &[9, 1]), now()).is_err(), "the old root is out");
}

#[test]
fn the_root_may_need_several() {
    let mut ring = ring();
    ring.roles.insert(Role::Root, grant(&[9, 5], 2));
    let next = Ring { version: 2, ..ring.clone() };
    assert!(ring.succeed(&sealed(&next, &[9, 5]), now()).is_ok());
    let refused = ring.succeed(&sealed(&next, &[9]), now()).map(drop);
    assert_eq!(refused, one_of_two(Right::Role(Role::Root), BTreeMap::new()));
    let lowered = Ring { version: 2, roles: super::ring().roles, ..ring.clone() };
    assert!(ring.succeed(&sealed(&lowered, &[9]), now()).is_err(), "one of two cannot lower the threshold");
}

#[test]
fn rings_are_taken_in_turn_and_only_those_of_the_environment() {
    let refusal = |change: fn(&mut Ring)| match ring().succeed(&sealed(&next(change), &[9]), now()) {
        Err(NotVerified::Ring(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refusal(|next| next.version = 1),
        InvalidRing::Version { found: 1, have: 1 },
        "the same again"
    );
    assert_eq!(refusal(|next| next.version = 3), InvalidRing::Version { found: 3, have: 1 });
    let refused = InvalidRing::Env { found: line("dev"), wanted: line("prod") };
    assert_eq!(refusal(|next| next.env = line("dev")), refused);
    let refused = refusal(|next| next.issued_at = at("2026-10-01T00:00:00Z"));
    assert!(matches!(refused, InvalidRing::Backdated { .. }), "{refused}");
    let future = next(|next| next.issued_at = at(LATER));
    let refused = ring().succeed(&sealed(&future, &[9]), now()).map(drop);
    assert_eq!(refused, Err(NotVerified::Future { at: at(LATER), now: now() }));
    let last = Ring { version: u64::MAX, ..ring() };
    assert!(last.succeed(&sealed(&ring(), &[9]), now()).is_err(), "nothing follows the last");
}

#[test]
fn a_machine_that_was_away_takes_the_rings_that_it_missed() {
    let mut first = ring();
    key(&mut first, 9).expires = Some(at(LATER));
    let mut second = next(|next| drop(next.roles.insert(Role::Root, grant(&[5], 1))));
    key(&mut second, 9).expires = Some(at(LATER));
    let much_later = at("2028-01-01T00:00:00Z");
    let envelope = sealed(&second, &[9, 5]);
    assert!(first.succeed(&envelope, much_later).is_ok(), "key 9 was good when it was issued");
    key(&mut first, 9).revoked = Some(Revoked { at: at("2027-06-01T00:00:00Z"), reason: line("leaked") });
    assert!(first.succeed(&envelope, now()).is_ok());
    assert!(first.succeed(&envelope, much_later).is_err(), "a revoked key says nothing about the past");
    let late = Ring { issued_at: at("2026-12-02T00:00:00Z"), ..second };
    assert!(ring().succeed(&sealed(&late, &[9, 5]), much_later).is_ok());
    key(&mut first, 9).revoked = None;
    let refused = first.succeed(&sealed(&late, &[9, 5]), much_later);
    assert!(matches!(refused, Err(NotVerified::Threshold { have: 0, .. })), "it had expired: {refused:?}");
}

#[test]
fn the_first_ring_is_that_of_the_key_that_was_pinned() {
    let envelope = sealed(&ring(), &[9]);
    assert_eq!(Ring::pinned(&envelope, &Quorum::one(public(9)), now()), Ok(ring()));
    let refused = Ring::pinned(&envelope, &Quorum::one(public(8)), now()).map(drop);
    assert_eq!(refused, barred_from(None, 9, Barred::Unknown));
    let refused = Ring::pinned(&sealed(&ring(), &[8]), &Quorum::one(public(8)), now()).map(drop);
    let barred = barred_from(Some(Right::Role(Role::Root)), 8, Barred::Unknown);
    assert_eq!(refused, barred, "its own root did not sign it");
    let wanted = Ring::TYPE;
    let refused = Ring::pinned(&signed(&[9]), &Quorum::one(public(9)), now()).map(drop);
    assert_eq!(refused, Err(NotVerified::Type { found: Manifest::TYPE.to_owned(), wanted }));
}

#[test]
fn a_ring_that_would_let_in_what_nobody_signed_is_none() {
    let place = || "/roles/publisher".to_owned();
    let publishers = |keys: &[u8], threshold| {
        let grant = grant(keys, threshold);
        unsound(|ring| drop(ring.roles.insert(Role::Publisher, grant)))
    };
    assert_eq!(publishers(&[1, 2], 0), InvalidRing::Zero { place: place() });
    assert_eq!(publishers(&[], 0), InvalidRing::Zero { place: place() });
    assert_eq!(publishers(&[1, 1], 2), InvalidRing::Twice { place: place(), key_id: id(1) });
    assert_eq!(publishers(&[1, 2], 3), InvalidRing::TooFew { place: place(), threshold: 3, keys: 2 });
    assert_eq!(publishers(&[7], 1), InvalidRing::NoKey { place: place(), key_id: id(7) });
    let of_app = unsound(|ring| drop(ring.apps.insert(slug("shop"), grant(&[1], 0))));
    assert_eq!(of_app, InvalidRing::Zero { place: "/apps/shop".to_owned() });
    assert_eq!(unsound(|ring| drop(ring.roles.remove(&Role::Root))), InvalidRing::NoRoot);
    assert_eq!(unsound(|ring| ring.format_version = 2), InvalidRing::Format(2));
    assert!(matches!(unsound(|ring| ring.expires = ring.issued_at), InvalidRing::Instants { .. }));
}

#[test]
fn a_key_under_the_name_of_another_is_a_lie() {
    let lie = unsound(|ring| key(ring, 1).key = public(7));
    assert_eq!(lie, InvalidRing::LyingKeyId { said: id(1), is: id(7) });
    let twice = unsound(|ring| key(ring, 1).key = public(2));
    assert_eq!(twice, InvalidRing::LyingKeyId { said: id(1), is: id(2) }, "one key under two names");
}

#[test]
fn a_ring_is_read_strictly() {
    let text = String::from_utf8(ring().write().expect("sound")).expect("text");
    let refusal = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        Ring::read(text.replacen(from, to, 1).as_bytes()).expect_err(to).to_string()
    };
    let said = refusal("\"version\": 1", "\"version\": 1, \"version\": 2");
    assert_eq!(said, "no such key ring: `/version`: stands there twice; keep one of them");
    let said = refusal("\"version\": 1", "\"version\": 1, \"only\": \"mondays\"");
    assert!(said.contains("unknown field `only`"), "{said}");
    let said = refusal("\"threshold\": 1", "\"threshold\": 1, \"except\": []");
    assert!(said.contains("unknown field `except`"), "{said}");
    let weak = "00".repeat(32);
    let said = refusal(&public(1).to_string(), &weak);
    assert!(said.contains(&format!("`{weak}` is a weak key")), "{said}");
    let said = refusal("\"publisher\"", "\"emperor\"");
    assert!(said.contains("unknown variant `emperor`"), "{said}");
    let said = refusal(&format!("\"{}\"", id(1)), &format!("\"{}\"", id(1).to_string().to_uppercase()));
    assert!(said.contains("is no key id of 64 lowercase hex digits"), "{said}");
    let many = format!("{{\"x\":\"{}\"}}", "a".repeat(RING_MAX_BYTES));
    assert!(Ring::read(many.as_bytes()).expect_err("large").to_string().contains("and may have 1048576"));
}
