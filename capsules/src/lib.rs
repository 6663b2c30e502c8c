//! Trees of files, and the capsules that are made of them: a library over the chunk store.
//!
//! Owns how content is named, laid out, compared, merged, packed, signed and proved. No actors, no network:
//! whoever calls says what for. Invariant: nothing is written outside the folder that was named, whoever made
//! the tree.

pub mod age;
pub mod attest;
pub mod checks;
pub mod compare;
pub mod container;
pub mod countersign;
pub mod exchange;
#[cfg(test)]
mod fixture;
pub mod inspection;
pub mod json;
pub mod lint;
pub mod make;
pub mod manifest;
pub mod merge;
pub mod proof;
pub mod rebuild;
pub mod sbom;
pub mod secrets;
pub mod sign;
pub mod tree;
pub mod workcell;
