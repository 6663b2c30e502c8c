//! The Merkle tree of RFC 9162 §2.1 over leaves of 32 bytes.
//!
//! Owns how leaves and nodes are hashed and the frontier that grows the tree. Keeps no leaves: they belong to
//! the journal. A *leaf* is always the leaf's data, never its hash; hashing happens in here, so that the
//! prefixes that tell a leaf from a node cannot be forgotten. Invariant: a frontier holds one peak for each
//! set bit of its size.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// More leaves than this are refused when a frontier is read; no journal comes near it.
const MAX_SIZE: u64 = 1 << 62;

/// The hash of a leaf: SHA-256 of `0x00` and the leaf's data.
pub(super) fn leaf_hash(leaf: &Digest) -> Digest {
    entry_hash(leaf.as_bytes())
}

/// The hash of an inner node: SHA-256 of `0x01`, its left and its right child.
pub(super) fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// RFC 9162 hashes entries of any length; its published test vectors need that.
pub(super) fn entry_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The right edge of a growing tree: all that is needed to add leaves and to know the root.
///
/// A push costs one leaf hash and, amortised, one node hash; the whole takes 32 bytes per set bit of the
/// size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees that make up the tree, the largest (oldest) first.
    peaks: Vec<Digest>,
}

/// A frontier as read, before its shape is checked.
#[derive(Deserialize)]
struct Stored {
    size: u64,
    peaks: Vec<Digest>,
}

/// Stored bytes that describe no tree.
#[derive(Debug, thiserror::Error)]
#[error("a tree of {size} leaves cannot have {peaks} peaks")]
pub struct InvalidFrontier {
    size: u64,
    peaks: usize,
}

impl Frontier {
    /// Adds a leaf (its data, not its hash) at the right.
    pub fn push(&mut self, leaf: Digest) {
        self.push_subtree(leaf_hash(&leaf), 0);
    }

    /// Adds a perfect subtree of `height` levels over its leaves, by its root. What is there already is made of such.
    pub(super) fn push_subtree(&mut self, mut hash: Digest, height: u32) {
        // Every set bit at the low end is a perfect subtree as large as the one just completed: merge them.
        for _ in 0..(self.size >> height).trailing_ones() {
            let left = self.peaks.pop().expect("a frontier holds one peak for each set bit of its size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1 << height;
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root; for the empty tree SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let from_the_right = self.peaks.iter().rev().copied();
        from_the_right.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| Digest::of(b""))
    }
}

impl TryFrom<Stored> for Frontier {
    type Error = InvalidFrontier;

    fn try_from(Stored { size, peaks }: Stored) -> Result<Self, Self::Error> {
        if size > MAX_SIZE || peaks.len() != size.count_ones() as usize {
            return Err(InvalidFrontier { size, peaks: peaks.len() });
        }
        Ok(Self { size, peaks })
    }
}

impl Extend<Digest> for Frontier {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Digest> for Frontier {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut frontier = Self::default();
        frontier.extend(leaves);
        frontier
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The entries of the Certificate Transparency test suite.
    pub(in crate::audit) const ENTRIES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// Their tree heads for one to eight entries.
    pub(in crate::audit) const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    pub(in crate::audit) fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|index| Digest::of(&index.to_le_bytes())).collect()
    }

    /// RFC 9162 §2.1.1, word for word.
    fn tree_hash(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [leaf] => leaf_hash(leaf),
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&tree_hash(left), &tree_hash(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut frontier = Frontier::default();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(frontier.root().to_string(), empty);
        for (entry, root) in ENTRIES.iter().zip(ROOTS) {
            frontier.push_subtree(entry_hash(entry), 0);
            assert_eq!(frontier.root().to_string(), root, "{} entries", frontier.size());
        }
    }

    #[test]
    fn the_frontier_agrees_with_the_recursive_definition_at_every_size() {
        let leaves = leaves(200);
        let mut frontier = Frontier::default();
        for size in 0..leaves.len() {
            assert_eq!((frontier.size(), frontier.root()), (size as u64, tree_hash(&leaves[..size])));
            frontier.push(leaves[size]);
        }
    }

    #[test]
    fn a_stored_frontier_grows_on_as_if_never_put_away() {
        let leaves = leaves(64);
        let whole: Frontier = leaves.iter().copied().collect();
        for cut in 0..leaves.len() {
            let part: Frontier = leaves[..cut].iter().copied().collect();
            let bytes = postcard::to_stdvec(&part).expect("a frontier is plain data");
            let mut resumed: Frontier = postcard::from_bytes(&bytes).expect("own bytes are read back");
            resumed.extend(leaves[cut..].iter().copied());
            assert_eq!(resumed, whole);
        }
    }

    #[test]
    fn a_frontier_whose_peaks_do_not_fit_its_size_is_refused() {
        for (size, peaks) in [(0, 1), (1, 0), (3, 1), (4, 2), (u64::MAX, 64)] {
            let stored = (size, leaves(peaks));
            let bytes = postcard::to_stdvec(&stored).expect("plain data");
            assert!(postcard::from_bytes::<Frontier>(&bytes).is_err(), "{size} leaves, {peaks} peaks");
        }
    }
}
