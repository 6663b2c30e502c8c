//! What holds of every folder and of every file of bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::forge::Forge;
use super::*;

/// Files of very different lengths, with some contents twice.
fn files() -> impl Strategy<Value = BTreeMap<String, (u8, usize)>> {
    let length = prop_oneof![3 => 0..40_usize, 2 => 0..40_000_usize, 1 => 500_000..1_600_000_usize];
    proptest::collection::btree_map("[a-c]{1,2}(/[d-f]{1,2}){0,2}", (0..6_u8, length), 0..14)
}

/// Lays out `files`, in their order or against it. A path through a file is left out.
fn lay_out(dir: &Path, files: &BTreeMap<String, (u8, usize)>, is_reversed: bool) {
    fs::create_dir(dir).expect("made");
    let is_way = |path: &str| files.keys().any(|other| other.starts_with(&format!("{path}/")));
    let mut files: Vec<_> = files.iter().filter(|(path, _)| !is_way(path)).collect();
    if is_reversed {
        files.reverse();
    }
    for (path, (seed, length)) in files {
        put(dir, path, &noise((*seed).into(), *length));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_folders_make_equal_capsules_and_come_out_again(files in files()) {
        let (place, other) = (Place::new(), Place::new());
        let dirs = [place.path("work"), other.path("elsewhere")];
        lay_out(&dirs[0], &files, false);
        lay_out(&dirs[1], &files, true);
        let bytes = place.capsule(&dirs[0], &Options::default());
        prop_assert!(other.capsule(&dirs[1], &Options::default()) == bytes);
        let out = place.path("out");
        open(&bytes, None).expect("opens").unpack(&out).expect("unpacked");
        prop_assert_eq!(root_of(&out), root_of(&dirs[0]));
    }

    #[test]
    fn a_delta_between_any_two_folders_becomes_the_second(before in files(), after in files()) {
        let place = Place::new();
        let dirs = [place.path("v1"), place.path("v2")];
        lay_out(&dirs[0], &before, false);
        lay_out(&dirs[1], &after, false);
        fs::write(place.path("base.caps"), place.capsule(&dirs[0], &Options::default())).expect("written");
        let base = CapsuleFile::open(&place.path("base.caps"), Limits::default()).expect("opens");
        let delta = place.capsule(&dirs[1], &Options { base: Some(&base), ..Options::default() });
        let verified = open(&delta, Some(&base)).expect("opens").verify().expect("sound");
        prop_assert_eq!(verified.root, root_of(&dirs[1]));
    }

    #[test]
    fn bytes_that_were_changed_are_refused_or_mean_the_same(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = Forge::file("a", &noise(4, 400)).bytes();
        let mut changed = bytes.clone();
        for (at, byte) in &changes {
            changed[at.index(bytes.len())] = *byte;
        }
        let verified = open(&changed, None).and_then(Capsule::verify);
        prop_assert_eq!(verified.is_ok(), changed == bytes);
        changed.truncate(cut.index(bytes.len()));
        prop_assert!(open(&changed, None).and_then(Capsule::verify).is_err());
    }
}
