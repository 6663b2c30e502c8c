//! What strangers can hand over as an export of a capsule.
//!
//! An image is made around the layer that is tried, and the sums of its headers are made to fit, so that neither
//! keeps the fuzzer out.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use xyn_capsules::container::{Base, CapsuleFile, Options, pack};
use xyn_capsules::exchange::{export_zip, import};
use xyn_capsules::make::{Maker, Why, make};
use xyn_capsules::manifest::Authored;
use xyn_capsules::sign::SecretKey;
use xyn_capsules::tree::Limits;
use xyn_store::Digest;

const LIMITS: fn() -> Limits = || Limits { entries: 1_000, total_bytes: 8 << 20, ..Limits::default() };

/// A text that can be compressed.
const TEXT: &str =
    "text and text and text and text and text and text and text and text and text and text and text";

/// A sound capsule in a folder.
fn capsule() -> (TempDir, PathBuf) {
    let scratch = tempfile::tempdir().expect("a folder");
    let (app, target) = (scratch.path().join("app"), scratch.path().join("whole.caps"));
    fs::create_dir_all(app.join("b")).expect("made");
    fs::write(app.join("a"), TEXT).expect("written");
    fs::write(app.join("b/c"), [1, 9, 8, 4]).expect("written");
    std::os::unix::fs::symlink("a", app.join("link")).expect("made");
    let draft = pack(&app, &target, &Options::default()).expect("packed");
    let authored = Authored::read(br#"{"id":"shop","name":"The shop","version":"1.4.2"}"#).expect("sound");
    let maker = Maker {
        key: &SecretKey::from_bytes(&[7; 32]),
        name: &"ada@lab".parse().expect("a line"),
        generation: 1,
        now: super::now(),
        version: "0.1.0",
        built: &[],
        checked: None,
        parent: None,
        why: &Why::default(),
    };
    make(draft, authored, &[], &maker).expect("made");
    (scratch, target)
}

/// Imports what stands at `source`; what comes of it is a capsule of the tree that it says.
fn tried(source: &Path, folder: &Path) {
    let target = folder.join("imported.caps");
    match import(source, None, &target, LIMITS()) {
        Ok(imported) => {
            let capsule = CapsuleFile::open(&target, LIMITS()).expect("it was just written");
            assert_eq!(capsule.outline().root(), imported.root);
            fs::remove_file(target).expect("it is there");
        }
        Err(error) => {
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
            assert!(!target.exists(), "something was left of what was refused: {error}");
        }
    }
}

/// Zips.
pub(super) mod zips {
    use super::*;

    thread_local! {
        static SCRATCH: TempDir = tempfile::tempdir().expect("a folder");
    }

    pub(crate) fn run(bytes: &[u8]) {
        // Anything else is an image, which is tried elsewhere.
        let bytes = [b"PK", bytes.strip_prefix(b"PK").unwrap_or(bytes)].concat();
        SCRATCH.with(|scratch| {
            let source = scratch.path().join("hostile.zip");
            fs::write(&source, bytes).expect("written");
            tried(&source, scratch.path());
        });
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let (scratch, capsule) = capsule();
        let at = |name: &str| scratch.path().join(name);
        let capsule = CapsuleFile::open(&capsule, Limits::default()).expect("a capsule");
        export_zip(&capsule, &at("whole.zip"), &at("side.json")).expect("exported");
        vec![fs::read(at("whole.zip")).expect("there")]
    }
}

/// What an image says of itself.
pub(super) mod images {
    use super::layers::{IMAGE, Image, sound};

    pub(crate) fn run(bytes: &[u8]) {
        IMAGE.with(|image| image.tried(&sound(), |_| bytes.to_vec()));
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let (image, mut said) = (Image::new(), Vec::new());
        image.tried(&sound(), |document| {
            said.push(document.clone());
            document
        });
        said
    }
}

/// Layers of images.
pub(super) mod layers {
    use super::*;

    thread_local! {
        pub(super) static IMAGE: Image = Image::new();
    }

    /// An image whose first layer is still to come.
    pub(super) struct Image {
        scratch: TempDir,
        /// The layers behind it.
        rest: Vec<Value>,
    }

    impl Image {
        pub(super) fn new() -> Self {
            let (_scratch, capsule) = capsule();
            let capsule = CapsuleFile::open(&capsule, Limits::default()).expect("a capsule");
            let mut image = Self { scratch: tempfile::tempdir().expect("a folder"), rest: Vec::new() };
            fs::create_dir_all(image.at("blobs/sha256")).expect("made");
            fs::write(image.at("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
            let envelopes = [("envelope", capsule.manifest())].into_iter();
            let attestations = capsule.attestations().iter().map(|bytes| ("attestation", bytes.as_slice()));
            for (kind, bytes) in envelopes.chain(attestations) {
                let kind = format!("application/vnd.xyn.capsule.{kind}.v1+json");
                image.rest.push(image.blob(&kind, bytes));
            }
            image
        }

        fn at(&self, name: &str) -> PathBuf {
            self.scratch.path().join("image").join(name)
        }

        fn blob(&self, kind: &str, bytes: &[u8]) -> Value {
            let digest = Digest::of(bytes);
            fs::write(self.at(&format!("blobs/sha256/{digest}")), bytes).expect("written");
            json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len() })
        }

        /// Imports an image of `layer` and of what `says` makes of its manifest.
        pub(super) fn tried(&self, layer: &[u8], says: impl FnOnce(Vec<u8>) -> Vec<u8>) {
            let layers =
                [&[self.blob("application/vnd.oci.image.layer.v1.tar", layer)], self.rest.as_slice()];
            let unpacked = format!("sha256:{}", Digest::of(layer));
            let rootfs = json!({ "type": "layers", "diff_ids": [unpacked] });
            let config = json!({ "architecture": "unknown", "os": "unknown", "rootfs": rootfs }).to_string();
            let config = self.blob("application/vnd.oci.image.config.v1+json", config.as_bytes());
            let image =
                json!({ "schemaVersion": 2, "config": config, "layers": layers.concat() }).to_string();
            let image = says(image.into_bytes());
            let image = self.blob("application/vnd.oci.image.manifest.v1+json", &image);
            let index = json!({ "schemaVersion": 2, "manifests": [image] }).to_string();
            fs::write(self.at("index.json"), index).expect("written");
            tried(&self.at("."), self.scratch.path());
            for blob in [&layers[0][0], &config, &image] {
                let digest = blob["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
                let path = self.at(&format!("blobs/sha256/{}", digest.expect("a digest")));
                fs::remove_file(path).expect("it is there");
            }
        }
    }

    pub(crate) fn run(bytes: &[u8]) {
        let layer = mended(bytes);
        IMAGE.with(|image| image.tried(&layer, |said| said));
    }

    /// A layer that a capsule can have.
    pub(super) fn sound() -> Vec<u8> {
        archive(&entries())
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let long =
            [("pax", b'x', b"16 path=../../x\n".as_slice(), ""), ("long", b'L', b"b/d\0", ""), entries()[0]];
        vec![sound(), archive(&long)]
    }

    fn entries() -> [(&'static str, u8, &'static [u8], &'static str); 4] {
        [
            ("a", b'0', TEXT.as_bytes(), ""),
            ("b/", b'5', b"", ""),
            ("b/c", b'0', &[1, 9, 8, 4], ""),
            ("link", b'2', b"", "a"),
        ]
    }

    /// The same with sums that fit, wherever there is a header.
    fn mended(bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar").for_each(sum);
        bytes
    }

    fn sum(header: &mut [u8]) {
        header[148..156].copy_from_slice(b"        ");
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }

    /// A tar of entries: name, kind, content, target.
    fn archive(entries: &[(&str, u8, &[u8], &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, kind, content, target) in entries {
            let mut header = [0; 512];
            let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
            put(0, name.as_bytes());
            put(100, b"0000644\0");
            put(124, format!("{:011o}\0", content.len()).as_bytes());
            put(156, &[*kind]);
            put(157, target.as_bytes());
            put(257, b"ustar\x0000");
            sum(&mut header);
            out.extend(header);
            out.extend_from_slice(content);
            out.resize(out.len().next_multiple_of(512), 0);
        }
        out.extend([0; 1_024]);
        out
    }
}
