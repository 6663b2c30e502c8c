//! Images that were made to do harm, each with what is said about it.

use std::io::Write;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};
use xyn_store::Digest;

use super::super::tar::{self, Entry, Kind};
use super::*;
use crate::container::Base;

pub(super) const TREE: &str = "application/vnd.oci.image.layer.v1.tar";

pub(super) type Pack = fn(&[u8]) -> Vec<u8>;

/// An image in parts.
#[derive(Clone)]
pub(super) struct Image {
    /// The tar of the tree.
    pub(super) tar: Vec<u8>,
    /// Its media type, and how it is packed.
    pub(super) packed: (String, Pack),
    /// The other layers.
    pub(super) rest: Vec<(&'static str, Vec<u8>)>,
}

pub(super) fn plain(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("written");
    packed.finish().expect("written")
}

fn named(bytes: &[u8]) -> String {
    format!("sha256:{}", Digest::of(bytes))
}

pub(super) fn file(name: &str, size_bytes: u64) -> Entry {
    Entry { name: name.into(), kind: Kind::File, mode: 0o644, size_bytes, target: Vec::new() }
}

pub(super) fn archive(entries: &[(Entry, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (entry, bytes) in entries {
        tar::write(&mut out, entry).expect("written");
        out.extend_from_slice(bytes);
        tar::pad(&mut out, bytes.len() as u64).expect("written");
    }
    tar::end(&mut out).expect("written");
    out
}

impl Image {
    /// A sound capsule with the one file `a`.
    pub(super) fn sound(place: &Place) -> Self {
        place.put("app/a", b"content");
        let capsule = open(&place.capsule("whole.caps"));
        assert_eq!(capsule.outline().listing().files, 1);
        let mut rest = vec![("application/vnd.xyn.capsule.envelope.v1+json", capsule.manifest().to_vec())];
        let attestations = capsule.attestations().iter();
        rest.extend(
            attestations.map(|bytes| ("application/vnd.xyn.capsule.attestation.v1+json", bytes.clone())),
        );
        Self { tar: archive(&[(file("a", 7), b"content")]), packed: (TREE.to_owned(), plain), rest }
    }

    pub(super) fn with(&self, entries: &[(Entry, &[u8])]) -> Self {
        let entries = [&[(file("a", 7), b"content".as_slice())], entries].concat();
        Self { tar: archive(&entries), ..self.clone() }
    }

    /// Lays it out as a folder, with its documents as `change` has them.
    fn folder(&self, place: &Place, change: impl FnOnce(&mut Value, &mut Value)) -> PathBuf {
        let dir = place.path("image");
        let _ = fs::remove_dir_all(&dir);
        let blob = |bytes: &[u8]| {
            place.put(&format!("image/blobs/sha256/{}", Digest::of(bytes)), bytes);
            json!({ "digest": named(bytes), "size": bytes.len() })
        };
        let typed = |kind: &str, bytes: &[u8]| {
            let mut descriptor = blob(bytes);
            descriptor["mediaType"] = kind.into();
            descriptor
        };
        let packed = self.packed.1(&self.tar);
        let mut layers = vec![typed(&self.packed.0, &packed)];
        layers.extend(self.rest.iter().map(|(kind, bytes)| typed(kind, bytes)));
        let unpacked: Vec<_> = [self.tar.as_slice()]
            .into_iter()
            .chain(self.rest.iter().map(|(_, b)| b.as_slice()))
            .map(named)
            .collect();
        let config = json!({ "architecture": "unknown", "os": "unknown", "rootfs": { "type": "layers", "diff_ids": unpacked } });
        let config = typed("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let mut image = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        let mut index = json!({ "schemaVersion": 2, "manifests": [] });
        change(&mut image, &mut index);
        let image = typed("application/vnd.oci.image.manifest.v1+json", image.to_string().as_bytes());
        index["manifests"].as_array_mut().expect("a list").insert(0, image);
        place.put("image/index.json", index.to_string().as_bytes());
        place.put("image/oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        dir
    }

    pub(super) fn refused(&self, place: &Place) -> String {
        refused(place, &self.folder(place, |_, _| {}))
    }
}

fn taken(place: &Place, dir: &Path) {
    import(dir, None, &place.path("back.caps"), Limits::default()).expect("imported");
    assert!(
        fs::read(place.path("whole.caps")).expect("there")
            == fs::read(place.path("back.caps")).expect("there")
    );
    fs::remove_file(place.path("back.caps")).expect("removed");
}

#[test]
fn a_layer_may_be_packed_in_each_way_and_the_layout_be_a_folder_or_a_tar() {
    let place = Place::new();
    let image = Image::sound(&place);
    let zstd: Pack = |bytes| zstd::bulk::compress(bytes, 3).expect("compressed");
    for (ending, pack) in [("", plain as Pack), ("+gzip", gzip), ("+zstd", zstd)] {
        let image = Image { packed: (format!("{TREE}{ending}"), pack), ..image.clone() };
        taken(&place, &image.folder(&place, |_, _| {}));
    }
    let dir = image.folder(&place, |_, _| {});
    let mut entries = Vec::new();
    for name in ["index.json", "oci-layout"] {
        entries.push((name.to_owned(), fs::read(dir.join(name)).expect("there")));
    }
    for blob in fs::read_dir(dir.join("blobs/sha256")).expect("there") {
        let blob = blob.expect("there");
        let name = format!("blobs/sha256/{}", blob.file_name().to_string_lossy());
        entries.push((name, fs::read(blob.path()).expect("there")));
    }
    let listed: Vec<_> =
        entries.iter().map(|(name, bytes)| (file(name, bytes.len() as u64), bytes.as_slice())).collect();
    place.put("image.tar", archive(&listed));
    taken(&place, &place.path("image.tar"));
    let twice: Vec<_> = listed.iter().chain(&listed[..1]).cloned().collect();
    place.put("image.tar", archive(&twice));
    assert_eq!(refused(&place, &place.path("image.tar")), "the entry `index.json` is there twice");
    let whole = archive(&listed);
    for end in (0..whole.len()).step_by(301) {
        place.put("image.tar", &whole[..end]);
        refused(&place, &place.path("image.tar"));
    }
    place.put("image.tar", [whole.as_slice(), b"behind"].concat());
    assert!(refused(&place, &place.path("image.tar")).contains("something stands behind the end"));
}

#[test]
fn a_digest_or_a_length_that_lies_is_refused() {
    let place = Place::new();
    let image = Image::sound(&place);
    let changed = |change: &dyn Fn(&mut Value, &mut Value)| refused(&place, &image.folder(&place, change));
    let other = named(b"other");
    let error = changed(&|image, _| image["layers"][0]["digest"] = other.clone().into());
    assert_eq!(error, "the layer is missing; what is imported is what `xyn capsule export` writes");
    let error = changed(&|image, _| image["layers"][0]["size"] = 9.into());
    assert!(error.contains("is said to have 9 bytes"), "{error}");
    for digest in ["sha512:00", "sha256:00", "sha256:../../../../etc/passwd", ""] {
        let error = changed(&|image, _| image["layers"][0]["digest"] = digest.into());
        assert!(error.contains("is no digest of the form"), "{error}");
    }
    // The blob is not what its name says.
    let dir = image.folder(&place, |_, _| {});
    let layer = dir.join(format!("blobs/sha256/{}", Digest::of(&image.tar)));
    let mut bytes = fs::read(&layer).expect("there");
    bytes[512] ^= 1;
    fs::write(&layer, bytes).expect("written");
    assert!(refused(&place, &dir).starts_with("the layer is `"));
    let envelope = dir.join(format!("blobs/sha256/{}", Digest::of(&image.rest[0].1)));
    fs::write(&envelope, vec![b' '; image.rest[0].1.len()]).expect("written");
    assert!(refused(&place, &dir).starts_with("an envelope is `"));
    // Nothing outside of the layout is read through a link.
    fs::remove_file(&envelope).expect("removed");
    symlink(place.path("whole.caps"), &envelope).expect("made");
    assert!(refused(&place, &dir).starts_with("an envelope is missing"));
}

#[test]
fn an_image_is_one_and_has_the_layers_of_a_capsule() {
    let place = Place::new();
    let image = Image::sound(&place);
    let changed = |change: &dyn Fn(&mut Value, &mut Value)| refused(&place, &image.folder(&place, change));
    let more = json!({ "mediaType": "x", "digest": named(b""), "size": 0 });
    let error = changed(&|_, index| index["manifests"] = json!([more.clone()]));
    assert_eq!(error, "there are 2 images, and there may be 1");
    let error = changed(&|image, _| image["layers"][1]["mediaType"] = TREE.into());
    assert!(error.contains("which no capsule has"), "{error}");
    let error = changed(&|image, _| image["layers"][0]["mediaType"] = "text/plain".into());
    assert!(error.contains("its first layer is `text/plain`, and no tar"), "{error}");
    let error = changed(&|image, _| image["config"]["mediaType"] = "text/plain".into());
    assert!(error.contains("the configuration is `text/plain`"), "{error}");
    let error = changed(&|image, _| drop(image["layers"].as_array_mut().expect("a list").remove(1)));
    assert!(error.starts_with("the signed manifest is missing"), "{error}");
    let error = changed(&|image, _| drop(image["layers"].as_array_mut().expect("a list").remove(2)));
    assert!(error.contains("that the capsule was packed with is missing or was swapped"), "{error}");
    let error = changed(&|image, _| {
        let layers = image["layers"].as_array_mut().expect("a list");
        layers.extend(vec![layers[2].clone(); 64]);
    });
    assert_eq!(error, "there are 65 attestations, and there may be 64");
    let error = changed(&|image, _| image["layers"][1]["size"] = (5_u64 << 20).into());
    assert_eq!(error, "the envelope of the manifest has 5242880 bytes, the limit is 4194304");
    let other = image.with(&[(file("more", 1), b"x")]).refused(&place);
    assert!(other.starts_with("the manifest is about the tree `"), "{other}");
    let dir = image.folder(&place, |_, _| {});
    place.put("image/index.json", br#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#);
    assert!(refused(&place, &dir).contains("stands there twice"));
    place.put("image/index.json", "[".repeat(100_000).as_bytes());
    assert!(refused(&place, &dir).contains("levels deep"));
    place.put("image/oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#);
    assert!(refused(&place, &dir).contains("its layout is of version `2.0.0`"));
    fs::remove_file(place.path("image/oci-layout")).expect("removed");
    assert!(refused(&place, &dir).starts_with("oci-layout is missing"));
}
