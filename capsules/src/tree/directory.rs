//! A directory: its entries in the order of their names, and its bytes.
//!
//! Owns the one form in which a directory is written, so that equal ones have equal digests. An entry tells
//! the length of what it names, so that nobody fetches more than was said. Invariant: a directory has each
//! name once, also to a file system that does not tell cases apart.

use std::collections::BTreeMap;

use xyn_store::Digest;

use super::limit::DIRECTORY_MAX_BYTES;
use super::name::{InvalidName, Name};

const MAGIC: &[u8; 7] = b"xyn-dir";
const VERSION: u8 = 1;
/// Mode, length of the name, digest, length.
const ENTRY_MIN_BYTES: usize = 1 + 1 + Digest::BYTES + 8;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mode {
    /// A file.
    File = b'f',
    /// A file that can be run.
    Executable = b'x',
    /// A directory.
    Directory = b'd',
    /// A link to another place in the tree.
    Symlink = b'l',
}

impl Mode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Executable => "executable",
            Self::Directory => "directory",
            Self::Symlink => "symlink",
        }
    }

    /// Whether it has bytes of its own.
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::File, Self::Executable, Self::Directory, Self::Symlink]
            .into_iter()
            .find(|mode| *mode as u8 == byte)
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What it is.
    pub mode: Mode,
    /// Of its content, of its list of entries, or of where it leads.
    pub digest: Digest,
    /// Length of what the digest names.
    pub size_bytes: u64,
}

impl Entry {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode == Mode::Directory
    }
}

/// A directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory(BTreeMap<Name, Entry>);

/// Why bytes or entries are no directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDirectory {
    /// Cut short, or no directory.
    #[error("these bytes are no directory")]
    Malformed,
    /// Written by a newer version of this program.
    #[error("a directory of version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// A name that no entry may have.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Twice the same name, or not in order.
    #[error("the name `{0}` is there twice or in the wrong place")]
    Order(Name),
    /// Names that some file systems take for one.
    #[error("`{0}` and `{1}` are one name where cases are not told apart; rename one of them")]
    Collision(Name, Name),
    /// More names than one directory may have.
    #[error("its list of names is longer than {DIRECTORY_MAX_BYTES} bytes")]
    TooLarge,
}

impl Directory {
    /// The directory with these entries.
    pub fn new(entries: BTreeMap<Name, Entry>) -> Result<Self, InvalidDirectory> {
        if let Some((one, other)) = collisions(entries.keys()).into_iter().next() {
            return Err(InvalidDirectory::Collision(one, other));
        }
        let bytes: usize = entries.keys().map(|name| ENTRY_MIN_BYTES + name.as_str().len()).sum();
        if (MAGIC.len() + 1 + bytes) as u64 > DIRECTORY_MAX_BYTES {
            return Err(InvalidDirectory::TooLarge);
        }
        Ok(Self(entries))
    }

    /// The digest of the directory without entries: of the tree before there was anything.
    pub fn empty() -> Digest {
        Digest::of(&Self::default().encode())
    }

    /// Reads bytes that anyone may have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidDirectory> {
        use InvalidDirectory::{Malformed, Newer, Order, TooLarge};
        if bytes.len() as u64 > DIRECTORY_MAX_BYTES {
            return Err(TooLarge);
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(Malformed)?;
        let mut rest = match rest.split_first().ok_or(Malformed)? {
            (&VERSION, rest) => rest,
            (&version, _) if version > VERSION => return Err(Newer(version)),
            _ => return Err(Malformed),
        };
        let mut entries = BTreeMap::new();
        while !rest.is_empty() {
            let (name, entry, behind) = take_entry(rest).ok_or(Malformed)?;
            let name = Name::read(name)?;
            if entries.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(Order(name));
            }
            entries.insert(name, entry);
            rest = behind;
        }
        Self::new(entries)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.0.len() * (ENTRY_MIN_BYTES + 16));
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        for (name, entry) in &self.0 {
            bytes.push(entry.mode as u8);
            bytes.push(u8::try_from(name.as_str().len()).expect("a name has 255 bytes at most"));
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(entry.digest.as_bytes());
            bytes.extend_from_slice(&entry.size_bytes.to_le_bytes());
        }
        bytes
    }

    /// The entries in the order of their names.
    pub fn entries(&self) -> &BTreeMap<Name, Entry> {
        &self.0
    }

    /// The entry `name`.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// The entries, owned.
    pub fn into_entries(self) -> BTreeMap<Name, Entry> {
        self.0
    }
}

/// Pairs of names that some file systems take for one.
pub(super) fn collisions<'a>(names: impl Iterator<Item = &'a Name>) -> Vec<(Name, Name)> {
    let mut folded: Vec<_> = names.map(|name| (name.folded(), name)).collect();
    folded.sort_unstable();
    let same = folded.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    same.map(|pair| (pair[0].1.clone(), pair[1].1.clone())).collect()
}

