//! What has no page of its own: the theme, looking something up by its id, pages that do not exist.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderValue, header};
use serde::Deserialize;
use xyn_actors::events;
use xyn_actors::services::capsules::{self, CapsuleName};
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{ArtifactId, DraftId, EntryId, EventId, IntentId, RunId};
use xyn_store::projection::{ArtifactRow, DraftRow, IntentRow, RunRow};
use xyn_store::{Digest, Reader, StoreError};

use super::act::local;
use super::query::field;
use crate::error::{ApiError, Code};
use crate::extract::Params;
use crate::routes::peers::members;
use crate::state::AppState;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/theme", post(theme)).route("/ui/find", get(find))
}

/// Keeps the theme in the browser, for a year.
async fn theme(form: Bytes) -> Response {
    let cookie = match field(&form, "theme").as_str() {
        "light" => "theme=light; Path=/ui; Max-Age=31536000; SameSite=Strict; HttpOnly",
        _ => "theme=dark; Path=/ui; Max-Age=31536000; SameSite=Strict; HttpOnly",
    };
    let mut response = Redirect::to(&local(&field(&form, "next"), "")).into_response();
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_static(cookie));
    response
}

#[derive(Deserialize)]
struct FindQuery {
    #[serde(default)]
    id: String,
}

/// Leads to the page of whatever has this id.
async fn find(State(state): State<AppState>, Params(query): Params<FindQuery>) -> Result<Redirect, ApiError> {
    let id = query.id.trim().to_owned();
    let text = id.clone();
    let page = state.scan(move |reader| page_of(reader, &text)).await?;
    if let Some(page) = page {
        return Ok(Redirect::to(&page));
    }
    if let Ok(node) = id.parse::<PublicKey>()
        && members::find(&state, node).await?.is_some()
    {
        return Ok(Redirect::to(&format!("/ui/mesh/{node}")));
    }
    Err(ApiError::not_found("run, artifact, moment, event, intent, draft, capsule or member", &id))
}

/// The page of what the store has by the id `text`.
fn page_of(reader: &Reader, text: &str) -> Result<Option<String>, StoreError> {
    if let Ok(digest) = text.parse::<Digest>() {
        let found = capsules::find(reader, &CapsuleName::Digest(digest))?;
        return Ok(found.map(|_| format!("/ui/capsules/{digest}")));
    }
    if let Ok(run_id) = text.parse::<RunId>()
        && reader.get::<RunRow>(&RunRow::key_of(run_id))?.is_some()
    {
        return Ok(Some(format!("/ui/runs/{run_id}")));
    }
    if let Ok(artifact_id) = text.parse::<ArtifactId>()
        && reader.get::<ArtifactRow>(&ArtifactRow::key_of(artifact_id))?.is_some()
    {
        return Ok(Some(format!("/ui/artifacts/{artifact_id}")));
    }
    if let Ok(entry_id) = text.parse::<EntryId>()
        && reader.entry(entry_id)?.is_some()
    {
        return Ok(Some(format!("/ui/timeline?at={entry_id}")));
    }
    if let Ok(intent_id) = text.parse::<IntentId>()
        && reader.get::<IntentRow>(&IntentRow::key_of(intent_id))?.is_some()
    {
        return Ok(Some(format!("/ui/audit/intents/{intent_id}")));
    }
    if let Ok(draft_id) = text.parse::<DraftId>()
        && reader.get::<DraftRow>(&DraftRow::key_of(draft_id))?.is_some()
    {
        return Ok(Some(format!("/ui/blueprints/edit?draft={draft_id}")));
    }
    let Ok(event_id) = text.parse::<EventId>() else { return Ok(None) };
    Ok(events::find(reader, event_id)?.map(|_| format!("/ui/events/{event_id}")))
}

/// Answers for pages that do not exist.
pub(super) async fn no_page(request: Request) -> ApiError {
    let path: String = request.uri().path().chars().take(200).collect();
    ApiError::new(Code::NoRoute, format!("there is no page `{path}`")).hint("press Ctrl-K to find one")
}
