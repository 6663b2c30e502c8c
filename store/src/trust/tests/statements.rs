//! The bytes of statements: one form, every signature checked, every fault by name.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::audit::signature::Signature;
use crate::timeline::Bytes;
use crate::timeline::hlc::Hlc;
use crate::timeline::record::{self, Body, Content};

fn certificate() -> Statement {
    let seat = Seat::Under(public(ROOT));
    let certificate = Certificate {
        node: public(ALICE),
        consent: seat.agree(env(), &key(ALICE)),
        seat,
        principal: Principal::new("alice@home"),
        role: Role::Operator,
        expires: Some(Timestamp::from_micros(1_800_000_000_000_000)),
    };
    let issued_at = Timestamp::from_micros(1_700_000_000_000_000);
    Statement { env: env(), issuer: public(ROOT), issued_at, claim: Claim::Certificate(certificate) }
}

fn samples() -> Vec<SignedStatement> {
    let mut said = Said::default();
    said.rotate(ROOT, ALICE, BOB, &[(ALICE, 3), (BOB, 300)]);
    said.revoke(ALICE, BOB, &[(BOB, 7)]);
    let mut samples: Vec<_> = said.placed.into_iter().map(|placed| placed.statement).collect();
    samples.push(certificate().sign(&key(ROOT)).expect("rightly made"));
    samples
}

/// The certificate of [`certificate`] with a change, signed again by its issuer.
fn changed(change: impl FnOnce(&mut Certificate)) -> InvalidStatement {
    let mut statement = certificate();
    if let Claim::Certificate(certificate) = &mut statement.claim {
        change(certificate);
    }
    statement.sign(&key(ROOT)).expect_err("a fault")
}

#[test]
fn a_statement_survives_its_bytes() {
    for statement in samples() {
        assert_eq!(SignedStatement::decode(statement.as_bytes(), env()).expect("own bytes"), statement);
    }
}

#[test]
fn a_statement_is_drafted_here_signed_elsewhere_and_taken_in_here_as_text() {
    let drafted = certificate().to_hex().expect("plain data");
    let read = Statement::from_hex(&drafted).expect("own text");
    assert_eq!(read, certificate());
    let signed = read.sign(&key(ROOT)).expect("rightly made");
    assert_eq!(SignedStatement::from_hex(&signed.to_hex(), env()).expect("own text"), signed);
    let (cut, longer) = (&drafted[..drafted.len() - 2], format!("{drafted}00"));
    for wrong in ["", "abc", "zz", cut, &longer, &"0".repeat(2 * STATEMENT_BYTES_MAX + 2)] {
        assert!(Statement::from_hex(wrong).is_err(), "{wrong:.80}");
        assert!(SignedStatement::from_hex(wrong, env()).is_err(), "{wrong:.80}");
    }
    assert!(SignedStatement::from_hex(&drafted, env()).is_err(), "nobody signed it");
    let mut hostile = certificate();
    if let Claim::Certificate(certificate) = &mut hostile.claim {
        certificate.principal = Principal::new("ada\u{1b}[2J@lab");
    }
    let hostile = hostile.to_hex().expect("plain data");
    assert!(matches!(Statement::from_hex(&hostile), Err(InvalidStatement::Text("principal"))), "on a screen");
}

#[test]
fn version_1_bytes_stay_what_they_are() {
    let ids: Vec<String> = samples().iter().map(|statement| statement.id().to_string()).collect();
    let golden = [
        "92b2236bd109fbf508c005d1b420bcfb8953b02c42dbfb583135c367d1686d0c",
        "9da071415e74a7c958f8384283d548f62829d5fae48b0ac00ddf00e36af109c1",
        "b54826e5f9bc2bffd940b67e8425568514481ceece9a36d8076e4cf42d9706c2",
    ];
    assert_eq!(ids, golden, "the encoding of version 1 is frozen");
}

#[test]
fn the_longest_word_with_as_many_heads_as_may_be_named_fits_in_a_record() {
    let wide = |n: u64| FeedId { node: public(ALICE), incarnation: u64::MAX - n };
    let last: BTreeMap<FeedId, Head> = (0..HEADS_MAX as u64).map(|n| (wide(n), head(u64::MAX))).collect();
    let reason = "\u{1f5dd}".repeat(REASON_MAX_CHARS);
    let revocation = Claim::Revocation(Revocation { node: public(ALICE), last: last.clone(), reason });
    let seat = Seat::Succeeding(Succession::sign(env(), &key(ALICE), public(BOB), last));
    let consent = seat.agree(env(), &key(BOB));
    let principal = Principal::new("\u{1f5dd}".repeat(PRINCIPAL_MAX_CHARS));
    let (role, expires) = (Role::OwnerAdmin, Some(Timestamp::MAX));
    let certificate =
        Claim::Certificate(Certificate { node: public(BOB), seat, principal, role, expires, consent });
    for claim in [revocation, certificate] {
        let statement = Statement { env: env(), issuer: public(ROOT), issued_at: Timestamp::MAX, claim };
        let bytes = statement.sign(&key(ROOT)).expect("fits").as_bytes().to_vec();
        let place = record::Place { env: public(ROOT), feed: wide(0), seq: 1, prev: head(0).hash };
        let content = Content { hlc: Hlc::at(Timestamp::MAX), body: Body::Statement(Bytes(bytes)) };
        place.write(content).expect("fits");
    }
}

