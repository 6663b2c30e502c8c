//! What people are told of content that did not come: what is missing, who was asked, what to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use xyn_capsules::tree::Missing;
use xyn_store::StoreError;

use super::Brought;
use super::bring::NotBrought;
use crate::runtime::{Inner, Refusal};

/// Why `blobs` of which `first` is one did not come, after `brought` did.
pub(super) async fn refusal(
    inner: &Arc<Inner>,
    first: &Missing,
    blobs: u64,
    size_bytes: u64,
    why: NotBrought,
    brought: &Brought,
) -> Refusal {
    if let Some(refusal) = why.of_store() {
        return refusal;
    }
    let what = what(first, blobs, size_bytes);
    let (code, message) = match why {
        NotBrought::Off => ("files_missing", format!("{what} is not here, and the mesh of this node is off")),
        NotBrought::Nowhere => {
            let asked = match asked(inner).await {
                Ok(asked) => asked,
                Err(error) => return error.into(),
            };
            ("files_missing", format!("{what} is not here, and {asked}"))
        }
        NotBrought::Late => {
            let Brought { blobs, size_bytes } = brought;
            let came = format!("{blobs} files and directories of {size_bytes} bytes came");
            ("files_on_the_way", format!("{what} is still on its way; {came}; ask again to go on"))
        }
        NotBrought::Fetch(why) => ("tree_unsound", format!("{what} cannot be had: {why}")),
    };
    Refusal::Conflict { code, message }
}

fn what(first: &Missing, blobs: u64, size_bytes: u64) -> String {
    let Missing { path, digest, .. } = first;
    let name = match path.is_root() {
        true => format!("content `{digest}`"),
        false => format!("`{path}` (content `{digest}`)"),
    };
    match blobs {
        0 | 1 => name,
        more => format!("{name}, one of {more} missing files and directories of {size_bytes} bytes,"),
    }
}

/// Who was asked.
async fn asked(inner: &Arc<Inner>) -> Result<String, StoreError> {
    let peers = match inner.mesh() {
        Some(mesh) => mesh.status().await.map(|status| status.peers).unwrap_or_default(),
        None => Vec::new(),
    };
    if peers.is_empty() {
        return Ok("no other node is connected".to_owned());
    }
    let roster = inner.timeline()?.roster();
    let name = |node| roster.member(node).map(|member| member.principal.to_string());
    let names: BTreeSet<String> = peers.iter().filter_map(|peer| name(peer.node)).collect();
    let names: Vec<String> = names.into_iter().collect();
    Ok(format!("none of those who are connected has it: {}", names.join(", ")))
}
