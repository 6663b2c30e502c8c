//! What people are told of content that did not come: what is missing, who should have it, what to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use xyn_capsules::tree::Missing;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::Roster;
use xyn_store::{Digest, StoreError};

use super::Brought;
use super::bring::NotBrought;
use crate::runtime::{Inner, Refusal};

/// Nodes that are named.
const NODES_TOLD: usize = 8;
/// Characters of a node's key by which people tell nodes apart.
const KEY_CHARS: usize = 12;

/// Why `blobs` did not come, of which `first` is one and to which `root` leads, after `brought` did.
pub(super) async fn refusal(
    inner: &Arc<Inner>,
    root: &Digest,
    (first, blobs, size_bytes): (&Missing, u64, u64),
    why: NotBrought,
    brought: Brought,
) -> Refusal {
    if let Some(refusal) = why.of_store() {
        return refusal;
    }
    let what = what(first, blobs, size_bytes);
    let missing = async |why: &str| match whereabouts(inner, root).await {
        Ok(nodes) => {
            let message = format!("{what} is not here, and {why}; {nodes}");
            Refusal::Conflict { code: "files_missing", message }
        }
        Err(error) => error.into(),
    };
    match why {
        NotBrought::Off => missing("the mesh of this node is off").await,
        NotBrought::Nowhere => missing("nobody who is connected has it").await,
        NotBrought::Late(came) => {
            let Brought { blobs, size_bytes } = brought;
            let here = came.map(|(here, size)| format!(": {here} of {size} bytes of it are here"));
            let here = here.unwrap_or_default();
            let message =
                format!("{what} is still on its way{here}; {blobs} blobs of {size_bytes} bytes came so far");
            Refusal::Conflict { code: "files_on_the_way", message }
        }
        NotBrought::Fetch(why) => {
            Refusal::Conflict { code: "content_unsound", message: format!("{what} cannot be had: {why}") }
        }
    }
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

/// Which nodes should have `root`: those whose moments name it.
async fn whereabouts(inner: &Arc<Inner>, root: &Digest) -> Result<String, StoreError> {
    let peers = match inner.mesh() {
        Some(mesh) => mesh.status().await.map(|status| status.peers).unwrap_or_default(),
        None => Vec::new(),
    };
    let (own, looking, wanted) = (inner.store.key().public(), inner.clone(), BTreeSet::from([*root]));
    let looked = tokio::task::spawn_blocking(move || {
        let reader = looking.store.read()?;
        Ok::<_, StoreError>((looking.roster(&reader)?, reader.namers(&wanted)?))
    });
    let (roster, namers) = looked.await.map_err(|error| StoreError::Unavailable(error.to_string()))??;
    let nodes = namers.into_values().flatten().filter(|node| *node != own).take(NODES_TOLD);
    let told = nodes.map(|node| {
        let (who, key) = who_at(roster.as_deref(), node);
        let is_here = peers.iter().any(|peer| peer.node == node);
        format!("{who} ({key}, {})", if is_here { "connected" } else { "away" })
    });
    let told: Vec<String> = told.collect();
    Ok(match told.is_empty() {
        true => "no moment on the timeline of another node names it".to_owned(),
        false => format!("it should be with {}", told.join(", ")),
    })
}

/// Who is at `node`, and as much of its key as people tell nodes apart by.
pub(crate) fn who_at(roster: Option<&Roster>, node: PublicKey) -> (String, String) {
    let member = roster.and_then(|roster| roster.member(node));
    let who = member.map_or_else(|| "somebody".to_owned(), |member| member.principal.to_string());
    (who, node.to_string().chars().take(KEY_CHARS).collect())
}