/// The name and entry at the start of `bytes`, and what is behind.
fn take_entry(bytes: &[u8]) -> Option<(&[u8], Entry, &[u8])> {
    let (&[mode, name_bytes], rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_bytes))?;
    let (digest, rest) = rest.split_first_chunk()?;
    let (size_bytes, rest) = rest.split_first_chunk()?;
    let entry = Entry {
        mode: Mode::of_byte(mode)?,
        digest: Digest::from_bytes(*digest),
        size_bytes: u64::from_le_bytes(*size_bytes),
    };
    Some((name, entry, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(mode: Mode, content: &[u8]) -> Entry {
        Entry { mode, digest: Digest::of(content), size_bytes: content.len() as u64 }
    }

    fn directory(names: &[&str]) -> Result<Directory, InvalidDirectory> {
        let entry = |name: &&str| (name.parse().expect("a name"), entry(Mode::File, name.as_bytes()));
        Directory::new(names.iter().map(entry).collect())
    }

    #[test]
    fn the_bytes_of_version_1_stay_as_they_are() {
        let entries = [
            ("bin", entry(Mode::Directory, &Directory::default().encode())),
            ("go", entry(Mode::Symlink, b"bin")),
            ("read me", entry(Mode::File, b"hello")),
            ("run", entry(Mode::Executable, b"#!/bin/sh\n")),
        ];
        let entries = entries.map(|(name, entry)| (name.parse().expect("a name"), entry));
        let directory = Directory::new(entries.into_iter().collect()).expect("sound");
        let bytes = directory.encode();
        assert_eq!(&bytes[..13], b"xyn-dir\x01d\x03bin");
        assert_eq!(&bytes[45..53], 8_u64.to_le_bytes());
        assert_eq!(&bytes[53..57], b"l\x02go");
        assert_eq!(Digest::of(&bytes).to_string(), GOLDEN);
        assert_eq!(Directory::empty().to_string(), GOLDEN_EMPTY);
        assert_eq!(Directory::decode(&bytes), Ok(directory));
    }

    const GOLDEN: &str = "5ffa649e3422e47bc6120ac9aead33bdba6ed6febf5acf14cce80591523fd12a";
    const GOLDEN_EMPTY: &str = "b548282a79466df3f5a66629dfcdb852c6c8d14f8f51f4f1f15908615518d936";

    #[test]
    fn names_that_are_one_elsewhere_are_refused_together() {
        let collide = |one: &str, other: &str| match directory(&[one, other]) {
            Err(InvalidDirectory::Collision(..)) => {}
            sound => panic!("{one} {other}: {sound:?}"),
        };
        collide("README", "readme");
        collide("straße", "STRASSE");
        collide("É", "é");
        assert!(directory(&["a", "b", "é", "e"]).is_ok());
    }

    #[test]
    fn bytes_that_are_not_the_one_form_are_refused() {
        let bytes = directory(&["a", "b"]).expect("sound").encode();
        let one = &bytes[8..8 + ENTRY_MIN_BYTES + 1];
        let with = |parts: &[&[u8]]| Directory::decode(&[&bytes[..8], &parts.concat()].concat());
        assert!(with(&[one]).is_ok());
        let name: Name = "a".parse().expect("a name");
        assert_eq!(with(&[one, one]), Err(InvalidDirectory::Order(name.clone())));
        assert_eq!(with(&[&bytes[8 + one.len()..], one]), Err(InvalidDirectory::Order(name)));
        assert_eq!(with(&[b"q", &one[1..]]), Err(InvalidDirectory::Malformed));
        let hostile = with(&[b"f\x02..", &one[3..]]);
        assert!(matches!(hostile, Err(InvalidDirectory::Name(_))), "{hostile:?}");
        assert_eq!(Directory::decode(b"xyn-dir\x02"), Err(InvalidDirectory::Newer(2)));
        for end in 0..bytes.len() {
            let cut = Directory::decode(&bytes[..end]);
            assert_eq!(cut.is_ok(), end == 8 || end == 8 + one.len(), "{end}: {cut:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            names in proptest::collection::btree_set("[a-zA-Z./]{0,4}", 0..4),
        ) {
            let mut bytes = b"xyn-dir\x01".to_vec();
            for name in names {
                bytes.extend([b'f', name.len() as u8]);
                bytes.extend(name.bytes());
                bytes.extend([7; 40]);
            }
            for bytes in [bytes.clone(), [bytes, tail].concat()] {
                if let Ok(directory) = Directory::decode(&bytes) {
                    prop_assert_eq!(directory.encode(), bytes);
                }
            }
        }
    }
}
