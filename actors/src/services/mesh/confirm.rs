//! Members below this node that change their keys: each last word becomes an intent to confirm it.
//!
//! Decides nothing: the policies of this node allow it, deny it, or have a person asked. Invariant: one last word is
//! submitted once, unless nothing was decided about it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use xyn_store::trust::Roster;
use xyn_store::{Digest, StoreError};

use crate::governance::Identity;
use crate::node::actor::by_node;
use crate::runtime::{Inner, Intent, Origin, Refusal};

/// How long it rests when a word cannot be decided on.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long it waits for news otherwise.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Confirms what may be confirmed, until the node stops.
pub(crate) async fn follow(inner: Arc<Inner>) {
    let Ok(timeline) = inner.timeline() else { return };
    let (mut news, mut seen) = (timeline.news(), None::<Arc<Roster>>);
    let mut decided: Vec<Digest> = Vec::new();
    loop {
        news.mark_unchanged();
        let roster = timeline.roster();
        let mut delay = PATIENCE;
        if !seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &roster)) {
            match confirm_all(&inner, &roster, &mut decided).await {
                Ok(()) => seen = Some(roster),
                Err(error) => {
                    tracing::warn!(%error, "a new key is not confirmed yet");
                    delay = RETRY_DELAY;
                }
            }
        }
        if let Ok(Err(_)) = tokio::time::timeout(delay, news.changed()).await {
            return;
        }
    }
}

/// Submits every last word that is open and was not `decided`; an error where one must be tried again.
async fn confirm_all(
    inner: &Arc<Inner>,
    roster: &Arc<Roster>,
    decided: &mut Vec<Digest>,
) -> Result<(), Refusal> {
    let open = open(inner, roster).await?;
    decided.retain(|id| open.iter().any(|(word, _)| word == id));
    for (word, intent) in open {
        if decided.contains(&word) {
            continue;
        }
        match inner.submit(intent, Origin::Here).await {
            Ok(_) => {}
            Err(
                refusal @ (Refusal::Unavailable(_) | Refusal::Overloaded { .. } | Refusal::InProgress { .. }),
            ) => return Err(refusal),
            Err(refusal) => tracing::warn!(code = refusal.code(), %refusal, "a new key is not confirmed"),
        }
        decided.push(word);
    }
    Ok(())
}

/// The last words of members below this node, each with the intent that confirms it.
async fn open(inner: &Arc<Inner>, roster: &Arc<Roster>) -> Result<Vec<(Digest, Intent)>, StoreError> {
    let (inner, roster) = (inner.clone(), roster.clone());
    let work = move || {
        let statements = inner.store.read()?.statements(roster.env())?;
        let own = inner.store.key().public();
        let words = roster.farewells(&statements).into_iter().map(|placed| &placed.statement);
        let words = words.filter(|word| roster.ranks_above(own, word.statement().issuer));
        Ok(words.map(|word| (word.id(), intent(&inner, word.id(), word.statement().issuer))).collect())
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::Unavailable(error.to_string()))?
}

fn intent(inner: &Inner, word: Digest, node: xyn_store::audit::signature::PublicKey) -> Intent {
    let now = inner.clock.now();
    let identity = Identity::bare(by_node(now).actor);
    // The same after a start: a word that waits for a person waits once.
    let idempotency_key = Some(word.to_string());
    Intent { idempotency_key, ..Intent::new(now, "peer.confirm", json!({ "node": node }), identity) }
}
