//! Proofs: that an entry is in the log, and that the log only ever grew; checked here, and to be taken away.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::log;
use xyn_store::audit::proof::{InvalidProof, verify_consistency, verify_inclusion};
use xyn_store::ids::EventId;
use xyn_store::tables::Key;
use xyn_store::{Digest, Order};

use crate::error::ApiError;
use crate::extract::Params;
use crate::routes::audit::{continued, included};
use crate::state::AppState;
use crate::ui::query::parsed;
use crate::ui::shell::{Shell, render};
use crate::ui::words::State as Standing;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ProofQuery {
    /// Number of an entry, or the id of an event in it.
    entry: String,
    /// Entries of an earlier state of the log.
    old_size: String,
    /// Entries of the log; what was signed last when left out.
    size: String,
}

#[derive(Template)]
#[template(path = "proof.html")]
struct Page {
    shell: Shell,
    proof: Shown,
}

/// A proof, and whether it holds.
struct Shown {
    title: String,
    state: Standing,
    why: String,
    facts: Vec<(&'static str, String)>,
    hashes: Vec<Digest>,
    /// The same proof for programs.
    document: String,
    /// The page of the event that it is about; empty when it is about none.
    event: String,
}

/// The root of the log at one size, and what says so.
struct Rooted {
    size: u64,
    root: Option<Digest>,
    says: &'static str,
}

pub(super) async fn show(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<ProofQuery>,
) -> Result<Response, ApiError> {
    let size = parsed::<u64>("size", &query.size)?;
    let proof = match parsed::<u64>("old_size", &query.old_size)? {
        Some(old_size) => consistency(&state, old_size, size).await?,
        None => inclusion(&state, query.entry.trim(), size).await?,
    };
    render(&Page { shell, proof })
}

async fn inclusion(state: &AppState, entry: &str, size: Option<u64>) -> Result<Shown, ApiError> {
    let unknown =
        || ApiError::invalid("entry", format!("`{entry}` is no number of an entry and no event's id"));
    let (offset, event) = match entry.parse::<u64>() {
        Ok(offset) => (offset, String::new()),
        Err(_) => {
            let id: EventId = entry.parse().map_err(|_| unknown())?;
            (id.place().ok_or_else(unknown)?.0, format!("/ui/events/{id}"))
        }
    };
    let rooted = rooted(state, size, offset.saturating_add(1))?;
    let proof = included(state, offset, Some(rooted.size)).await?;
    let held =
        rooted.root.map(|root| verify_inclusion(&proof.leaf, offset, proof.size, &proof.hashes, &root));
    let mut facts = vec![("Entry", offset.to_string()), ("Its leaf", proof.leaf.to_string())];
    facts.extend(rooted.facts("Log of"));
    Ok(Shown {
        title: format!("Entry {offset} is in the log"),
        state: standing(held.as_ref()),
        why: why(held),
        facts,
        hashes: proof.hashes,
        document: format!("/api/v1/audit/proof/inclusion?offset={offset}&size={}", proof.size),
        event,
    })
}

async fn consistency(state: &AppState, old_size: u64, size: Option<u64>) -> Result<Shown, ApiError> {
    let (old, new) = (rooted(state, Some(old_size), 0)?, rooted(state, size, old_size)?);
    let proof = continued(state, old_size, Some(new.size)).await?;
    let roots = old.root.zip(new.root);
    let held = roots.map(|(old_root, new_root)| {
        verify_consistency(old_size, proof.new_size, &old_root, &new_root, &proof.hashes)
    });
    let facts = [old.facts("Earlier log of"), new.facts("Later log of")].concat();
    Ok(Shown {
        title: format!("The log of {} entries continues that of {old_size}", proof.new_size),
        state: standing(held.as_ref()),
        why: why(held),
        facts,
        hashes: proof.hashes,
        document: format!("/api/v1/audit/proof/consistency?old_size={old_size}&new_size={}", proof.new_size),
        event: String::new(),
    })
}

/// The root of the log of `asked` entries: that of a signed checkpoint where there is one; of the newest one
/// that has `needed` entries when nothing is asked.
fn rooted(state: &AppState, asked: Option<u64>, needed: u64) -> Result<Rooted, ApiError> {
    let read = state.read(|reader| {
        let signed = match asked {
            Some(size) => reader.get::<SignedCheckpoint>(&Key::new().u64(size))?,
            None => reader
                .page::<SignedCheckpoint>(&Key::new(), Order::Descending, None, 1, |_| true)?
                .items
                .pop(),
        };
        Ok((signed.filter(|signed| signed.checkpoint.size >= needed), log::state(reader)?))
    });
    let (signed, (size, root)) = read?;
    Ok(match (signed, asked) {
        (Some(signed), _) => Rooted {
            size: signed.checkpoint.size,
            root: signed.verify().is_ok().then_some(signed.checkpoint.root),
            says: "a checkpoint that this node signed",
        },
        (None, Some(asked)) if asked != size => {
            Rooted { size: asked, root: None, says: "no checkpoint of this size is kept" }
        }
        (None, _) => Rooted { size, root: Some(root), says: "the log as it stands, not signed yet" },
    })
}

impl Rooted {
    fn facts(&self, name: &'static str) -> Vec<(&'static str, String)> {
        let root = self.root.map_or_else(|| "not known here".to_owned(), |root| root.to_string());
        vec![(name, format!("{} entries", self.size)), ("Its root", root), ("Says who", self.says.to_owned())]
    }
}

fn standing(held: Option<&Result<(), InvalidProof>>) -> Standing {
    match held {
        Some(Ok(())) => Standing::new("holds", "ok"),
        Some(Err(_)) => Standing::new("does not hold", "bad"),
        None => Standing::new("not checked", "idle"),
    }
}

fn why(held: Option<Result<(), InvalidProof>>) -> String {
    match held {
        Some(Ok(())) => "These hashes lead to the root, step by step. They need no trust in this node: \
                         hold them against a checkpoint that you, or a witness, kept."
            .to_owned(),
        Some(Err(error)) => format!("{error}: the log was changed behind the node's back."),
        None => "There is no checkpoint of this size here to hold them against; somebody who kept one can."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_that_leads_elsewhere_does_not_hold_and_says_so() {
        let wrong = || Err(InvalidProof::Root(Digest::of(b"other")));
        assert_eq!(standing(Some(&wrong())), Standing::new("does not hold", "bad"));
        assert!(why(Some(wrong())).contains("was changed"));
        assert_eq!(standing(None), Standing::new("not checked", "idle"));
    }
}
