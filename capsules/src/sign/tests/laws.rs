//! What holds for all envelopes, rings and generations.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read_as_it_was(
        kind in "[ -~]{1,40}", payload in vec(any::<u8>(), 0..200), signers in btree_set(1_u8..20, 0..5),
    ) {
        let mut envelope = Envelope::new(&kind, payload.clone());
        signers.iter().for_each(|signer| envelope.sign(&secret(*signer)).expect("room for it"));
        let read = Envelope::read(&envelope.to_bytes()).expect("own bytes");
        prop_assert_eq!(&read, &envelope);
        prop_assert_eq!((read.payload_type(), read.unverified()), (kind.as_str(), payload.as_slice()));
    }

    #[test]
    fn no_two_contents_are_signed_as_the_same_bytes(
        one in ("[a1 ]{0,6}", "[a1 ]{0,6}"), other in ("[a1 ]{0,6}", "[a1 ]{0,6}"),
    ) {
        let encoded = |(kind, body): &(String, String)| {
            Envelope::new(kind, body.clone().into_bytes()).pre_authentication()
        };
        prop_assert_eq!(one == other, encoded(&one) == encoded(&other));
    }

    #[test]
    fn it_is_open_exactly_when_enough_of_the_right_keys_signed(
        signers in btree_set(1_u8..8, 1..6), trusted in btree_set(1_u8..8, 1..6), threshold in 1_u32..4,
    ) {
        let quorum = Quorum::new(trusted.iter().map(|number| public(*number)), threshold);
        prop_assume!(quorum.is_ok());
        let signers: Vec<_> = signers.into_iter().collect();
        let right = signers.iter().filter(|signer| trusted.contains(signer)).count();
        let opened = quorum.expect("assumed").manifest(&signed(&signers));
        prop_assert_eq!(opened.is_ok(), right >= threshold as usize);
    }

    #[test]
    fn what_is_remembered_never_goes_down(steps in vec(0_u64..12, 1..12)) {
        let mut seen = Seen::nothing(line("prod"), slug("shop"));
        for number in steps {
            let manifest = ring().manifest(&sealed(&generation(number), &[1]), now()).expect("signed");
            let before = seen.highest.map(|mark| mark.generation);
            match decide(&seen, &manifest, None, now()) {
                Ok(Step::Forward(next)) => {
                    prop_assert!(before.is_none_or(|before| before < number));
                    seen = next;
                }
                Ok(Step::Again) => prop_assert_eq!(before, Some(number)),
                other => prop_assert!(before.is_some_and(|before| number < before), "{other:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in vec(any::<u8>(), 0..300), noise in "[\\[\\]{}\":,0-9a-zA-Z+/=\\\\-]{0,160}",
    ) {
        for bytes in [bytes.as_slice(), noise.as_bytes()] {
            let _ = (Envelope::read(bytes), Ring::read(bytes), Statement::<Provenance>::read(bytes));
            let _ = (Statement::<Rollback>::read(bytes), Statement::<Sbom>::read(bytes));
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            let _ = (text.parse::<KeyId>(), text.parse::<PublicKey>());
        }
    }

    #[test]
    fn no_change_of_a_byte_makes_a_reader_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let sources = [ring().write(), about_sample(leave(9, 7)).write()].map(|bytes| bytes.expect("sound"));
        for mut bytes in sources.into_iter().chain([signed(&[1]).to_bytes()]) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = (Envelope::read(&bytes), Ring::read(&bytes), Statement::<Rollback>::read(&bytes));
        }
    }

    #[test]
    fn every_point_that_is_taken_as_a_key_is_written_as_it_was_read(bytes in any::<[u8; 32]>()) {
        if let Ok(key) = PublicKey::from_bytes(&bytes) {
            prop_assert_eq!(key.as_bytes(), &bytes);
            prop_assert_eq!(key.to_string().parse::<PublicKey>(), Ok(key));
            prop_assert_eq!(key.verify(b"", &[0; 64]), Err(BadSignature::Wrong));
        }
    }
}
