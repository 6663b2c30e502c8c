//! Proofs against published vectors, and every way to break one.

use proptest::prelude::*;

use super::*;
use crate::audit::merkle::entry_hash;
use crate::audit::merkle::tests::{ENTRIES, ROOTS, leaves};

const PATH_0_OF_8: [&str; 3] = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
];

fn known(hex: &[&str]) -> Vec<Digest> {
    hex.iter().map(|text| text.parse().expect("published vectors are digests")).collect()
}

fn root(leaves: &[Digest]) -> Digest {
    leaves.iter().copied().collect::<Frontier>().root()
}

fn included(leaves: &[Digest], index: u64) -> Vec<Digest> {
    let plan = inclusion_plan(index, leaves.len() as u64).expect("the index is in the tree");
    hashes(&plan, leaves).expect("a plan stays within its tree")
}

fn continued(leaves: &[Digest], old_size: u64) -> Vec<Digest> {
    let plan = consistency_plan(old_size, leaves.len() as u64).expect("the old tree is the smaller one");
    hashes(&plan, leaves).expect("a plan stays within its tree")
}

fn flip(digest: Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

/// The proofs of the published tree, whose entries are not 32 bytes long.
fn published(plan: Result<Vec<Range<u64>>, InvalidProof>) -> Vec<Digest> {
    let subtree = |range: Range<u64>| {
        let mut frontier = Frontier::default();
        range.for_each(|index| frontier.push_subtree(entry_hash(ENTRIES[index as usize]), 0));
        frontier.root()
    };
    plan.expect("the plan is possible").into_iter().map(subtree).collect()
}

#[test]
fn inclusion_proofs_are_those_of_certificate_transparency() {
    let cases: [(u64, u64, &[&str]); 3] = [
        (0, 1, &[]),
        (0, 8, &PATH_0_OF_8),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                ROOTS[3],
            ],
        ),
    ];
    for (index, size, expected) in cases {
        let proof = published(inclusion_plan(index, size));
        assert_eq!(proof, known(expected), "leaf {index} of {size}");
        let (hash, root) = (entry_hash(ENTRIES[index as usize]), known(&ROOTS)[size as usize - 1]);
        assert_eq!(verify_path(hash, index, size, &proof, &root), Ok(()));
    }
}

#[test]
fn consistency_proofs_are_those_of_certificate_transparency() {
    let cases: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (1, 8, &PATH_0_OF_8),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                ROOTS[3],
            ],
        ),
        (2, 5, &[PATH_0_OF_8[1], "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
    ];
    let roots = known(&ROOTS);
    for (old, new, expected) in cases {
        let proof = published(consistency_plan(old, new));
        assert_eq!(proof, known(expected), "{old} to {new}");
        let (old_root, new_root) = (roots[old as usize - 1], roots[new as usize - 1]);
        assert_eq!(verify_consistency(old, new, &old_root, &new_root, &proof), Ok(()));
    }
}

#[test]
fn every_leaf_and_every_prefix_of_a_small_tree_is_provable() {
    for size in 0..=48 {
        let leaves = leaves(size);
        let new_root = root(&leaves);
        for index in 0..size {
            let proof = included(&leaves, index);
            assert_eq!(verify_inclusion(&leaves[index as usize], index, size, &proof, &new_root), Ok(()));
        }
        for old in 0..=size {
            let old_root = root(&leaves[..old as usize]);
            let proof = continued(&leaves, old);
            assert_eq!(verify_consistency(old, size, &old_root, &new_root, &proof), Ok(()));
        }
    }
}

#[test]
fn what_is_outside_the_tree_or_shrinks_it_is_refused() {
    let root = root(&leaves(4));
    assert_eq!(inclusion_plan(4, 4), Err(InvalidProof::OutsideTree { index: 4, size: 4 }));
    assert!(verify_inclusion(&leaves(1)[0], 0, 0, &[], &root).is_err());
    assert_eq!(consistency_plan(5, 4), Err(InvalidProof::Shrunk { old_size: 5, new_size: 4 }));
    assert!(verify_consistency(5, 4, &root, &root, &[]).is_err());
}

