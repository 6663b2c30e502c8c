//! Proofs over the audit tree: that a leaf is in it, and that it only ever grew (RFC 9162 §2.1.3 and §2.1.4).
//!
//! Owns which subtrees a proof consists of and how it is checked. Reads no leaves: a proof is planned as
//! ranges, and whoever has the leaves turns each into its root by collecting it into a [`Frontier`], in
//! bounded memory. A proof does not bind the size it was made for; the signed checkpoint does. Invariant: the
//! ranges of a plan are disjoint, so that making a proof reads every leaf at most once.

use std::ops::Range;

use crate::Digest;
use crate::audit::merkle::{Frontier, leaf_hash, node_hash};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// The leaf lies outside the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    OutsideTree {
        /// Where the leaf should be.
        index: u64,
        /// How many leaves the tree has.
        size: u64,
    },
    /// The later tree is the smaller one.
    #[error("a tree of {old_size} leaves cannot have become one of {new_size}")]
    Shrunk {
        /// Leaves of the earlier tree.
        old_size: u64,
        /// Leaves of the later tree.
        new_size: u64,
    },
    /// Too few or too many hashes for the sizes claimed.
    #[error("the proof has the wrong length ({0} hashes)")]
    Length(usize),
    /// The hashes lead to another root.
    #[error("the proof does not lead to root `{0}`")]
    Root(Digest),
}

/// The subtrees whose roots prove that leaf `index` is in the tree of `size` leaves, nearest to the leaf
/// first.
pub fn inclusion_plan(index: u64, size: u64) -> Result<Vec<Range<u64>>, InvalidProof> {
    if index >= size {
        return Err(InvalidProof::OutsideTree { index, size });
    }
    let mut plan = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = split(&tree);
        if index < middle {
            plan.push(middle..tree.end);
            tree.end = middle;
        } else {
            plan.push(tree.start..middle);
            tree.start = middle;
        }
    }
    plan.reverse();
    Ok(plan)
}

/// The subtrees whose roots prove that the tree of `new_size` leaves begins with the one of `old_size`
/// leaves.
///
/// Every tree continues the empty one and itself: their plan is empty.
pub fn consistency_plan(old_size: u64, new_size: u64) -> Result<Vec<Range<u64>>, InvalidProof> {
    if old_size > new_size {
        return Err(InvalidProof::Shrunk { old_size, new_size });
    }
    if old_size == 0 {
        return Ok(Vec::new());
    }
    let mut plan = Vec::new();
    let mut tree = 0..new_size;
    while tree.end != old_size {
        let middle = split(&tree);
        if old_size <= middle {
            plan.push(middle..tree.end);
            tree.end = middle;
        } else {
            plan.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // What is left starts at 0 when it is the whole old tree, whose root the verifier has.
    if tree.start != 0 {
        plan.push(tree);
    }
    plan.reverse();
    Ok(plan)
}

/// The proof that a plan asks for, from leaves held in memory; `None` when a range lies outside them.
pub fn hashes(plan: &[Range<u64>], leaves: &[Digest]) -> Option<Vec<Digest>> {
    let root = |range: &Range<u64>| {
        let within = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        Some(leaves.get(within)?.iter().copied().collect::<Frontier>().root())
    };
    plan.iter().map(root).collect()
}

/// Checks that `leaf` is at `index` of the tree with `size` leaves and this `root`.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), InvalidProof> {
    verify_path(leaf_hash(leaf), index, size, proof, root)
}

/// RFC 9162 §2.1.3.2.
fn verify_path(
    mut hash: Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof::OutsideTree { index, size });
    }
    let mut walk = Walk { node: index, last: size - 1 };
    for sibling in proof {
        hash = match walk.up().ok_or(InvalidProof::Length(proof.len()))? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    match walk.last {
        0 if hash == *root => Ok(()),
        0 => Err(InvalidProof::Root(*root)),
        _ => Err(InvalidProof::Length(proof.len())),
    }
}

/// Checks that the tree of `new_size` leaves with `new_root` begins with the tree of `old_size` leaves and
/// `old_root`.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Digest,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), InvalidProof> {
    let wrong_length = InvalidProof::Length(proof.len());
    if old_size > new_size {
        return Err(InvalidProof::Shrunk { old_size, new_size });
    }
    if old_size == 0 || old_size == new_size {
        let empty = Digest::of(b"");
        let known = if old_size == 0 { &empty } else { new_root };
        return match proof {
            _ if old_root != known => Err(InvalidProof::Root(*old_root)),
            _ if new_size == 0 && *new_root != empty => Err(InvalidProof::Root(*new_root)),
            [] => Ok(()),
            _ => Err(wrong_length),
        };
    }
    // RFC 9162 §2.1.4.2: a perfect old tree is a node of the new one, and its root starts the proof.
    let (seed, rest) = match proof {
        rest if old_size.is_power_of_two() => (old_root, rest),
        [seed, rest @ ..] => (seed, rest),
        [] => return Err(wrong_length),
    };
    let steps = (old_size - 1).trailing_ones();
    let mut walk = Walk { node: (old_size - 1) >> steps, last: (new_size - 1) >> steps };
    let (mut old, mut new) = (*seed, *seed);
    for sibling in rest {
        match walk.up().ok_or(wrong_length)? {
            Side::Left => (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new)),
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    match walk.last {
        0 if old != *old_root => Err(InvalidProof::Root(*old_root)),
        0 if new != *new_root => Err(InvalidProof::Root(*new_root)),
        0 => Ok(()),
        _ => Err(wrong_length),
    }
}

/// Where a tree of more than one leaf parts: its left half is the largest perfect tree smaller than it.
fn split(tree: &Range<u64>) -> u64 {
    tree.start + (1 << (tree.end - tree.start - 1).ilog2())
}

/// The way from a node up to the root: its index on the present level, and that of the level's last node.
struct Walk {
    node: u64,
    last: u64,
}

/// On which side a sibling stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// One sibling further up; `None` at the root.
    fn up(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last { Side::Left } else { Side::Right };
        // A last node without a sibling rises unhashed until it is somebody's right child.
        let unpaired = if matches!(side, Side::Left) { self.node.trailing_zeros() } else { 0 };
        // Two shifts: together they may be all 64 bits.
        self.node = self.node >> unpaired >> 1;
        self.last = self.last >> unpaired >> 1;
        Some(side)
    }
}

#[cfg(test)]
mod tests;
