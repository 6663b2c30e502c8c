//! The audit log: its chain, who witnessed it, proofs of it, and who asked for what.
//!
//! Invariant: a signature or a proof is said to hold when this very page checked it, and at no other time.

mod intents;
mod proof;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use xyn_store::audit::checkpoint::SignedCheckpoint;
use xyn_store::audit::log;
use xyn_store::audit::signature::PublicKey;
use xyn_store::projection::{VouchedRow, WitnessRow};
use xyn_store::tables::Key;
use xyn_store::trust::Roster;
use xyn_store::{Digest, Order, Reader, StoreError};

use self::intents::{List, ListQuery};
use super::filters;
use super::shell::{Shell, render};
use super::words::State as Standing;
use crate::error::ApiError;
use crate::extract::Params;
use crate::state::AppState;

/// Witnesses' words, vouched logs and checkpoints that the page shows.
const SHOWN: usize = 8;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/audit", get(show))
        .route("/ui/audit/_list", get(intents::list))
        .route("/ui/audit/_chain", get(chain))
        .route("/ui/audit/proof", get(proof::show))
        .route("/ui/audit/intents/{intent_id}", get(intents::one))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    shell: Shell,
    query: ListQuery,
    list: List,
    chain: Chain,
}

#[derive(Template)]
#[template(path = "audit.html", block = "chain")]
struct ChainPart {
    chain: Chain,
}

/// The log as it stands, and who vouches for it.
struct Chain {
    node: PublicKey,
    incarnation: u64,
    size: u64,
    root: Digest,
    checkpoint: Option<SignedCheckpoint>,
    /// Checkpoints that are kept, the newest in front.
    checkpoints: Vec<SignedCheckpoint>,
    witnesses: Vec<Witnessed>,
    vouched: Vec<Vouched>,
}

/// A witness's word for a checkpoint of this log.
struct Witnessed {
    row: WitnessRow,
    name: String,
    state: Standing,
}

/// The log of another node for which this one vouched.
struct Vouched {
    signed: SignedCheckpoint,
    name: String,
}

async fn show(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let list = List::read(&state, &query).await?;
    let chain = Chain::read(&state).await?;
    render(&Page { shell, query, list, chain })
}

async fn chain(State(state): State<AppState>) -> Result<Response, ApiError> {
    render(&ChainPart { chain: Chain::read(&state).await? })
}

impl Chain {
    async fn read(state: &AppState) -> Result<Self, ApiError> {
        let (runtime, store) = (state.runtime().clone(), state.runtime().store());
        let (node, incarnation) = (store.key().public(), store.incarnation().id);
        let read = move |reader: &Reader| {
            let (size, root) = log::state(reader)?;
            let roster = runtime.roster(reader)?;
            let checkpoints =
                reader.page::<SignedCheckpoint>(&Key::new(), Order::Descending, None, SHOWN, |_| true)?.items;
            let (witnesses, vouched) = vouchers(reader, roster.as_deref())?;
            let checkpoint = checkpoints.first().copied();
            Ok(Self { node, incarnation, size, root, checkpoint, checkpoints, witnesses, vouched })
        };
        state.scan(read).await
    }

    /// Whether the newest checkpoint is signed as it says.
    fn standing(&self) -> Standing {
        match self.checkpoint.map(|signed| signed.verify().is_ok()) {
            Some(true) => Standing::new("signature holds", "ok"),
            Some(false) => Standing::new("signature does not hold", "bad"),
            None => Standing::new("no checkpoint yet", "idle"),
        }
    }

    fn fingerprint(&self) -> String {
        self.node.fingerprint()
    }

    fn life(&self) -> String {
        format!("{:016x}", self.incarnation)
    }

    fn signature(&self) -> String {
        let bytes = self.checkpoint.map(|signed| signed.signature);
        let bytes = bytes.as_ref().map(|signature| signature.as_bytes().as_slice()).unwrap_or_default();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Who vouched for this log, and for which logs this node did.
fn vouchers(reader: &Reader, roster: Option<&Roster>) -> Result<(Vec<Witnessed>, Vec<Vouched>), StoreError> {
    let name = |key: PublicKey| {
        let member = roster.and_then(|roster| roster.member(key));
        member.map_or("somebody".to_owned(), |member| member.principal.to_string())
    };
    let rows = reader.page::<WitnessRow>(&Key::new(), Order::Descending, None, SHOWN, |_| true)?;
    let witnessed = |row: WitnessRow| {
        let holds = row.checkpoint.verify_witness(row.witness, &row.signature).is_ok();
        let is_known = roster.is_some_and(|roster| roster.member(row.witness).is_some());
        let state = match (holds, is_known) {
            (true, true) => Standing::new("holds", "ok"),
            (true, false) => Standing::new("no member's", "bad"),
            (false, _) => Standing::new("does not hold", "bad"),
        };
        Witnessed { name: name(row.witness), row, state }
    };
    let witnesses = rows.items.into_iter().map(witnessed).collect();
    let rows = reader.page::<VouchedRow>(&Key::new(), Order::Ascending, None, SHOWN, |_| true)?;
    let vouched = |VouchedRow(signed)| Vouched { name: name(signed.checkpoint.node), signed };
    Ok((witnesses, rows.items.into_iter().map(vouched).collect()))
}
