//! Envelopes that somebody had in hand, each with what is said of it.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};

use super::*;

fn opened(envelope: &Envelope) -> Result<Verified<Manifest>, NotVerified> {
    Quorum::new([public(1), public(2)], 1).expect("sound").manifest(envelope)
}

fn unfit(change: impl FnOnce(&mut Value)) -> String {
    tampered(&signed(&[1]), change).expect_err("no envelope").to_string()
}

#[test]
fn what_was_sealed_is_opened_as_it_was_and_names_its_signers() {
    let envelope = signed(&[1, 2, 7]);
    let read = Envelope::read(&envelope.to_bytes()).expect("own bytes");
    assert_eq!(read, envelope);
    let verified = opened(&read).expect("signed");
    assert_eq!((verified.value(), verified.digest()), (&sample(), envelope.digest()));
    assert_eq!(verified.signers(), &BTreeSet::from([id(1), id(2)]), "key 7 says nothing here");
}

#[test]
fn what_is_signed_is_the_encoding_of_the_dsse_specification() {
    // The vector of protocol.md: type and body, each behind its length.
    let envelope = Envelope::new("http://example.com/HelloWorld", b"hello world".to_vec());
    let wanted = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(envelope.pre_authentication(), wanted);
}

#[test]
fn lengths_keep_a_delimiter_from_moving_between_type_and_content() {
    let pairs = [("a", "1 b 2 c"), ("a 7 1 b", "2 c"), ("a 1 b", "2 c"), ("", "a 1 b 2 c")];
    let encoded = pairs.map(|(kind, body)| Envelope::new(kind, body.into()).pre_authentication());
    let distinct: BTreeSet<_> = encoded.iter().collect();
    assert_eq!(distinct.len(), pairs.len());
    let moved = tampered(&signed(&[1]), |e| e["payloadType"] = format!("{} 1", Manifest::TYPE).into());
    assert!(matches!(opened(&moved.expect("an envelope")), Err(NotVerified::Type { .. })));
}

#[test]
fn a_stripped_signature_is_no_signature() {
    let stripped = tampered(&signed(&[1]), |envelope| envelope["signatures"] = json!([])).expect("reads");
    assert_eq!(opened(&stripped), Err(NotVerified::Unsigned));
}

#[test]
fn a_payload_of_another_type_is_not_opened_as_this_one() {
    let statement = about_sample(leave(9, 7));
    let found = "application/vnd.in-toto+json".to_owned();
    let wanted = "application/vnd.xyn.capsule.v1+json";
    assert_eq!(opened(&sealed(&statement, &[1])), Err(NotVerified::Type { found, wanted }));
    let renamed = tampered(&signed(&[1]), |envelope| envelope["payloadType"] = "text/\u{1b}[2J".into());
    let said = opened(&renamed.expect("reads")).expect_err("another type").to_string();
    assert_eq!(said, format!("the envelope holds `text/\\u{{1b}}[2J`, and should hold `{wanted}`"));
}

#[test]
fn what_was_signed_as_another_type_is_not_what_it_is_renamed_to() {
    let mut other = Envelope::new("text/plain", sample().to_bytes().expect("sound"));
    other.sign(&secret(1)).expect("room for it");
    let renamed = tampered(&other, |envelope| envelope["payloadType"] = Manifest::TYPE.into());
    let refused = NotVerified::Signature { key_id: id(1), source: BadSignature::Wrong };
    assert_eq!(opened(&renamed.expect("reads")), Err(refused));
}

#[test]
fn one_changed_byte_of_the_content_is_refused_and_names_the_key() {
    let mut payload = sample().to_bytes().expect("sound");
    let at = payload.iter().position(|byte| *byte == b'7').expect("its generation");
    payload[at] = b'8';
    let changed = tampered(&signed(&[1]), |e| e["payload"] = BASE64_STANDARD.encode(payload).into());
    let said = opened(&changed.expect("reads")).expect_err("changed").to_string();
    let wanted = format!(
        "the signature of key `{}` was made by another key or over other bytes: the envelope was changed, or \
         the key id is a lie",
        id(1)
    );
    assert_eq!(said, wanted);
}

