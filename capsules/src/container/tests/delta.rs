//! The next version for somebody who has the one before.

use super::*;

/// A folder of some small files and a large one.
fn first(place: &Place) -> PathBuf {
    let dir = place.folder("v1", &[("large", &noise(99, 6 << 20))]);
    for number in 0..300_u64 {
        put(&dir, &format!("part{}/file{number}", number / 20), &noise(number, 4_000 + number as usize));
    }
    dir
}

/// The same with a little of everything changed.
fn second(place: &Place) -> PathBuf {
    let dir = first(place);
    let next = place.path("v2");
    fs::rename(dir, &next).expect("moved");
    let mut large = noise(99, 6 << 20);
    large.splice(3_000_000..3_000_100, noise(7, 50_000));
    put(&next, "large", &large);
    let mut edited = noise(25, 4_025);
    edited.splice(2_000..2_010, *b"another line");
    put(&next, "part1/file25", &edited);
    put(&next, "part1/new", &noise(1_000, 3_000));
    fs::remove_file(next.join("part7/file150")).expect("removed");
    fs::rename(next.join("part3/file60"), next.join("part3/moved")).expect("moved");
    next
}

fn file(place: &Place, name: &str, bytes: &[u8]) -> CapsuleFile {
    let path = place.path(name);
    fs::write(&path, bytes).expect("written");
    CapsuleFile::open(&path, Limits::default()).expect("opens")
}

#[test]
fn a_delta_holds_what_changed_and_becomes_the_whole_tree() {
    let place = Place::new();
    let whole = place.capsule(&first(&place), &Options::default());
    let base = file(&place, "base.caps", &whole);
    let next = second(&place);
    let options = Options { base: Some(&base), ..Options::default() };
    let delta = place.capsule(&next, &options);
    // 50 KB and 3 KB are new and cannot be compressed.
    assert!((53_000..80_000).contains(&delta.len()), "{} of {} bytes", delta.len(), whole.len());
    assert_eq!(place.capsule(&next, &options), delta, "the same twice");
    let cover = Cover::read(delta.as_slice()).expect("a capsule");
    assert_eq!((cover.root(), cover.base()), (root_of(&next), Some(base.outline().root())));
    open(&delta, Some(&base)).expect("opens").verify().expect("sound");
    let out = place.path("out");
    open(&delta, Some(&base)).expect("opens").unpack(&out).expect("unpacked");
    assert_eq!(root_of(&out), root_of(&next));
}

#[test]
fn a_delta_to_the_same_tree_holds_nothing_of_its_files() {
    let place = Place::new();
    let dir = first(&place);
    let base = file(&place, "base.caps", &place.capsule(&dir, &Options::default()));
    let delta = place.capsule(&dir, &Options { base: Some(&base), ..Options::default() });
    assert!(delta.len() < 1_500, "{} bytes", delta.len());
    open(&delta, Some(&base)).expect("opens").verify().expect("sound");
}

#[test]
fn a_delta_is_read_with_its_base_and_no_other() {
    let place = Place::new();
    let dir = place.folder("v1", &[("a", b"one")]);
    let base = file(&place, "base.caps", &place.capsule(&dir, &Options::default()));
    put(&dir, "a", b"two");
    let other = file(&place, "other.caps", &place.capsule(&dir, &Options::default()));
    let delta = place.capsule(&dir, &Options { base: Some(&base), ..Options::default() });
    let refused = |base| open(&delta, base).and_then(Capsule::verify).expect_err("refused").to_string();
    let (needs, given) = (base.outline().root(), other.outline().root());
    let message = format!(
        "this capsule only holds what changed since the tree `{needs}`; give the capsule of that tree as base"
    );
    assert_eq!(refused(None), message);
    let message = format!("this capsule needs the tree `{needs}` as base, and was given `{given}`");
    assert_eq!(refused(Some(&other)), message);
    fs::write(place.path("delta.caps"), &delta).expect("written");
    let error =
        CapsuleFile::open(&place.path("delta.caps"), Limits::default()).map(drop).expect_err("a delta");
    assert!(matches!(error, ContainerError::Delta), "{error}");
}

#[test]
fn a_base_file_that_was_changed_or_cut_is_noticed() {
    let place = Place::new();
    let dir = place.folder("v1", &[("a", &noise(1, 9_000)), ("b", &noise(2, 9_000))]);
    let whole = place.capsule(&dir, &Options::default());
    let opened = |bytes: &[u8]| {
        fs::write(place.path("base.caps"), bytes).expect("written");
        CapsuleFile::open(&place.path("base.caps"), Limits::default())
    };
    let cut = opened(&whole[..whole.len() - 1]).map(drop).expect_err("cut");
    assert!(matches!(cut, ContainerError::Truncated { .. }), "{cut}");
    let longer = opened(&[whole.as_slice(), b"x"].concat()).map(drop).expect_err("longer");
    assert!(matches!(longer, ContainerError::Trailing { .. }), "{longer}");
    let sound = opened(&whole).expect("opens");
    assert_eq!(sound.read(8_990..9_010).expect("reads").len(), 20);
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let error = opened(&changed).expect("opens").read(0..9).expect_err("changed");
    assert!(matches!(error, ContainerError::Altered { .. }), "{error}");
}
