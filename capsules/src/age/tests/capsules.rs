//! Capsules for few, whole.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use super::*;
use crate::container::{CapsuleFile, ContainerError, Cover};
use crate::fixture::{Place, key};
use crate::proof::{NotTrusted, Trusted};
use crate::sign::Quorum;
use crate::tree::Limits;

fn source(path: &Path) -> BufReader<File> {
    BufReader::new(File::open(path).expect("there"))
}

fn read(path: &Path, by: u8) -> Result<Trusted<Opened<BufReader<File>>>, NotTrusted> {
    Trusted::open_as(source(path), &[identity(by)], &Quorum::one(key(1).public()))
}

/// A capsule for the holders of keys 1 and 2.
fn private(place: &Place) -> std::path::PathBuf {
    place.put("app/a", b"for few");
    place.put("app/large", vec![7; 3 * PIECE_BYTES]);
    let [one, two] = [1, 2].map(|number| identity(number).recipient());
    let authored = format!(
        r#"{{"id": "shop", "name": "The shop", "version": "1.4.2", "rights": {{"scope": "private"}},
            "recipients": ["{one}", "{two}"]}}"#
    );
    place.sealed("app", "shop.caps.age", &authored, None)
}

#[test]
fn a_private_capsule_shows_nothing_and_opens_for_its_recipients() {
    let place = Place::new();
    let capsule = private(&place);
    let bytes = fs::read(&capsule).expect("there");
    for word in ["shop", "for few", "slsa", "xyncaps"] {
        assert!(memchr::memmem::find(&bytes, word.as_bytes()).is_none(), "`{word}` can be read");
    }
    for by in [1, 2] {
        let trusted = read(&capsule, by).expect("signed");
        assert_eq!(trusted.manifest().recipients, recipients(&[1, 2]));
        let out = place.path(&format!("out{by}"));
        trusted.open(None, Limits::default()).expect("opens").unpack(&out).expect("laid out");
        assert_eq!(fs::read(out.join("a")).expect("there"), b"for few");
    }
    assert!(matches!(read(&capsule, 3), Err(NotTrusted::NotOpened(NotOpened::OtherKeys))));
    assert!(matches!(Cover::read(source(&capsule)), Err(ContainerError::Encrypted)));
    assert!(matches!(CapsuleFile::open(&capsule, Limits::default()), Err(ContainerError::Encrypted)));
}

#[test]
fn a_private_capsule_that_is_cut_or_changed_leaves_nothing_behind() {
    let place = Place::new();
    let capsule = private(&place);
    let bytes = fs::read(&capsule).expect("there");
    let known = place.names();
    let out = place.path("out");
    let lay_out = |bytes: &[u8]| {
        fs::write(&capsule, bytes).expect("written");
        let trusted = read(&capsule, 1).map_err(|error| error.to_string())?;
        let unpacked = trusted.open(None, Limits::default()).and_then(|capsule| capsule.unpack(&out));
        unpacked.map(drop).map_err(|error| error.to_string())
    };
    for end in (0..bytes.len()).step_by(211) {
        lay_out(&bytes[..end]).expect_err("cut");
        assert_eq!(place.names(), known, "cut at {end}");
    }
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        lay_out(&changed).expect_err("changed");
        assert_eq!(place.names(), known, "changed at {at}");
    }
    lay_out(&[bytes.as_slice(), b"more"].concat()).expect_err("longer");
    lay_out(&bytes).expect("as it was");
}

#[test]
fn who_passes_a_capsule_on_in_the_name_of_its_signers_is_found_out() {
    let place = Place::new();
    let capsule = private(&place);
    let mut clear = Vec::new();
    let mut opened = Opened::new(source(&capsule), &[identity(1)]).expect("it is for 1");
    opened.read_to_end(&mut clear).expect("read");
    let passed_on = place.path("passed-on.caps.age");
    fs::write(&passed_on, encrypted(&clear, &[3])).expect("written");
    let refused = read(&passed_on, 3).err().expect("3 was not meant").to_string();
    assert!(refused.contains(&identity(3).recipient().to_string()), "{refused}");
    assert!(refused.contains("those who signed it name others"), "{refused}");
}
