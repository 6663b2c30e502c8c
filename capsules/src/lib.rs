//! Trees of files and what is made of them: a library over the chunk store.
//!
//! Owns how content is named, laid out, compared and merged. No actors, no network: whoever calls says what
//! for. Invariant: nothing is written outside the folder that was named, whoever made the tree.

pub mod container;
pub mod json;
pub mod manifest;
pub mod sign;
pub mod tree;