#[test]
fn a_signature_that_fails_counts_for_nobody_and_takes_nothing_from_those_that_hold() {
    let broken = tampered(&signed(&[1, 2]), |e| e["signatures"][1]["sig"] = e["signatures"][0]["sig"].take());
    let broken = broken.expect_err("a signature is missing now").to_string();
    assert!(broken.contains("`/signatures/0/sig`"), "{broken}");
    let copied =
        tampered(&signed(&[1, 2]), |e| e["signatures"][1]["sig"] = e["signatures"][0]["sig"].clone());
    let copied = copied.expect("reads");
    let verified = opened(&copied).expect("key 1 signed it");
    assert_eq!(verified.signers(), &BTreeSet::from([id(1)]));
    let told = format!(
        "the signature of key `{}` does not count: the key is named for a signature that was made by another key or \
         over other bytes",
        id(2)
    );
    assert_eq!(verified.passed_over(), [told]);
    let forged = BTreeMap::from([(id(2), Barred::Forged(BadSignature::Wrong))]);
    let refused = NotVerified::Threshold { have: 1, need: 2, right: None, passed_over: forged };
    assert_eq!(Quorum::new([public(1), public(2)], 2).expect("sound").manifest(&copied), Err(refused));
}

#[test]
fn who_is_forged_still_signs_and_counts_once() {
    let mut forged = tampered(&signed(&[1]), |envelope| {
        let mut second = envelope["signatures"][0].clone();
        second["keyid"] = id(2).to_string().into();
        envelope["signatures"] = json!([second, envelope["signatures"][0]]);
    })
    .expect("reads");
    let two = Quorum::new([public(1), public(2)], 2).expect("sound");
    let said = two.manifest(&forged).expect_err("one signed").to_string();
    assert!(said.starts_with(&format!("1 of 2 needed signatures; key `{}` is named for", id(2))), "{said}");
    forged.sign(&secret(2)).expect("room for it");
    let verified = two.manifest(&forged).expect("both signed");
    assert_eq!((verified.signers().len(), verified.passed_over().len()), (2, 1));
    let three = Quorum::new([public(1), public(2), public(3)], 3).expect("sound");
    assert!(matches!(three.manifest(&forged), Err(NotVerified::Threshold { have: 2, need: 3, .. })));
}

#[test]
fn a_key_id_that_lies_is_no_second_signer() {
    let lie = tampered(&signed(&[1]), |envelope| {
        let mut second = envelope["signatures"][0].clone();
        second["keyid"] = id(2).to_string().into();
        envelope["signatures"].as_array_mut().expect("a list").push(second);
    });
    let two = Quorum::new([public(1), public(2)], 2).expect("sound");
    let passed_over = BTreeMap::from([(id(2), Barred::Forged(BadSignature::Wrong))]);
    let refused = NotVerified::Threshold { have: 1, need: 2, right: None, passed_over };
    assert_eq!(two.manifest(&lie.expect("reads")), Err(refused));
    let stranger = tampered(&signed(&[1]), |e| e["signatures"][0]["keyid"] = id(7).to_string().into());
    let passed_over = BTreeMap::from([(id(7), Barred::Unknown)]);
    let refused = NotVerified::Threshold { have: 0, need: 1, right: None, passed_over };
    assert_eq!(opened(&stranger.expect("reads")), Err(refused));
}

