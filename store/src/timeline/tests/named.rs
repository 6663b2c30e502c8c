//! What moments name: found as long as they count, and first come, first told.

use std::collections::BTreeSet;

use super::node::Node;
use super::world::{Author, moment};
use crate::Digest;
use crate::clock::Timestamp;
use crate::ids::{self, ArtifactId};
use crate::timeline::entry::tests::note;
use crate::timeline::entry::{EntryError, NAME_MAX_CHARS, Note};
use crate::timeline::{Made, Offer, Visibility};
use crate::trust::Cut;

fn artifact() -> ArtifactId {
    ids::derived(Timestamp::EPOCH, &[b"artifact"])
}

/// A moment of a run that made `content`, and left `tree` behind.
fn names(content: &[u8], tree: &[u8]) -> Note {
    let mut note = note("made");
    note.refs.after = Some(Digest::of(tree));
    note.refs.artifacts = vec![Made {
        artifact_id: artifact(),
        name: "report.txt".into(),
        kind: "report".into(),
        content_type: "text/plain".into(),
        byte_length: content.len() as u64,
        sha256: Digest::of(content),
    }];
    note
}

#[test]
fn what_is_named_is_found_by_whom_and_what_is_cut_names_nothing() {
    let (mut node, mut one, mut other) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let first = one.note(moment(1), one.entry_id("first"), &names(b"report", b"tree"));
    let late = other.note(moment(2), other.entry_id("late"), &names(b"another", b"tree"));
    // Whatever the order in which they come.
    node.admit(&[other.frame(&[late]), one.frame(&[first])]);
    let named_by = |node: &Node, content: &[u8]| {
        let wanted = BTreeSet::from([Digest::of(content)]);
        let namers = node.store.read().expect("reads").namers(&wanted).expect("reads");
        assert!(namers.keys().all(|digest| wanted.contains(digest)), "{namers:?}");
        Vec::from_iter(namers.into_values().flatten())
    };
    let told = |node: &Node| {
        let row = node.store.read().expect("reads").artifact(artifact()).expect("reads");
        row.map(|row| (row.name, row.byte_length, row.sha256, row.created_at))
    };
    let (one_key, other_key) = (one.feed.node, other.feed.node);
    assert_eq!(named_by(&node, b"tree"), Vec::from_iter(BTreeSet::from([one_key, other_key])));
    assert_eq!(named_by(&node, b"report"), [one_key]);
    assert_eq!(named_by(&node, b"nothing"), []);
    assert_eq!(told(&node), Some(("report.txt".into(), 6, Digest::of(b"report"), moment(1).at)));
    let rows = node.rows();
    node.rebuild();
    assert_eq!(node.rows(), rows);

    node.recut(&[(one.feed, Cut::Everything)].into());
    assert_eq!(named_by(&node, b"tree"), [other_key]);
    assert_eq!(named_by(&node, b"report"), []);
    assert_eq!(told(&node), Some(("report.txt".into(), 7, Digest::of(b"another"), moment(2).at)));
    node.recut(&[(one.feed, Cut::Everything), (other.feed, Cut::Everything)].into());
    assert_eq!((named_by(&node, b"tree"), told(&node)), (vec![], None));
    node.recut(&Default::default());
    assert_eq!(node.rows(), rows, "what counts again names again");
}

#[test]
fn offers_of_a_capsule_are_read_from_the_first_or_from_the_last() {
    let (mut node, mut one) = (Node::new(), Author::new(1, 1));
    let capsule = Digest::of(b"capsule");
    let offers = (0..5_u64).map(|number| {
        let mut offered = note("offered");
        offered.refs.offer = Some(Box::new(Offer {
            capsule,
            id: "urn:xyn:app:shop@1.0.0".to_owned(),
            generation: 1,
            visibility: Visibility::Env,
            file: Digest::of(&[number as u8]),
            size_bytes: number,
            delta: None,
        }));
        one.note(moment(number as i64), one.entry_id(&number.to_string()), &offered)
    });
    let offers: Vec<_> = offers.collect();
    node.admit(&[one.frame(&offers)]);
    let reader = node.store.read().expect("reads");
    let numbers = |entries: Vec<crate::timeline::entry::Entry>| -> Vec<u64> {
        entries.into_iter().filter_map(|entry| Some(entry.note.refs.offer?.size_bytes)).collect()
    };
    assert_eq!(numbers(reader.offers_of(&capsule, 2).expect("reads")), [0, 1]);
    assert_eq!(numbers(reader.newest_offers_of(&capsule, 2).expect("reads")), [4, 3]);
}

#[test]
fn an_artifact_whose_texts_are_no_names_is_refused() {
    let long = "x".repeat(NAME_MAX_CHARS + 1);
    for text in ["", "a\nb", &long] {
        let spoils: [fn(&mut Made, String); 3] = [
            |made, text| made.name = text,
            |made, text| made.kind = text,
            |made, text| made.content_type = text,
        ];
        for spoil in spoils {
            let mut note = names(b"report", b"tree");
            spoil(&mut note.refs.artifacts[0], text.to_owned());
            assert_eq!(note.encode(), Err(EntryError::Unfit("list of artifacts")));
        }
    }
    let fits = names(b"report", b"tree");
    assert_eq!(Note::decode(&fits.encode().expect("fits")), Ok(fits));
}

#[test]
fn an_id_that_two_moments_claim_is_contested() {
    let (mut node, mut alice, mut mallory) = (Node::new(), Author::new(1, 1), Author::new(2, 1));
    let entry_id = alice.entry_id("packed");
    let packed = alice.entry(moment(5), "packed");
    node.admit(&[alice.frame(&[packed])]);
    let is_contested = |node: &Node| node.store.read().expect("reads").is_contested(entry_id).expect("reads");
    assert!(!is_contested(&node));
    let claimed = mallory.note(moment(1), entry_id, &note("packed"));
    node.admit(&[mallory.frame(&[claimed])]);
    assert!(is_contested(&node));
}
