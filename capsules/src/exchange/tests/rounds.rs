//! There and back.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Everything that a tree can hold.
fn everything(place: &Place) -> PathBuf {
    place.put("app/index.html", b"<h1>hello</h1>\n");
    place.put("app/copy.html", b"<h1>hello</h1>\n");
    place.put("app/empty", b"");
    place.put("app/ein schöner Name", b"x");
    place.put("app/run", b"#!/bin/sh\n");
    fs::set_permissions(place.path("app/run"), fs::Permissions::from_mode(0o755)).expect("set");
    place.put(&format!("app/{}/{}/file", "long".repeat(30), "longer".repeat(30)), b"far away");
    fs::create_dir_all(place.path("app/nothing/in/it")).expect("made");
    symlink("../index.html", place.path("app/nothing/link")).expect("made");
    symlink(format!("{}/{}", "x".repeat(90), "y".repeat(90)), place.path("app/dangling")).expect("made");
    let large: Vec<u8> =
        (0..1_500_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    place.put("app/large", &large);
    place.capsule("whole.caps")
}

#[test]
fn a_capsule_comes_back_from_a_zip_byte_for_byte() {
    let place = Place::new();
    let capsule = everything(&place);
    let [zip, side] = ["whole.zip", "whole.capsule.json"].map(|name| place.path(name));
    export_zip(&open(&capsule), &zip, &side).expect("exported");
    let manifest = fs::read(&side).expect("there");
    let back = place.path("back.caps");
    let imported = import(&zip, Some(&manifest), &back, Limits::default()).expect("imported");
    assert!(fs::read(&capsule).expect("there") == fs::read(&back).expect("there"));
    let said = crate::manifest::Manifest::read(&manifest).expect("the manifest, as it was signed");
    assert_eq!(said.tree, imported.root);
    export_zip(&open(&back), &place.path("again.zip"), &side).expect("exported");
    assert!(fs::read(zip).expect("there") == fs::read(place.path("again.zip")).expect("there"));
}

#[test]
fn a_capsule_comes_back_from_an_image_byte_for_byte() {
    let place = Place::new();
    let capsule = everything(&place);
    let image = place.path("whole.oci.tar");
    export_oci(&open(&capsule), &image).expect("exported");
    import(&image, None, &place.path("back.caps"), Limits::default()).expect("imported");
    assert!(fs::read(&capsule).expect("there") == fs::read(place.path("back.caps")).expect("there"));
    export_oci(&open(&place.path("back.caps")), &place.path("again.oci.tar")).expect("exported");
    assert!(fs::read(image).expect("there") == fs::read(place.path("again.oci.tar")).expect("there"));
}

#[test]
fn a_manifest_that_lies_beside_is_the_signed_one() {
    let place = Place::new();
    place.put("app/a", b"a");
    let capsule = place.capsule("whole.caps");
    let [zip, side] = ["whole.zip", "whole.capsule.json"].map(|name| place.path(name));
    export_zip(&open(&capsule), &zip, &side).expect("exported");
    let other =
        String::from_utf8(fs::read(&side).expect("there")).expect("JSON").replace("The shop", "The bank");
    let error = import(&zip, Some(other.as_bytes()), &place.path("back.caps"), Limits::default());
    let error = error.expect_err("another manifest").to_string();
    assert!(
        error.starts_with("the manifest beside the archive is not the one that is signed in it"),
        "{error}"
    );
    assert!(!place.path("back.caps").exists());
}

#[test]
fn what_a_layer_would_take_for_a_whiteout_does_not_become_an_image() {
    let place = Place::new();
    place.put("app/.wh.a", b"a");
    let capsule = place.capsule("whole.caps");
    let error = export_oci(&open(&capsule), &place.path("whole.oci.tar")).expect_err("refused").to_string();
    assert_eq!(error, "the entry `.wh.a` is a whiteout; a capsule is one layer and takes nothing away");
    assert!(!place.path("whole.oci.tar").exists());
    export_zip(&open(&capsule), &place.path("whole.zip"), &place.path("side.json")).expect("a zip has none");
}

#[test]
fn a_damaged_capsule_is_not_exported() {
    let place = Place::new();
    place.put("app/a", b"some text ".repeat(2_000));
    let capsule = place.capsule("whole.caps");
    let mut bytes = fs::read(&capsule).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&capsule, bytes).expect("written");
    for exported in [
        export_oci(&open(&capsule), &place.path("out.tar")),
        export_zip(&open(&capsule), &place.path("out.zip"), &place.path("side.json")),
    ] {
        exported.expect_err("refused");
    }
    assert!(["out.tar", "out.zip", "side.json"].iter().all(|name| !place.path(name).exists()));
}
