//! Signatures: the reference vector, rotation, the replay window.

use proptest::prelude::*;

use super::*;

/// The example that the specification's reference libraries share.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT: &str = "1614265330";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret(text: &str) -> Secret {
    text.parse().expect("the constant is a secret")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn check(id: &str, sent: &str, signature: &str, body: &[u8], now: i64) -> Result<Verified, Rejection> {
    let header = |name: &str| match name {
        ID => Some(id.as_bytes()),
        TIMESTAMP => Some(sent.as_bytes()),
        SIGNATURE => Some(signature.as_bytes()),
        _ => None,
    };
    verify(&[secret(OTHER), secret(SECRET)], header, body, at(now))
}

#[test]
fn the_reference_example_verifies_and_is_signed_the_same() {
    let verified = check(MESSAGE, SENT, SIGNED, BODY, 1_614_265_330).expect("verifies");
    assert_eq!(verified, Verified { id: MESSAGE.into(), sent_at: at(1_614_265_330) });
    assert_eq!(sign(&secret(SECRET), MESSAGE, at(1_614_265_330), BODY), SIGNED);
    let binary = sign(&secret(OTHER), "msg_1", at(1_700_000_000), b"\x00\xff");
    assert_eq!(binary, "v1,+JfXRyvQITxUTlZlzp3Q2zNKFqi0elEUC00gUA1YXi8=");
}

#[test]
fn one_right_signature_among_others_is_enough() {
    let wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for list in [
        format!("{wrong} {SIGNED}"),
        format!("v1a,whatever {SIGNED} {wrong}"),
        format!("v1,%%% v1, {SIGNED}"),
    ] {
        assert!(check(MESSAGE, SENT, &list, BODY, 1_614_265_330).is_ok(), "{list}");
    }
}

#[test]
fn anything_changed_matches_no_more() {
    let now = 1_614_265_331;
    let half = &SIGNED[..SIGNED.len() - 4];
    let flood = format!("{} {SIGNED}", "v1,AAAA ".repeat(MAX_SIGNATURES));
    let cases = [
        ("msg_other", SENT, SIGNED, BODY),
        (MESSAGE, "1614265331", SIGNED, BODY),
        (MESSAGE, SENT, SIGNED, b"{}".as_slice()),
        (MESSAGE, SENT, half, BODY),
        (MESSAGE, SENT, "", BODY),
        (MESSAGE, SENT, &SIGNED[3..], BODY),
        (MESSAGE, SENT, &flood, BODY),
    ];
    for (id, sent, signature, body) in cases {
        assert_eq!(check(id, sent, signature, body, now), Err(Rejection::NoMatch), "{id} {sent} {signature}");
    }
    let header = |name: &str| match name {
        ID => Some(MESSAGE.as_bytes()),
        TIMESTAMP => Some(SENT.as_bytes()),
        _ => Some(SIGNED.as_bytes()),
    };
    assert_eq!(verify(&[], header, BODY, at(now)), Err(Rejection::NoMatch));
}

#[test]
fn the_replay_window_ends_after_five_minutes_both_ways() {
    let sent = 1_614_265_330;
    for (now, expected) in [
        (sent - 301, Err(Rejection::Early(301))),
        (sent - 300, Ok(())),
        (sent + 300, Ok(())),
        (sent + 301, Err(Rejection::Stale(301))),
    ] {
        assert_eq!(check(MESSAGE, SENT, SIGNED, BODY, now).map(|_| ()), expected, "{now}");
    }
}

#[test]
fn missing_and_malformed_headers_are_named() {
    for missing in [ID, TIMESTAMP, SIGNATURE] {
        let header = |name: &str| (name != missing).then_some(b"1".as_slice());
        assert_eq!(verify(&[], header, BODY, at(1)), Err(Rejection::Missing(missing)));
        let header = |name: &str| Some(if name == missing { b"\xff".as_slice() } else { b"1" });
        let rejected = verify(&[], header, BODY, at(1));
        assert_eq!(rejected, Err(Rejection::Malformed { header: missing, reason: "not UTF-8" }));
    }
    for id in ["", "with space", "a.b", "ü", &"x".repeat(257)] {
        let rejected = check(id, SENT, SIGNED, BODY, 1_614_265_330);
        assert!(matches!(rejected, Err(Rejection::Malformed { header: ID, .. })), "{id}");
    }
    for sent in ["", "-5", "+5", "1e9", "16142653301614265330", " 1614265330"] {
        let rejected = check(MESSAGE, sent, SIGNED, BODY, 1_614_265_330);
        assert!(matches!(rejected, Err(Rejection::Malformed { header: TIMESTAMP, .. })), "{sent}");
    }
}

#[test]
fn secrets_are_read_strictly_and_never_shown() {
    for text in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_%%", "whsec_QUJD"] {
        assert_eq!(text.parse::<Secret>().map(|_| ()), Err(InvalidSecret), "{text}");
    }
    assert_eq!(format!("{:?}", secret(SECRET)), "Secret");
}

#[test]
fn a_retry_of_the_sender_is_the_same_event() {
    let message = |seconds| Verified { id: MESSAGE.into(), sent_at: at(seconds) };
    assert_eq!(message(1).event_id("shop"), message(99).event_id("shop"));
    assert_ne!(message(1).event_id("shop"), message(1).event_id("pay"));
}

proptest! {
    #[test]
    fn no_header_or_body_panics(values: [Option<Vec<u8>>; 3], body: Vec<u8>, now: i64) {
        let header = |name: &str| match name {
            ID => values[0].as_deref(),
            TIMESTAMP => values[1].as_deref(),
            _ => values[2].as_deref(),
        };
        let now = Timestamp::from_micros(now);
        prop_assert!(verify(&[secret(SECRET)], header, &body, now).is_err());
    }

    #[test]
    fn what_is_signed_verifies(id in "[a-zA-Z0-9_-]{1,64}", body: Vec<u8>, seconds in 0..4_000_000_000_i64) {
        let signature = sign(&secret(SECRET), &id, at(seconds), &body);
        prop_assert!(check(&id, &seconds.to_string(), &signature, &body, seconds + 10).is_ok());
    }
}
