//! Two capsules that began as one, brought together.

use std::path::Path;

use super::*;
use crate::container::{Files, Options, pack_tree};
use crate::fixture::{Place, open};
use crate::sign::{Envelope, Payload};
use crate::tree::find;

/// Three capsules, each of its folder.
struct Three([(CapsuleFile, Manifest); 3]);

const NAMES: [&str; 3] = ["base", "ours", "theirs"];

impl Three {
    fn new(place: &Place, authored: [&str; 3]) -> Self {
        Self(std::array::from_fn(|index| {
            let (name, said) = (NAMES[index], authored[index]);
            place.put(&format!("{name}/capsule.json"), said);
            let file = open(&place.sealed(name, &format!("{name}.caps"), said, None));
            let envelope = Envelope::read(file.manifest()).expect("sound");
            let manifest = <Manifest as Payload>::read(envelope.unverified()).expect("sound");
            (file, manifest)
        }))
    }

    fn merge(&self, side: &dyn Fn(&str) -> Option<Side>) -> Result<Joined, NotMerged> {
        let [base, ours, theirs] = self.0.each_ref().map(|(file, manifest)| Part { file, manifest });
        merge(base, ours, theirs, side, Limits::default())
    }

    /// A file of the merged tree.
    fn file(&self, joined: &Joined, path: &str) -> Vec<u8> {
        let made = joined.tree.blobs();
        let rest: [&dyn Files; 3] = self.0.each_ref().map(|(file, _)| file as &dyn Files);
        let files = Several { made: &made, rest: &rest };
        let entry = find(&files, &joined.tree.root, &path.parse().expect("a path")).expect("read");
        let entry = entry.expect("it is there");
        tree::Shelf::read(&files, &entry.digest, 1 << 24).expect("read")
    }
}

fn places(joined: &Joined) -> Vec<&str> {
    joined.conflicts.iter().map(|conflict| conflict.place.as_str()).collect()
}

/// Documents of Automerge, of which the second and third began as the first: each puts a word of its own.
const BASE: &str = "856f4a834f57303000620101010130cb62af4fc9026675e50c1090a4e7eb5c71fc069bd3884b06ee4ef91cfb\
    124e060102030213022302400256020815062102230234014202560257028001027f007f017f017f007f007f\
    077f04626173657f007f01017f017f14017f0000";
const OURS: &str = "856f4a83552d5ebc00720201010102011588ef9545484f4efb1f6a3f684a50a2dd280d922f3a75bf9dc17324\
    1f4b2b5b07010303031302230240034302560208150b2103230234014202560257028001027e00017e010002\
    0102007e00017f0002077e0462617365046f7572737e0001020102020102140101020001";
const THEIRS: &str = "856f4a83dfd456bc007402010101030137d7315b47c1c2b73ed2f11e14806e34f03175532af922bcd4d067d4\
    f8a1bb4c07010303031302230240034302560208150d2103230234014202560257028001027e00017e010002\
    0102007e00017f0002077e0462617365067468656972737e0001020102020102140101020001";

const SHOP: &str = r#"{"id": "shop", "name": "The shop", "version": "1.0.0"}"#;

#[test]
fn files_and_fields_of_both_sides_come_together_and_can_be_packed() {
    let place = Place::new();
    let text = |first: &str, last: &str| format!("{first}\nb\nc\nd\ne\n{last}\n");
    place.put("base/text", text("a", "f"));
    place.put("ours/text", text("A", "f"));
    place.put("theirs/text", text("a", "F"));
    place.put("ours/mine", vec![7; 700_000]);
    place.put("theirs/yours", "yours");
    let ours = r#"{"id": "shop", "name": "The big shop", "version": "1.0.0"}"#;
    let theirs = r#"{"id": "shop", "name": "The shop", "version": "1.1.0"}"#;
    let three = Three::new(&place, [SHOP, ours, theirs]);
    let joined = three.merge(&|place| unreachable!("{place} needs nobody's word")).expect("merged");
    assert_eq!(places(&joined), Vec::<&str>::new());
    assert_eq!(three.file(&joined, "text"), text("A", "F").into_bytes());
    assert_eq!(
        (joined.authored.name.as_str(), joined.authored.version.to_string()),
        ("The big shop", "1.1.0".into())
    );
    assert_eq!(joined.generation, 2);
    let said: Value = serde_json::from_slice(&three.file(&joined, "capsule.json")).expect("JSON");
    assert_eq!(said, serde_json::json!({ "id": "shop", "name": "The big shop", "version": "1.1.0" }));
    let made = joined.tree.blobs();
    let rest: [&dyn Files; 3] = three.0.each_ref().map(|(file, _)| file as &dyn Files);
    let files = Several { made: &made, rest: &rest };
    let target = place.path("merged.caps");
    let draft = pack_tree(&files, joined.tree.root, &target, &Options::default()).expect("packed");
    draft.seal(b"m", &[]).expect("sealed");
    let merged = open(Path::new(&target));
    assert_eq!((merged.outline().root(), merged.outline().listing().files), (joined.tree.root, 4));
}