#[test]
fn one_key_counts_once_however_it_is_named() {
    let two = Quorum::new([public(1), public(2)], 2).expect("sound");
    let twice = tampered(&signed(&[1]), |envelope| {
        let signature = envelope["signatures"][0].clone();
        let mut nameless = signature.clone();
        nameless["keyid"] = "".into();
        let mut absent = signature.clone();
        absent.as_object_mut().expect("an object").remove("keyid");
        envelope["signatures"] = json!([signature, signature, nameless, absent]);
    });
    let twice = twice.expect("reads");
    let refused = NotVerified::Threshold { have: 1, need: 2, right: None, passed_over: BTreeMap::new() };
    assert_eq!(two.manifest(&twice), Err(refused));
    assert!(two.manifest(&signed(&[2, 1])).is_ok());
    for name in [id(1).to_string().to_uppercase(), format!(" {}", id(1)), public(1).to_string()[1..].into()] {
        let said = unfit(|envelope| envelope["signatures"][0]["keyid"] = name.into());
        assert!(
            said.starts_with("`/signatures/0/keyid`: ") && said.ends_with("lowercase hex digits"),
            "{said}"
        );
    }
}

#[test]
fn a_signature_without_a_key_id_counts_for_whom_it_is() {
    let nameless = tampered(&signed(&[2]), |envelope| envelope["signatures"][0]["keyid"] = "".into());
    let nameless = nameless.expect("reads");
    assert_eq!(opened(&nameless).expect("signed").signers(), &BTreeSet::from([id(2)]));
    let refused = NotVerified::Threshold { have: 0, need: 1, right: None, passed_over: BTreeMap::new() };
    assert_eq!(Quorum::one(public(7)).manifest(&nameless), Err(refused));
}

#[test]
fn signatures_of_the_same_come_together_and_only_those_that_are_wanted() {
    let (mut envelope, keys) = (signed(&[1]), [public(2), public(4)]);
    let forged = tampered(&signed(&[2, 3]), |envelope| {
        envelope["signatures"][1]["keyid"] = id(4).to_string().into();
    });
    assert_eq!(envelope.join(&forged.expect("reads"), &keys), Ok(true));
    assert_eq!(envelope.claimed_signers().collect::<Vec<_>>(), [id(1), id(2)], "nor what is forged");
    assert_eq!(envelope.join(&signed(&[2]), &keys), Ok(false), "it stands there");
    let other = sealed(&about_sample(leave(9, 7)), &[2]);
    assert_eq!(signed(&[1]).join(&other, &keys), Ok(false), "what is said of something else");
}

#[test]
fn a_threshold_of_nobody_or_of_more_than_there_are_is_none() {
    assert_eq!(Quorum::new([public(1)], 0).expect_err("nobody"), InvalidQuorum::Zero);
    let refused = InvalidQuorum::TooFew { threshold: 2, keys: 1 };
    assert_eq!(Quorum::new([public(1), public(1)], 2).expect_err("one key"), refused);
    assert_eq!(Quorum::new([], 1).expect_err("none"), InvalidQuorum::TooFew { threshold: 1, keys: 0 });
}

#[test]
fn base64_has_one_form() {
    let text = signed(&[1]).to_bytes();
    let document: Value = serde_json::from_slice(&text).expect("JSON");
    let sig = document["signatures"][0]["sig"].as_str().expect("text").to_owned();
    // 64 bytes end in two letters and two signs of padding; the last letter carries four idle bits.
    let stem = &sig[..sig.len() - 3];
    let last = sig.as_bytes()[sig.len() - 3];
    let idle = char::from(if last == b'A' { b'B' } else { last + 1 });
    let url_safe = BASE64_URL_SAFE_NO_PAD.encode([0xff; 64]);
    for wrong in [
        sig.trim_end_matches('=').to_owned(),
        format!("{sig}="),
        format!("{sig}\n"),
        format!(" {sig}"),
        format!("{stem}{idle}=="),
        url_safe,
        "====".to_owned(),
    ] {
        let said = unfit(|envelope| envelope["signatures"][0]["sig"] = wrong.into());
        assert!(said.starts_with("`/signatures/0/sig`: is not base64"), "{said}");
    }
    let said = unfit(|envelope| envelope["payload"] = "e31=".into());
    assert_eq!(
        said,
        "`/payload`: is not base64 (RFC 4648 §4) in its one form, with padding and without line feeds"
    );
}

