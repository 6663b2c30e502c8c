//! What members send besides messages, or inside them: streams, addresses, words to sign, whole documents, proofs,
//! places.

use xyn_net::driver::tried;
use xyn_store::Digest;
use xyn_store::audit::merkle::Frontier;
use xyn_store::audit::proof;
use xyn_store::timeline::board::{Place, Side};
use xyn_store::timeline::{DOCUMENT_MAX_BYTES, merge_documents};
use xyn_store::trust::{SignedStatement, Statement};

use super::mesh::{env, root, statements};
use super::{seeds as texts, text};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex") as u8;
    hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Streams with a message: no more of one is read than it says, and no more than it may say.
pub(super) mod streams {
    use super::*;

    const MAX: usize = 4096;

    pub(crate) fn run(bytes: &[u8]) {
        if let Some(Ok(message)) = tried::message(bytes, MAX, false) {
            assert!(message.len() <= MAX && bytes[4..].starts_with(&message));
        }
        if let Some(Ok(message)) = tried::message(bytes, MAX, true) {
            assert!(message.len() <= MAX, "{} bytes", message.len());
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let whole = |flag: u8, bytes: &[u8]| [&[flag, 0, 0, bytes.len() as u8], bytes].concat();
        let packed = super::super::packed::seeds();
        let packed = packed.iter().map(|message| whole(0x80, message));
        let plain = [whole(0, b""), whole(0, b"hello"), vec![0, 0, 16, 1], vec![0xff; 8]];
        plain.into_iter().chain(packed).collect()
    }
}

/// Addresses of members, as bytes and as text: what is one stays that one.
pub(super) mod addresses {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        let _ = tried::address(bytes);
        if let Some(address) = tried::address_text(text(bytes)) {
            assert_eq!(tried::address_text(&address), Some(address), "own text");
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let relay = "/ip4/127.0.0.1/tcp/4311/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let mut seeds = texts(&[
            "/ip6/fd00::1/udp/4311/quic-v1",
            "/dns/example.org/tcp/4311",
            relay,
            &format!("{relay}/p2p-circuit"),
        ]);
        // IPv4 and TCP; IPv6, UDP and QUIC; a name.
        seeds.push([&[4, 127, 0, 0, 1, 6][..], &4311_u16.to_be_bytes()].concat());
        seeds.push([&[41][..], &[0; 15], &[1, 0x91, 0x02, 0x10, 0xd7, 0xcd, 0x03]].concat());
        seeds.push([&[53, 11][..], b"example.org", &[6, 0x10, 0xd7]].concat());
        seeds
    }
}

/// Statements as text, with and without a signature.
pub(super) mod words_of_members {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        for text in [text(bytes), &hex(bytes)] {
            if let Ok(statement) = Statement::from_hex(text) {
                let again = statement.to_hex().expect("plain data");
                assert!(again.eq_ignore_ascii_case(text), "a statement has one form");
            }
            if let Ok(signed) = SignedStatement::from_hex(text, env()) {
                assert!(signed.to_hex().eq_ignore_ascii_case(text), "a statement has one form");
            }
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let plain = statements::seeds();
        let signed = plain.iter().filter_map(|bytes| {
            let statement = Statement::from_hex(&hex(bytes)).ok()?;
            Some(statement.sign(&root()).expect("the root may").to_hex())
        });
        let signed: Vec<Vec<u8>> = signed.flat_map(|text| [unhex(&text), text.into_bytes()]).collect();
        assert!(!signed.is_empty(), "some are statements as they are");
        plain.iter().map(|bytes| hex(bytes).into_bytes()).chain(plain.clone()).chain(signed).collect()
    }
}

/// Whole documents of others, with a checksum that fits: they are merged alike from both sides, or refused.
pub(super) mod documents {
    use super::*;

    // Two that were made of one: each puts a word of its own.
    const OURS: &str = "856f4a83552d5ebc00720201010102011588ef9545484f4efb1f6a3f684a50a2dd280d922f3a75bf9dc17324\
        1f4b2b5b07010303031302230240034302560208150b2103230234014202560257028001027e00017e010002\
        0102007e00017f0002077e0462617365046f7572737e0001020102020102140101020001";
    const THEIRS: &str = "856f4a83dfd456bc007402010101030137d7315b47c1c2b73ed2f11e14806e34f03175532af922bcd4d067d4\
        f8a1bb4c07010303031302230240034302560208150d2103230234014202560257028001027e00017e010002\
        0102007e00017f0002077e0462617365067468656972737e0001020102020102140101020001";
    /// Where the checksum stands; what it covers stands behind it.
    const SUM: std::ops::Range<usize> = 4..8;

    pub(crate) fn run(bytes: &[u8]) {
        let ours = unhex(OURS);
        let mut theirs = bytes.to_vec();
        if let Some(covered) = theirs.get(SUM.end..) {
            let sum = Digest::of(covered);
            theirs[SUM].copy_from_slice(&sum.as_bytes()[..SUM.len()]);
        }
        for theirs in [bytes, &theirs] {
            let merged = merge_documents(&ours, theirs);
            assert_eq!(merged.as_ref().ok(), merge_documents(theirs, &ours).as_ref().ok());
            if let Ok(merged) = merged {
                assert!(merged.len() <= DOCUMENT_MAX_BYTES && merge_documents(&merged, theirs).is_ok());
            }
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        vec![unhex(OURS), unhex(THEIRS)]
    }
}

/// Proofs that a log only grew: none convinces but the one that there is.
pub(super) mod proofs {
    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|at| Digest::of(&at.to_le_bytes())).collect()
    }

    fn root(count: u64) -> Digest {
        leaves(count).into_iter().collect::<Frontier>().root()
    }

    fn honest(old: u64, new: u64) -> Option<Vec<Digest>> {
        proof::hashes(&proof::consistency_plan(old, new).ok()?, &leaves(new))
    }

    /// Two sizes, and the hashes.
    pub(crate) fn run(bytes: &[u8]) {
        let Some(([old, new], hashes)) = bytes.split_first_chunk() else { return };
        let (hashes, _) = hashes.as_chunks::<{ Digest::BYTES }>();
        let hashes: Vec<Digest> = hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect();
        let (old, new) = (u64::from(*old), u64::from(*new));
        if proof::verify_consistency(old, new, &root(old), &root(new), &hashes).is_ok() {
            assert_eq!(Some(hashes), honest(old, new), "{old} of {new}");
        }
        let far = u64::MAX - new;
        let _ = proof::verify_consistency(old, far, &root(old), &root(new), &[]);
        let _ = proof::verify_consistency(far, u64::MAX, &root(old), &root(new), &[root(old), root(new)]);
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let seed = |(old, new): (u8, u8)| {
            let hashes = honest(u64::from(old), u64::from(new)).expect("it grew");
            let hashes = hashes.iter().flat_map(|hash| *hash.as_bytes());
            [old, new].into_iter().chain(hashes).collect()
        };
        [(0, 0), (0, 7), (1, 2), (4, 9), (7, 7), (11, 200)].map(seed).to_vec()
    }
}

/// Places of comments, as a board has them.
pub(super) mod places {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        if let Some(place) = Place::decode(text(bytes)) {
            assert_eq!(Place::decode(&place.encode()), Some(place), "own text");
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let place = |workspace: Option<&str>, side| {
            let workspace = workspace.map(str::to_owned);
            Place { workspace, path: "src/a b.rs".into(), side, line: 7 }.encode().into_bytes()
        };
        vec![
            place(None, Side::After),
            place(Some("shop"), Side::Before),
            br#"{"path":"a","line":1}"#.to_vec(),
        ]
    }
}