#[test]
fn the_empty_and_the_equal_tree_need_no_proof_but_the_right_roots() {
    let (empty, full) = (Digest::of(b""), root(&leaves(3)));
    assert_eq!(verify_consistency(0, 3, &empty, &full, &[]), Ok(()));
    assert_eq!(verify_consistency(0, 3, &full, &full, &[]), Err(InvalidProof::Root(full)));
    assert_eq!(verify_consistency(0, 0, &empty, &full, &[]), Err(InvalidProof::Root(full)));
    assert_eq!(verify_consistency(3, 3, &empty, &full, &[]), Err(InvalidProof::Root(empty)));
    assert_eq!(verify_consistency(3, 3, &full, &full, &[empty]), Err(InvalidProof::Length(1)));
}

#[test]
fn sizes_near_the_end_of_the_numbers_do_not_overflow() {
    let leaf = leaves(1)[0];
    for size in [u64::MAX, 1 << 63, (1 << 63) + 1] {
        assert!(inclusion_plan(size - 1, size).is_ok());
        assert!(consistency_plan(size - 1, size).is_ok());
        assert!(verify_inclusion(&leaf, size - 1, size, &[leaf; 64], &leaf).is_err());
        assert!(verify_consistency(size - 1, size, &leaf, &leaf, &[leaf; 65]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_inclusion_proof_with_any_bit_flipped_fails(
        (size, index) in (1u64..=200).prop_flat_map(|size| (Just(size), 0..size)),
        bit in 0usize..256,
    ) {
        let leaves = leaves(size);
        let (leaf, root, proof) = (leaves[index as usize], root(&leaves), included(&leaves, index));
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root), Ok(()));
        prop_assert!(verify_inclusion(&flip(leaf, bit), index, size, &proof, &root).is_err());
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, &flip(root, bit)).is_err());
        for at in 0..proof.len() {
            let mut forged = proof.clone();
            forged[at] = flip(forged[at], bit);
            prop_assert!(verify_inclusion(&leaf, index, size, &forged, &root).is_err());
            prop_assert!(verify_inclusion(&leaf, index, size, &proof[..at], &root).is_err());
        }
        let longer = [&proof[..], &[root]].concat();
        prop_assert!(verify_inclusion(&leaf, index, size, &longer, &root).is_err());
        let elsewhere = (0..size).filter(|other| *other != index);
        for other in elsewhere {
            prop_assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err());
        }
    }

    #[test]
    fn a_consistency_proof_with_any_bit_flipped_fails(
        (size, old) in (1u64..=200).prop_flat_map(|size| (Just(size), 1..=size)),
        bit in 0usize..256,
    ) {
        let leaves = leaves(size);
        let (old_root, new_root) = (root(&leaves[..old as usize]), root(&leaves));
        let proof = continued(&leaves, old);
        prop_assert_eq!(verify_consistency(old, size, &old_root, &new_root, &proof), Ok(()));
        prop_assert!(verify_consistency(old, size, &flip(old_root, bit), &new_root, &proof).is_err());
        prop_assert!(verify_consistency(old, size, &old_root, &flip(new_root, bit), &proof).is_err());
        for at in 0..proof.len() {
            let mut forged = proof.clone();
            forged[at] = flip(forged[at], bit);
            prop_assert!(verify_consistency(old, size, &old_root, &new_root, &forged).is_err());
            prop_assert!(verify_consistency(old, size, &old_root, &new_root, &proof[..at]).is_err());
        }
        let longer = [&proof[..], &[new_root]].concat();
        prop_assert!(verify_consistency(old, size, &old_root, &new_root, &longer).is_err());
    }
}