#[test]
fn signatures_have_one_length_and_a_limit_to_their_number() {
    let said = unfit(|envelope| envelope["signatures"][0]["sig"] = BASE64_STANDARD.encode([0; 63]).into());
    assert_eq!(said, "`/signatures/0/sig`: a signature has 64 bytes, and this one 63");
    let said = unfit(|envelope| {
        let signature = envelope["signatures"][0].clone();
        envelope["signatures"] = vec![signature; SIGNATURES_MAX + 1].into();
    });
    assert_eq!(said, "`/signatures`: there are 33, and there may be 32");
    let mut full = signed(&[1]);
    assert!((2..33).all(|number| full.sign(&secret(number)).is_ok()));
    assert_eq!(full.sign(&secret(1)), Ok(()), "it stands there");
    assert_eq!(full.sign(&secret(33)), Err(InvalidEnvelope::TooMany(33)));
    assert_eq!(full.claimed_signers().count(), SIGNATURES_MAX);
}

#[test]
fn an_envelope_that_says_something_twice_or_too_deep_is_none() {
    let text = String::from_utf8(signed(&[1]).to_bytes()).expect("text");
    let twice = text.replacen("{\"payloadType\"", "{\"payload\":\"\",\"payloadType\"", 1);
    let said = Envelope::read(twice.as_bytes()).expect_err("twice").to_string();
    assert_eq!(said, "no envelope: `/payload`: stands there twice; keep one of them");
    let deep = text.replacen('{', &format!("{{\"x\":{},", "[".repeat(100_000)), 1);
    let said = Envelope::read(deep.as_bytes()).expect_err("deep").to_string();
    assert!(said.ends_with("is more than 64 levels deep"), "{said}");
    for tail in ["{}", "\u{0}", "x"] {
        assert!(Envelope::read(format!("{text}{tail}").as_bytes()).is_err());
        assert!(Envelope::read(format!("{tail}{text}").as_bytes()).is_err());
    }
    let large = vec![b' '; ENVELOPE_MAX_BYTES + 1];
    let said = Envelope::read(&large).expect_err("large").to_string();
    assert_eq!(said, "no envelope: the document: has 6291457 bytes, and may have 6291456");
}

#[test]
fn a_signature_with_too_large_a_number_is_refused_by_name() {
    let mut bytes = [0xff; 64];
    bytes[..32].fill(0);
    let large = tampered(&signed(&[1]), |e| e["signatures"][0]["sig"] = BASE64_STANDARD.encode(bytes).into());
    let refused = NotVerified::Signature { key_id: id(1), source: BadSignature::Scalar };
    assert_eq!(opened(&large.expect("reads")), Err(refused));
}

#[test]
fn nothing_is_read_of_what_nobody_known_signed() {
    let mut nonsense = Envelope::new(Manifest::TYPE, b"[[[[".to_vec());
    nonsense.sign(&secret(7)).expect("room for it");
    assert!(matches!(opened(&nonsense), Err(NotVerified::Threshold { have: 0, need: 1, .. })));
    nonsense.sign(&secret(1)).expect("room for it");
    assert!(matches!(opened(&nonsense), Err(NotVerified::Manifest(_))));
}

#[test]
fn every_byte_of_an_envelope_counts() {
    let bytes = signed(&[1]).to_bytes();
    let verified = opened(&Envelope::read(&bytes).expect("own bytes")).expect("signed");
    for end in 0..bytes.len() {
        assert!(Envelope::read(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in (0..bytes.len()).step_by(7) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x04;
        if let Ok(found) = Envelope::read(&bytes).map_err(NotVerified::from).and_then(|e| opened(&e)) {
            assert_eq!(found, verified, "a change at {at} changed what was signed");
        }
    }
}