#[test]
fn what_both_sides_changed_is_named_until_somebody_says_whose_is_right() {
    let place = Place::new();
    for (name, line) in NAMES.iter().zip(["a", "b", "c"]) {
        place.put(&format!("{name}/text"), line);
    }
    let version = |version: &str| SHOP.replace("1.0.0", version);
    let three = Three::new(&place, [SHOP, &version("1.1.0"), &version("2.0.0")]);
    let joined = three.merge(&|_| None).expect("merged");
    assert_eq!(places(&joined), ["capsule.json", "text", "/version"]);
    assert_eq!(joined.conflicts[2].sides, Some(("1.1.0".into(), "2.0.0".into())));
    let marked = "<<<<<<< ours\nb\n||||||| original\na\n=======\nc\n>>>>>>> theirs\n";
    assert_eq!(three.file(&joined, "text"), marked.as_bytes());
    let word = |place: &str| Some(if place == "text" { Side::Theirs } else { Side::Ours });
    let joined = three.merge(&word).expect("merged");
    assert_eq!(
        (three.file(&joined, "text"), joined.authored.version.to_string()),
        (b"c".to_vec(), "1.1.0".into())
    );
}

#[test]
fn a_lock_file_that_both_sides_changed_is_for_its_owner() {
    let place = Place::new();
    let lines = |first: &str, last: &str| format!("{first}\nb==1.0\nc==1.0\nd==1.0\n{last}\n");
    place.put("base/requirements.txt", lines("a==1.0", "e==1.0"));
    place.put("ours/requirements.txt", lines("a==2.0", "e==1.0"));
    place.put("theirs/requirements.txt", lines("a==1.0", "e==2.0"));
    let three = Three::new(&place, [SHOP; 3]);
    let joined = three.merge(&|_| None).expect("merged");
    assert_eq!(places(&joined), ["requirements.txt"], "its lines alone would go together");
    assert_eq!(joined.conflicts[0].resolver, Some("pip-compile"));
    assert_eq!(three.file(&joined, "requirements.txt"), lines("a==2.0", "e==1.0").into_bytes());
}

#[test]
fn seeds_that_are_documents_of_automerge_come_together_as_such() {
    let seeded = r#"{"id": "shop", "name": "The shop", "version": "1.0.0",
        "seeds": [{"name": "board", "type": "crdt", "path": "board.automerge"}]}"#;
    let place = Place::new();
    for name in NAMES {
        place.put(&format!("{name}/board.automerge"), format!("no document of {name}"));
    }
    let joined = Three::new(&place, [seeded; 3]).merge(&|_| None).expect("merged");
    assert_eq!(places(&joined), ["board.automerge"], "what is none is left to people");
    for (name, hex) in NAMES.iter().zip([BASE, OURS, THEIRS]) {
        place.put(
            &format!("{name}/board.automerge"),
            data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex"),
        );
    }
    let three = Three::new(&place, [seeded; 3]);
    let joined = three.merge(&|_| None).expect("merged");
    assert_eq!(places(&joined), Vec::<&str>::new());
    let merged = three.file(&joined, "board.automerge");
    let [ours, theirs] =
        [OURS, THEIRS].map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex"));
    assert_eq!(merged, merge_documents(&ours, &theirs).expect("merged"));
    assert!(merged != ours && merged != theirs);
}

#[test]
fn capsules_of_two_apps_are_not_merged() {
    let place = Place::new();
    let bank = SHOP.replace("shop", "bank");
    let error = Three::new(&place, [SHOP, SHOP, &bank]).merge(&|_| None).expect_err("another app");
    assert_eq!(
        error.to_string(),
        "these are capsules of `shop` and of `bank`; only capsules of one app are merged"
    );
}
