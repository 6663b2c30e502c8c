//! A manifest of each released format is read by this version, and says what it always said.
//!
//! `XYN_WRITE_GOLDEN=1` writes that of the present format anew; that is only right before its release.

use std::fs;
use std::path::Path;

use super::*;

#[test]
fn the_manifest_of_version_1_reads_as_it_always_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/version_1");
    let (authored, manifest) = (folder.join("capsule.json"), folder.join("manifest.json"));
    if std::env::var_os("XYN_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(&folder).expect("makes");
        fs::write(&authored, AUTHORED).expect("writes");
        fs::write(&manifest, sample().to_bytes().expect("sound")).expect("writes");
    }
    let (authored, bytes) = (fs::read(authored).expect("there"), fs::read(manifest).expect("there"));
    assert_eq!(fill(Authored::read(&authored).expect("sound"), facts()), Ok(sample()));
    assert_eq!(Manifest::read(&bytes), Ok(sample()));
    assert_eq!(sample().to_bytes().expect("sound"), bytes, "the same is written in the same bytes");
    let schema = serde_json::to_value(manifest_json_schema()).expect("renders");
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    jsonschema::validate(&schema, &document).expect("the schema takes it");
}
