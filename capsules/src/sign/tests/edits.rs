//! Key rings in the making, each change taken by who trusts the ring before it.

use super::*;

const YEAR: &str = "2027-11-01T00:00:00Z";

fn key(number: u8) -> Key {
    Key::new(public(number), line(&format!("key {number}")))
}

fn first() -> Ring {
    Ring::first(line("prod"), key(9), at("2026-11-01T00:00:00Z"), at(YEAR))
}

/// What becomes of `ring` with one change, signed by these.
fn changed(ring: &Ring, signers: &[u8], change: impl FnOnce(&mut Ring)) -> Result<Ring, NotVerified> {
    let mut next = ring.next(now(), at(YEAR));
    change(&mut next);
    let mut envelope = seal(&next, &secret(signers[0]))?;
    for signer in &signers[1..] {
        envelope.sign(&secret(*signer))?;
    }
    ring.succeed(&envelope, now())
}

#[test]
fn the_first_key_may_do_everything_and_let_others_do_something() {
    let ring = first();
    assert_eq!(Ring::kept(&sealed(&ring, &[9]), now()).expect("its own root signed"), ring);
    Ring::kept(&sealed(&ring, &[1]), now()).expect_err("somebody else signed");
    ring.manifest(&signed(&[1]), now()).expect_err("nobody let key 1 publish");
    let ring = changed(&ring, &[9], |ring| ring.grant(Right::Role(Role::Publisher), key(1))).expect("taken");
    ring.manifest(&signed(&[1]), now()).expect("it may publish");
    assert_eq!((ring.version, ring.rights(id(1))), (2, vec!["publisher".to_owned()]));
    changed(&ring, &[1], |ring| ring.grant(Right::Role(Role::Root), key(1))).expect_err("it is no root");
}

#[test]
fn an_app_gets_publishers_of_its_own_who_sign_together() {
    let ring = changed(&first(), &[9], |ring| {
        [1, 2].into_iter().for_each(|number| ring.grant(Right::App(slug("shop")), key(number)));
        ring.require(Right::App(slug("shop")), 2);
    });
    let ring = ring.expect("taken");
    ring.manifest(&signed(&[9]), now()).expect_err("only its own publishers may");
    ring.manifest(&signed(&[1]), now()).expect_err("one of two");
    ring.manifest(&signed(&[1, 2]), now()).expect("both");
    let error = changed(&ring, &[9], |ring| assert!(ring.revoke(id(2), now(), line("lost"))));
    assert!(
        error
            .expect_err("one is left of two")
            .to_string()
            .contains("a threshold of 2 is never met by 1 keys")
    );
}

#[test]
fn a_revoked_key_may_nothing_and_its_right_falls_to_nobody_else() {
    let ring = changed(&first(), &[9], |ring| ring.grant(Right::App(slug("shop")), key(1))).expect("taken");
    let ring = changed(&ring, &[9], |ring| assert!(ring.revoke(id(1), now(), line("lost")))).expect("taken");
    let error = ring.manifest(&signed(&[1]), now()).expect_err("revoked").to_string();
    assert!(error.contains("was revoked at"), "{error}");
    ring.manifest(&signed(&[9]), now()).expect_err("the app has publishers of its own, even if none is good");
    assert!(!ring.clone().revoke(id(7), now(), line("lost")), "it is not there");
}

#[test]
fn a_root_is_rotated_by_the_old_one_and_the_new_one() {
    let rotate = |ring: &mut Ring| assert!(ring.rotate(id(9), key(5), now(), line("rotated")));
    for signers in [&[9_u8][..], &[5]] {
        changed(&first(), signers, rotate).expect_err("both must sign");
    }
    let ring = changed(&first(), &[9, 5], rotate).expect("both signed");
    assert_eq!(ring.rights(id(5)), ["root", "publisher", "attestor", "rollback"]);
    assert_eq!(ring.rights(id(9)), Vec::<String>::new());
    ring.manifest(&signed(&[9]), now()).expect_err("it is revoked");
    ring.manifest(&signed(&[5]), now()).expect("it came in its place");
    changed(&ring, &[9], |_| {}).expect_err("the old root signs nothing any more");
    changed(&ring, &[5], |_| {}).expect("the new one does");
}
