//! What was signed in each released format is verified by this version, and signed again in the same bytes.
//!
//! `XYN_WRITE_GOLDEN=1` writes that of the present format anew; that is only right before its release.

use std::fs;
use std::path::Path;

use super::*;

/// The bytes in this file, which `made` is to be equal to.
fn golden(name: &str, made: &Envelope) -> Envelope {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/version_1").join(name);
    if std::env::var_os("XYN_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        fs::write(&path, made.to_bytes()).expect("writes");
    }
    let bytes = fs::read(path).expect("there");
    assert_eq!(made.to_bytes(), bytes, "the same is signed in the same bytes");
    Envelope::read(&bytes).expect("sound")
}

#[test]
fn what_was_signed_in_version_1_verifies_as_it_always_did() {
    let ring = ring();
    let pinned = golden("keyring.dsse.json", &sealed(&ring, &[9]));
    assert_eq!(Ring::pinned(&pinned, &Quorum::one(public(9)), now()), Ok(ring.clone()));
    let manifest = golden("manifest.dsse.json", &signed(&[1, 2]));
    assert_eq!(ring.manifest(&manifest, now()).expect("signed").value(), &sample());
    let rollback = golden("rollback.dsse.json", &sealed(&about_sample(leave(9, 7)), &[4]));
    let given = ring.statement::<Rollback>(&rollback, &sample().tree, now()).expect("signed");
    assert_eq!(given.value().predicate, leave(9, 7));
}
