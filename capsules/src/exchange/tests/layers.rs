//! Layers of images that were made to do harm, each with what is said about it.

use super::super::tar::{Entry, Kind};
use super::images::{Image, Pack, TREE, archive, file, gzip, plain};
use super::*;

#[test]
fn names_links_and_kinds_that_no_tree_holds_are_refused() {
    let place = Place::new();
    let image = Image::sound(&place);
    for (name, fault) in [
        ("../x", "leads to no entry"),
        ("/etc/x", "leads to no entry"),
        ("./x", "leads to no entry"),
        ("b\\x", "holds a separator of paths"),
        ("\u{202e}x", "characters that hide how it reads"),
        ("b/.git/x", "is reserved"),
        ("b/.wh.a", "is a whiteout"),
        (".wh..wh..opq", "is a whiteout"),
        ("a", "is there twice"),
        ("a/b", "is there twice"),
        ("A", "are one name where cases are not told apart"),
    ] {
        let error = image.with(&[(file(name, 1), b"x")]).refused(&place);
        assert!(error.contains(fault), "{name}: {error}");
    }
    let link = |target: &str| Entry { kind: Kind::Symlink, target: target.into(), ..file("l", 0) };
    for target in ["/etc/passwd", "../../x", "a/../../x"] {
        let error = image.with(&[(link(target), b"")]).refused(&place);
        assert!(error.starts_with("`l`: no tree holds this link"), "{error}");
    }
    let through = image.with(&[(link("a"), b""), (file("l/x", 1), b"x")]).refused(&place);
    assert!(through.contains("the name `l` is there twice"), "{through}");
    for mode in [0o4755, 0o2755] {
        let error = image.with(&[(Entry { mode, ..file("x", 1) }, b"x")]).refused(&place);
        assert!(error.contains("run it as somebody else"), "{error}");
    }
}

/// The tar with the second header changed, and its checksum made to fit.
fn forged(image: &Image, change: impl FnOnce(&mut [u8])) -> Image {
    let mut forged = image.with(&[(file("x", 0), b"")]);
    let header = &mut forged.tar[1_024..1_536];
    change(header);
    header[148..156].copy_from_slice(b"        ");
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    forged
}

#[test]
fn headers_that_say_two_things_are_refused() {
    let place = Place::new();
    let image = Image::sound(&place);
    for (kind, what) in [
        (b'1', "is a hard link"),
        (b'3', "is a device"),
        (b'4', "is a device"),
        (b'6', "is a pipe"),
        (b'S', "is a sparse file"),
        (b'V', "is of a kind that is not known here"),
    ] {
        let error = forged(&image, |header| header[156] = kind).refused(&place);
        assert!(error.starts_with(&format!("the entry `x` {what}")), "{error}");
    }
    let global = forged(&image, |header| header[156] = b'g').refused(&place);
    assert!(global.contains("a header is for all entries"), "{global}");
    let endless = forged(&image, |header| header[124..136].fill(b'7'));
    assert!(
        endless.refused(&place).contains("is larger than") || endless.refused(&place).contains("cut short")
    );
    let directory = forged(&image, |header| {
        header[156] = b'5';
        header[124..135].copy_from_slice(b"00000000001");
    });
    assert!(directory.refused(&place).contains("is said to have 0 bytes, and has 1"));
    let mut broken = image.with(&[(file("x", 0), b"")]);
    broken.tar[1_030] ^= 1;
    assert!(broken.refused(&place).contains("from byte 1024 on, a header is damaged"));
    let mut endless = image.clone();
    endless.tar.truncate(1_024);
    assert!(endless.refused(&place).contains("there is no end of the archive"));
    endless.tar.extend([0; 512].into_iter().chain(*b"behind"));
    assert!(endless.refused(&place).contains("something stands behind the end"));
}

#[test]
fn what_is_said_beside_a_header_is_said_once_and_fits() {
    let place = Place::new();
    let image = Image::sound(&place);
    let extended = |kind: u8, records: &[u8]| {
        let mut out = archive(&[
            (file("a", 7), b"content"),
            (file("pax", records.len() as u64), records),
            (file("x", 1), b"x"),
        ]);
        let header = &mut out[1_024..1_536];
        header[156] = kind;
        header[148..156].copy_from_slice(b"        ");
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        Image { tar: out, ..image.clone() }.refused(&place)
    };
    let damaged = "what is said about an entry is damaged, or said twice";
    assert!(extended(b'x', b"16 path=../../x\n").contains("leads to no entry"));
    assert!(extended(b'L', b"../../x\0").contains("leads to no entry"));
    assert!(extended(b'x', b"10 path=b\n10 path=c\n").contains(damaged));
    assert!(extended(b'x', b"99 path=b\n").contains(damaged));
    assert!(extended(b'x', b"path=b\n").contains(damaged));
    assert!(extended(b'x', b"22 GNU.sparse.major=1\n").contains(damaged));
    assert!(extended(b'x', b"10 size=2\n").contains("a length is said in two ways"));
    assert!(extended(b'L', &vec![b'x'; 70 << 10]).contains("a name is too long"));
}

#[test]
fn a_layer_that_is_not_what_it_unpacks_to_is_refused() {
    let place = Place::new();
    let image = Image::sound(&place);
    let packed = |pack: Pack| Image { packed: (format!("{TREE}+gzip"), pack), ..image.clone() };
    let behind = packed(|bytes| [gzip(bytes), b"behind".to_vec()].concat()).refused(&place);
    assert!(behind.contains("something stands behind its layer"), "{behind}");
    let other = packed(|bytes| gzip(&[bytes, &[0; 512]].concat())).refused(&place);
    assert!(other.starts_with("the layer, unpacked is `"), "{other}");
    let cut = packed(|bytes| gzip(bytes)[..60].to_vec()).refused(&place);
    assert!(
        cut.starts_with("this is no sound image of a capsule") || cut.contains("cannot be unpacked"),
        "{cut}"
    );
    assert!(packed(plain).refused(&place).starts_with("this is no sound image of a capsule"));
}
