//! What strangers can hand over as a capsule.
//!
//! The digests of sections are made right before a capsule is read, so that what is behind them is tried as
//! well.

use std::fs;
use std::io::Write;

use xyn_capsules::age::{Encrypting, Identity, Opened};
use xyn_capsules::container::{Cover, Options, pack};
use xyn_capsules::tree::{Directory, Limits};
use xyn_store::Digest;

/// Capsule files: whatever verifies has the tree that it says.
pub(super) mod containers {
    use super::*;

    const PREFACE_BYTES: usize = 8;
    const HEAD_BYTES: usize = 41;

    pub(crate) fn run(bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        mend(&mut bytes);
        let limits = Limits { entries: 10_000, total_bytes: 64 << 20, ..Limits::default() };
        let Ok(cover) = Cover::read(bytes.as_slice()) else { return };
        let root = cover.root();
        if let Ok(capsule) = cover.open(None, limits)
            && let Ok(verified) = capsule.verify()
        {
            assert_eq!((verified.root, verified.stored_bytes), (root, bytes.len() as u64));
        }
    }

    /// Makes the digests of the sections fit, as far as there are sections.
    fn mend(bytes: &mut [u8]) {
        let mut at = PREFACE_BYTES;
        while let Some((head, behind)) =
            bytes.get_mut(at..).and_then(|rest| rest.split_at_mut_checked(HEAD_BYTES))
        {
            let Some(length) = head[1..].first_chunk().map(|length| u64::from_le_bytes(*length)) else {
                return;
            };
            let Some(section) = usize::try_from(length).ok().and_then(|length| behind.get(..length)) else {
                return;
            };
            head[9..].copy_from_slice(Digest::of(section).as_bytes());
            if head[0] == 4 {
                return;
            }
            at += HEAD_BYTES + section.len();
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let scratch = tempfile::tempdir().expect("a folder");
        let at = |name: &str| scratch.path().join(name);
        fs::create_dir_all(at("work/a")).expect("made");
        fs::write(at("work/a/text"), "a text that can be compressed ".repeat(9)).expect("written");
        fs::write(at("work/few"), [1, 9, 8, 4]).expect("written");
        std::os::unix::fs::symlink("a/text", at("work/link")).expect("made");
        let draft = pack(&at("work"), &at("caps"), &Options::default()).expect("packed");
        draft.seal(b"manifest", &[b"attestation".to_vec()]).expect("sealed");
        vec![fs::read(at("caps")).expect("there")]
    }
}

/// Capsules for few: whatever opens is what was encrypted.
pub(super) mod private {
    use std::io::Read;

    use super::*;

    fn identity() -> Identity {
        Identity::from_bytes([7; 32])
    }

    pub(crate) fn run(bytes: &[u8]) {
        let mut read = Vec::new();
        if let Ok(mut opened) = Opened::new(bytes, &[identity()])
            && opened.by().is_some()
            && opened.read_to_end(&mut read).is_ok()
        {
            assert_eq!(read, CONTENT, "somebody else has the key of a file");
        }
    }

    const CONTENT: &[u8] = b"for few";

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let own = [identity().recipient()].into();
        let both = [identity().recipient(), Identity::from_bytes([8; 32]).recipient()].into();
        let sealed = [own, both].map(|recipients| {
            let mut encrypting = Encrypting::new(Vec::new(), &recipients).expect("random bytes");
            encrypting.write_all(CONTENT).expect("written");
            encrypting.finish().expect("written")
        });
        sealed.into()
    }
}

/// Directories of trees: what is read has one form.
pub(super) mod directories {
    use super::*;

    pub(crate) fn run(bytes: &[u8]) {
        if let Ok(directory) = Directory::decode(bytes) {
            assert_eq!(directory.encode(), bytes);
        }
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let mut bytes = Directory::default().encode();
        for name in ["a", "b.rs"] {
            bytes.extend([b'f', name.len() as u8]);
            bytes.extend(name.bytes());
            bytes.extend([7; 40]);
        }
        vec![bytes]
    }
}
