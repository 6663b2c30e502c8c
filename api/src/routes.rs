//! Every route, and what answers when none does.
//!
//! One module per noun; a route is documented where it is written, and what all routes share is added in
//! [`openapi`](crate::openapi). Invariant: there is no route that the document does not have, but for the
//! document itself, its page, and the pages of Studio.

mod acts;
mod approvals;
mod artifacts;
pub(crate) mod audit;
mod blueprints;
pub(crate) mod capsules;
pub(crate) mod deployments;
mod downloads;
mod drafts;
mod events;
pub(crate) mod health;
mod hooks;
mod intents;
pub(crate) mod mesh;
pub(crate) mod peers;
pub(crate) mod policies;
mod rings;
mod runs;
mod schemas;
mod secrets;
mod steps;
pub(crate) mod timeline;
pub(crate) mod versions;
pub(crate) mod workspaces;

pub(crate) use approvals::{Place, waiting};
pub(crate) use artifacts::{form_of as artifact_form, keep as keep_artifact, row as artifact_row};
pub(crate) use capsules::bytes as capsule_bytes;
pub(crate) use downloads::{Asked, answer};
pub(crate) use runs::{here as run_here, row as run_row};
pub(crate) use steps::StepPath;

use axum::Json;
use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use xyn_actors::actions::Registry;
use xyn_store::legible::quoted;

use crate::error::{ApiError, Code};
use crate::openapi;
use crate::state::AppState;

/// A JSON object that becomes an action's input.
pub(crate) type Fields = Map<String, Value>;

/// The API as a service, for a socket or for callers in this process.
pub fn router(state: AppState) -> Router {
    let (routes, document) = openapi::complete(documented(), state.runtime().registry());
    routes
        .merge(crate::ui::router(&state, &document))
        .merge(openapi::pages(document))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(state.clone(), crate::edge::pass))
        .with_state(state)
}

/// The OpenAPI document, with the inputs of the actions of `registry`.
pub fn document(registry: &Registry) -> Value {
    openapi::complete(documented(), registry).1
}

/// What the routes say of themselves, without what they have in common.
pub(crate) fn described() -> Value {
    serde_json::to_value(documented().into_openapi()).expect("the document has string keys")
}

/// Every route with its documentation.
fn documented() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::skeleton())
        .merge(health::routes())
        .merge(events::routes())
        .merge(hooks::routes())
        .merge(runs::routes())
        .merge(acts::routes())
        .merge(steps::routes())
        .merge(artifacts::routes())
        .merge(downloads::routes())
        .merge(drafts::routes())
        .merge(blueprints::routes())
        .merge(intents::routes())
        .merge(approvals::routes())
        .merge(policies::routes())
        .merge(timeline::routes())
        .merge(peers::routes())
        .merge(mesh::routes())
        .merge(workspaces::routes())
        .merge(capsules::routes())
        .merge(deployments::routes())
        .merge(secrets::routes())
        .merge(rings::routes())
        .merge(audit::routes())
        .merge(schemas::routes())
}

async fn no_route(request: Request) -> ApiError {
    let message = format!("there is no route `{}`", quoted(request.uri().path()));
    ApiError::new(Code::NoRoute, message).at("path")
}

async fn no_method(request: Request) -> ApiError {
    let message = format!("`{}` is not a method of this route", quoted(request.method().as_str()));
    ApiError::new(Code::NoMethod, message).at("method")
}

/// Puts what the path says into an action's input; a body must not say it again.
fn placed(mut fields: Fields, name: &str, value: impl Into<Value>) -> Result<Fields, ApiError> {
    match fields.insert(name.to_owned(), value.into()) {
        None => Ok(fields),
        Some(_) => Err(ApiError::invalid(name, format!("`{name}` is in the path and not in the body"))),
    }
}

/// Answers 201 with what was made and where it is.
fn created<T: Serialize>(location: &str, body: T) -> Response {
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
