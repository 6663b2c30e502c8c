//! Settings: keys, retention and quotas, limits, theme. What is set in the configuration is shown here and changed there.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use xyn_actors::governance::Approvals;
use xyn_actors::runtime::KEY_LIFETIME;
use xyn_actors::services::capsules::KeyRing;
use xyn_actors::services::mesh::LIFETIME_MAX;
use xyn_capsules::sign::{Grant, KeyId};
use xyn_store::Timestamp;

use super::act::{Act, Directory};
use super::filters;
use super::shell::{Shell, render};
use super::words;
use crate::error::ApiError;
use crate::limits::{BLOB_MAX_BYTES, BODY_MAX_BYTES};
use crate::state::{AppState, blocking};

/// Roles and apps of a key ring that the page names.
const GRANTS_MAX: usize = 40;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/settings", get(page))
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    shell: Shell,
    key: String,
    fingerprint: String,
    root: String,
    stage: &'static str,
    ring: Option<Ring>,
    limits: Vec<(&'static str, String)>,
    /// What is kept, and for how long.
    kept: Vec<(&'static str, String)>,
    rotate: Act,
}

/// The key ring in force.
struct Ring {
    version: u64,
    at: Timestamp,
    by: String,
    expires: Timestamp,
    /// Each role, and each app with publishers of its own.
    grants: Vec<Granted>,
}

/// Who may do something.
struct Granted {
    what: String,
    threshold: u32,
    names: Vec<String>,
}

impl Ring {
    fn of(known: KeyRing) -> Self {
        let KeyRing { row, ring, .. } = known;
        let name = |id: &KeyId| match ring.keys.get(id) {
            Some(key) if key.revoked.is_some() => format!("{} (revoked)", key.name),
            Some(key) => key.name.to_string(),
            None => String::new(),
        };
        let granted = |what: String, grant: &Grant| Granted {
            what,
            threshold: grant.threshold,
            names: grant.keys.iter().map(name).collect(),
        };
        let roles = ring.roles.iter().map(|(role, grant)| granted(role.as_str().to_owned(), grant));
        let apps = ring.apps.iter().map(|(app, grant)| granted(format!("publisher of {app}"), grant));
        let grants = roles.chain(apps).take(GRANTS_MAX).collect();
        Self { version: row.version, at: row.at, by: row.by.to_string(), expires: ring.expires, grants }
    }
}

async fn page(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
) -> Result<Response, ApiError> {
    let runtime = state.runtime();
    let reading = runtime.clone();
    let ring = blocking(move || reading.key_ring().map_err(ApiError::from)).await?.map(Ring::of);
    let key = runtime.store().key().public();
    let root = state.read(|reader| reader.environment())?.map(|env| env.to_string()).unwrap_or_default();
    render(&Page {
        shell,
        fingerprint: key.fingerprint(),
        key: key.to_string(),
        root,
        stage: runtime.env().stage.as_str(),
        ring,
        limits: limits(&state),
        kept: kept(&state),
        rotate: directory.act("peer.rotate", &[], "/ui/settings"),
    })
}

/// What this node allows.
fn limits(state: &AppState) -> Vec<(&'static str, String)> {
    let limits = state.runtime().limits();
    let rate = match limits.requests_per_second {
        0 => "none".to_owned(),
        rate => format!("{rate} a second, {} at once", limits.request_burst),
    };
    vec![
        ("Steps of a plan", limits.max_steps.to_string()),
        ("Time a run may work", words::span(limits.wall_clock)),
        ("Runs that work at once", limits.concurrency.to_string()),
        ("Runs in one line", limits.run_line.to_string()),
        ("Items of a step at once", limits.max_parallel.to_string()),
        ("Attempts of a step", limits.max_attempts.to_string()),
        ("Longest wait", words::span(limits.max_wait)),
        ("Entries that may wait for dispatch", limits.event_backlog.to_string()),
        ("Limit of requests", rate),
        ("Body of a request", words::size(BODY_MAX_BYTES as u64)),
        ("File that is uploaded", words::size(BLOB_MAX_BYTES)),
    ]
}

/// What this node keeps and for how long, and how much room there is for it.
fn kept(state: &AppState) -> Vec<(&'static str, String)> {
    let runtime = state.runtime();
    let blobs = runtime.store().blobs();
    let (used, room) = (blobs.used_bytes(), blobs.room_bytes());
    vec![
        (
            "Content: artifacts, files, capsules",
            format!("{} of {}", words::size(used), words::size(used.saturating_add(room))),
        ),
        ("Journal, runs, timeline", "for ever: nothing is taken out of them".to_owned()),
        ("Idempotency keys", words::span(KEY_LIFETIME)),
        (
            "Approvals, where a policy says nothing",
            words::span(Duration::from_secs(Approvals::DEFAULT_EXPIRES_IN_S)),
        ),
        ("Tickets for the mesh, at most", words::span(LIFETIME_MAX)),
        (
            "Events that wait for dispatch, before new ones are refused",
            words::span(runtime.limits().event_backlog_age),
        ),
    ]
}
