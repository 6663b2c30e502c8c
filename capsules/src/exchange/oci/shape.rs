//! The documents of an image, as far as they are written and read here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_store::Digest;

use crate::exchange::error::ExchangeError;
use crate::json::shown;

pub(super) const LAYOUT_VERSION: &str = "1.0.0";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The tree; what is behind it says how it is compressed.
pub(super) const TREE: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const ENVELOPE: &str = "application/vnd.xyn.capsule.envelope.v1+json";
pub(super) const ATTESTATION: &str = "application/vnd.xyn.capsule.attestation.v1+json";

/// The file `oci-layout`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layout {
    pub(super) image_layout_version: String,
}

/// The file `index.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    pub(super) manifests: Vec<Descriptor>,
}

/// An image.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// What names a blob.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// How an image would run. A capsule runs elsewhere: only what its layers are is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Config {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    pub(super) architecture: String,
    pub(super) os: String,
    pub(super) rootfs: Rootfs,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Rootfs {
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The digests of the layers, unpacked.
    pub(super) diff_ids: Vec<String>,
}

impl Descriptor {
    pub(super) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let (media_type, digest) = (media_type.to_owned(), named(digest));
        Self { media_type, digest, size, annotations: BTreeMap::new() }
    }

    /// The digest it names.
    pub(super) fn digest(&self) -> Result<Digest, ExchangeError> {
        digest(&self.digest)
    }
}

/// A digest, as OCI writes it.
pub(super) fn named(digest: Digest) -> String {
    format!("sha256:{digest}")
}

/// The digest in `text`, in its one form.
pub(super) fn digest(text: &str) -> Result<Digest, ExchangeError> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    let digest = hex.parse::<Digest>().ok().filter(|digest| digest.to_string() == hex);
    digest.ok_or_else(|| ExchangeError::NoDigest(shown(text)))
}
