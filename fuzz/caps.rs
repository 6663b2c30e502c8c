//! What strangers can hand over as a capsule.
//!
//! The digests of sections are made right before a capsule is read, so that what is behind them is tried as
//! well.

use std::fs;
use std::io::Write;

use xyn_capsules::age::{Encrypting, Identity, Opened};
use xyn_capsules::container::{Base, CapsuleFile, Cover, Options, pack};
use xyn_capsules::tree::{Directory, Limits};
use xyn_store::Digest;

/// Capsule files, whole ones and deltas against one base: whatever verifies has the tree that it says.
pub(super) mod containers {
    use std::path::Path;
    use std::sync::OnceLock;

    use super::*;

    const PREFACE_BYTES: usize = 8;
    const HEAD_BYTES: usize = 41;

    pub(crate) fn run(bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        mend(&mut bytes);
        let limits = Limits { entries: 10_000, total_bytes: 64 << 20, ..Limits::default() };
        let Ok(cover) = Cover::read(bytes.as_slice()) else { return };
        let root = cover.root();
        let base = cover.base().map(|_| base() as &dyn Base);
        if let Ok(capsule) = cover.open(base, limits)
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

    /// What deltas are written against.
    fn base() -> &'static CapsuleFile {
        static BASE: OnceLock<CapsuleFile> = OnceLock::new();
        BASE.get_or_init(|| {
            let scratch = tempfile::tempdir().expect("a folder");
            fill(&scratch.path().join("work"), b"");
            sealed(scratch.path(), None);
            CapsuleFile::open(&scratch.path().join("caps"), Limits::default()).expect("whole")
        })
    }

    /// A large file that stays, and a small one that ends as it is told to: of a delta the one is held by the base, and
    /// the other is a patch.
    fn fill(dir: &Path, end: &[u8]) {
        fs::create_dir_all(dir.join("a")).expect("made");
        let text: Vec<u8> = (0..9_u8).flat_map(|number| *Digest::of(&[number]).as_bytes()).collect();
        fs::write(dir.join("a/text"), [&text, end].concat()).expect("written");
        fs::write(dir.join("zeros"), vec![0; 600 << 10]).expect("written");
    }

    fn sealed(scratch: &Path, base: Option<&dyn Base>) -> Vec<u8> {
        let options = Options { base, ..Options::default() };
        let draft = pack(&scratch.join("work"), &scratch.join("caps"), &options).expect("packed");
        draft.seal(b"manifest", &[b"attestation".to_vec()]).expect("sealed");
        fs::read(scratch.join("caps")).expect("there")
    }

    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        let scratch = tempfile::tempdir().expect("a folder");
        let work = scratch.path().join("work");
        fs::create_dir_all(work.join("a")).expect("made");
        fs::write(work.join("a/text"), "a text that can be compressed ".repeat(9)).expect("written");
        fs::write(work.join("few"), [1, 9, 8, 4]).expect("written");
        std::os::unix::fs::symlink("a/text", work.join("link")).expect("made");
        let whole = sealed(scratch.path(), None);
        fs::remove_dir_all(&work).expect("removed");
        fill(&work, b" and more");
        let delta = sealed(scratch.path(), Some(base()));
        // Of what is there already, nothing travels: whoever reads it takes it from the base.
        assert!(delta.len() < 800, "{} bytes", delta.len());
        vec![whole, delta]
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