#[test]
fn a_word_that_names_one_feed_more_is_none_also_where_it_would_fit() {
    let last: BTreeMap<FeedId, Head> = (0..=HEADS_MAX as u64)
        .map(|incarnation| (FeedId { node: public(ALICE), incarnation }, head(1)))
        .collect();
    let reason = "gone".to_owned();
    let revocation = Claim::Revocation(Revocation { node: public(ALICE), last: last.clone(), reason });
    let seat = Seat::Succeeding(Succession::sign(env(), &key(ALICE), public(BOB), last));
    let consent = seat.agree(env(), &key(BOB));
    let Claim::Certificate(ordinary) = certificate().claim else { unreachable!("it is one") };
    let succession = Claim::Certificate(Certificate { node: public(BOB), seat, consent, ..ordinary });
    for claim in [revocation, succession] {
        let statement = Statement { env: env(), issuer: public(ROOT), issued_at: Timestamp::EPOCH, claim };
        let draft = statement.to_hex().expect("plain data");
        assert!(draft.len() < 2 * STATEMENT_BYTES_MAX, "it is short enough");
        let drafted = Statement::from_hex(&draft);
        assert!(matches!(drafted, Err(InvalidStatement::Heads(751))), "{:?}", drafted.err());
        let signed = statement.sign(&key(ROOT));
        assert!(matches!(signed, Err(InvalidStatement::Heads(751))), "{:?}", signed.err());
    }
}

#[test]
fn each_fault_has_its_name() {
    use InvalidStatement::*;
    let other_env = EnvId::rooted_in(public(BOB));
    let good = certificate().sign(&key(ROOT)).expect("rightly made");
    let read = |bytes: &[u8], env| SignedStatement::decode(bytes, env).expect_err("a fault");
    let newer = [&[2], &good.as_bytes()[1..]].concat();
    assert!(matches!(read(&newer, env()), Newer(2)));
    assert!(matches!(read(&[], env()), Malformed(None)));
    assert!(matches!(read(&good.as_bytes()[..40], env()), Malformed(None)));
    assert!(matches!(read(&[0; 200], env()), Malformed(None)));
    assert!(matches!(read(&vec![1; STATEMENT_BYTES_MAX + 1], env()), TooLarge(_)));
    assert!(matches!(read(good.as_bytes(), other_env), OtherEnv(_)));
    assert!(matches!(certificate().sign(&key(BOB)).expect_err("not the issuer"), Issuer(_)));
    assert!(matches!(changed(|it| it.node = public(BOB)), Consent(_)));
    assert!(matches!(changed(|it| it.seat = Seat::Under(public(BOB))), Consent(_)));
    assert!(matches!(changed(|it| it.consent = Signature::from_bytes([0; 64])), Consent(_)));
    for name in ["", "a\nb", "a\u{1b}[2J", &"x".repeat(129)] {
        assert!(matches!(changed(|it| it.principal = Principal::new(name)), Text("principal")), "{name}");
    }
}

#[test]
fn only_the_old_key_names_its_successor_and_its_last_records() {
    let handed = Succession::sign(env(), &key(ALICE), public(BOB), last(&[(ALICE, 3)]));
    let take = |succession: Succession, new: u8| {
        changed(|it| {
            it.node = public(new);
            it.seat = Seat::Succeeding(succession);
            it.consent = it.seat.agree(env(), &key(new));
        })
    };
    let longer = Succession { last: last(&[(ALICE, 4)]), ..handed.clone() };
    assert!(matches!(take(longer, BOB), InvalidStatement::Succession(_)));
    assert!(matches!(take(handed.clone(), CAROL), InvalidStatement::Succession(_)));
    let stolen = Succession { old: public(DAVE), ..handed };
    assert!(matches!(take(stolen, BOB), InvalidStatement::Succession(_)));
}

#[test]
fn another_spelling_of_the_same_statement_is_refused() {
    let statement = certificate();
    let mut payload = postcard::to_stdvec(&statement).expect("plain data");
    payload.push(0);
    let signature = key(ROOT).sign("xyn statement v1", &payload);
    let bytes = [&[1], payload.as_slice(), signature.as_bytes()].concat();
    assert!(matches!(SignedStatement::decode(&bytes, env()), Err(InvalidStatement::NotCanonical)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..400)) {
        let _ = SignedStatement::decode(&bytes, env());
        bytes.insert(0, 1);
        let _ = SignedStatement::decode(&bytes, env());
    }

    #[test]
    fn signed_nonsense_never_panics(
        at in any::<prop::sample::Index>(),
        sample in 0..3usize,
        byte: u8,
    ) {
        // The signature is made again, so that the fault reaches what is behind it.
        let whole = samples().swap_remove(sample);
        let mut payload = whole.as_bytes()[1..whole.as_bytes().len() - 64].to_vec();
        let at = at.index(payload.len());
        payload[at] = byte;
        let issuer = if whole.statement().issuer == public(ROOT) { ROOT } else { ALICE };
        let signature = key(issuer).sign("xyn statement v1", &payload);
        let bytes = [&[1], payload.as_slice(), signature.as_bytes()].concat();
        if let Ok(read) = SignedStatement::decode(&bytes, env()) {
            prop_assert_eq!(read.as_bytes(), bytes.as_slice());
        }
    }
}
