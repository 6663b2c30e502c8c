//! Capsule files of each released format are read by this version, and are what they always were.
//!
//! `XYN_WRITE_GOLDEN=1` writes those of the present format anew; that is only right before its release. What is written
//! today need not have the same bytes: how chunks are compressed is nobody's format.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::format::Form;
use super::*;
use crate::fixture::{SHOP, key};
use crate::make::{Maker, Why, make};
use crate::manifest::Authored;
use crate::proof::Trusted;
use crate::sign::{Predicate, Provenance, Quorum};

/// Columns of the text that a capsule is kept as.
const COLUMNS: usize = 100;

/// The capsule in this file, or the one that `made` makes where it is to be written.
fn golden(name: &str, made: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/version_1").join(name);
    if std::env::var_os("XYN_WRITE_GOLDEN").is_some() {
        let text = STANDARD.encode(made());
        let lines = text.as_bytes().chunks(COLUMNS).map(|line| [line, b"\n"].concat());
        fs::write(&path, lines.collect::<Vec<_>>().concat()).expect("writes");
    }
    let text = fs::read_to_string(path).expect("there");
    STANDARD.decode(text.replace('\n', "")).expect("base64")
}

/// The capsule of `dir`, signed by key 1.
fn sealed(place: &Place, dir: &Path, base: Option<&dyn Base>) -> Vec<u8> {
    let target = place.path("made.caps");
    let draft = pack(dir, &target, &Options { base, ..Options::default() }).expect("packed");
    let maker = Maker {
        key: &key(1),
        name: &"ada@lab".parse().expect("a line"),
        generation: if base.is_some() { 2 } else { 1 },
        now: "2026-11-21T12:00:00Z".parse().expect("an instant"),
        version: "0.1.0",
        built: &[],
        checked: None,
        parent: None,
        why: &Why::default(),
    };
    make(draft, Authored::read(SHOP.as_bytes()).expect("sound"), &[], &maker).expect("made");
    fs::read(target).expect("there")
}

/// An app that has something of everything, and what comes after it.
fn editions(place: &Place) -> [PathBuf; 2] {
    ["one", "two"].map(|name| {
        let dir =
            place.folder(name, &[("empty", b""), ("noise", &noise(3, 300)), ("a/copy", &noise(3, 300))]);
        put(&dir, "text", format!("edition {name}\n{}", "as it always was\n".repeat(40)).as_bytes());
        // So large that it is in chunks of its own, and those in few bytes.
        put(&dir, "zeros", &vec![0; 600 << 10]);
        std::os::unix::fs::symlink("a/copy", dir.join("link")).expect("made");
        std::os::unix::fs::symlink("nowhere", dir.join("a/loose")).expect("made");
        fs::set_permissions(dir.join("text"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("set");
        dir
    })
}

#[test]
fn the_capsules_of_version_1_are_read_proved_and_laid_out_as_they_always_were() {
    let place = Place::new();
    let [one, two] = editions(&place);
    let whole = golden("whole.caps.base64", || sealed(&place, &one, None));
    fs::write(place.path("whole.caps"), &whole).expect("written");
    let base = CapsuleFile::open(&place.path("whole.caps"), Limits::default()).expect("a whole one");
    let delta = golden("delta.caps.base64", || sealed(&place, &two, Some(&base)));
    type Is = fn(&Form) -> bool;
    let whole_is: [Is; 1] = [|form| matches!(form, Form::Zstd { .. })];
    let delta_is: [Is; 2] =
        [|form| matches!(form, Form::Patch { .. }), |form| matches!(form, Form::Held { .. })];
    let base: &dyn Base = &base;
    let cases = [(&whole, None, &one, 1, &whole_is[..]), (&delta, Some(base), &two, 2, &delta_is[..])];
    for (bytes, base, dir, generation, forms) in cases {
        let trusted = Trusted::read(bytes.as_slice(), &Quorum::one(key(1).public())).expect("signed");
        let manifest = trusted.manifest();
        assert_eq!((manifest.tree, manifest.generation), (root_of(dir), generation));
        let claims: Vec<_> =
            trusted.claims().iter().map(|claim| (claim.kind.as_str(), claim.is_packed)).collect();
        assert_eq!(claims, [(Provenance::TYPE, true)]);
        let capsule = trusted.open(base, Limits::default()).expect("opens");
        for is_form in forms {
            assert!(capsule.index.rows.iter().any(|row| is_form(&row.form)), "{:?}", capsule.index.rows);
        }
        let verified = capsule.verify().expect("sound");
        assert_eq!((verified.files, verified.stored_bytes), (5, bytes.len() as u64));
        let out = place.path(&format!("out{generation}"));
        open(bytes, base).expect("opens").unpack(&out).expect("laid out");
        assert_eq!(root_of(&out), root_of(dir));
        assert_eq!(fs::read(out.join("a/copy")).expect("there"), noise(3, 300));
    }
}
