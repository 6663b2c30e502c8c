//! A capsule as an image in the layout of OCI (<https://github.com/opencontainers/image-spec>, v1): what
//! `skopeo` and registries copy about.
//!
//! Owns what the layers are: first the tree as a tar, then the envelope of the manifest, then those of the
//! attestations, each as a layer with a media type of its own. Tools copy such layers as they are, so the
//! signatures travel with the files. Invariant: equal capsules make equal images.

mod layout;
mod read;
mod shape;
mod write;

pub use read::import_oci;
pub use write::export_oci;

const WHAT: &str = "image of a capsule";
