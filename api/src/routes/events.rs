//! Events: what came in and what happened.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::blueprint::EventPattern;
use xyn_actors::events::{self, EventFilter, Position};
use xyn_actors::intake::{self, Incoming};
use xyn_store::Timestamp;
use xyn_store::ids::{EventId, RunId};
use xyn_store::projection::Cursor;

use super::{Fields, created};
use crate::dto::{Event, EventRef};
use crate::error::ApiError;
use crate::extract::{Params, Parsed, PathId, media_type, parse_object, read_body, unsupported};
use crate::headers::{Caller, Known};
use crate::limits::BODY_MAX_BYTES;
use crate::page::{self, Interaction, Limit, Listing};
use crate::schema;
use crate::sse::{self, Resume};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, emit)).routes(routes!(follow)).routes(routes!(get))
}

/// Parameters that say which events are shown, and those of one route.
macro_rules! event_query {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        #[serde(deny_unknown_fields)]
        struct $name {
            /// A name, or a pattern: `*` stands for one part of a name, `**` for any number.
            #[param(value_type = schema::EventPattern, inline, required = false)]
            event_name: Option<Parsed<EventPattern>>,
            /// Only events about this run.
            #[param(value_type = schema::Id, inline, required = false)]
            run_id: Option<Parsed<RunId>>,
            /// Only events of this interaction.
            #[param(value_type = schema::CorrelationId, inline, required = false)]
            correlation_id: Option<Parsed<Interaction>>,
            /// Only events that happened at this instant or later.
            #[param(value_type = schema::Instant, inline, required = false)]
            since: Option<Parsed<Timestamp>>,
            /// Only events that happened before this instant.
            #[param(value_type = schema::Instant, inline, required = false)]
            until: Option<Parsed<Timestamp>>,
            $($own)*
        }

        impl $name {
            fn filter(&self) -> EventFilter {
                EventFilter {
                    name: self.event_name.as_ref().map(|name| name.0.clone()),
                    run_id: self.run_id.as_ref().map(|id| id.0),
                    correlation_id: self.correlation_id.as_ref().map(|id| id.0.0.clone()),
                    since: self.since.as_ref().map(|at| at.0),
                    until: self.until.as_ref().map(|at| at.0),
                }
            }
        }
    };
}

event_query! {
    /// Which events a list shows.
    ListQuery {
        /// Rows of the page.
        #[param(value_type = schema::Limit, inline, required = false)]
        limit: Option<Parsed<Limit>>,
        /// The `next_cursor` of the page before.
        #[param(value_type = schema::Cursor, inline, required = false)]
        cursor: Option<Parsed<Cursor>>,
    }
}

event_query! {
    /// Which events a stream shows.
    FollowQuery {
        /// Go on behind this event, or `0.0` for all; the header `Last-Event-ID` wins.
        #[param(value_type = schema::Position, inline, required = false)]
        after: Option<Parsed<Position>>,
    }
}

/// An event that asks to be accepted.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents what intake reads")]
struct NewEvent {
    /// The sender's id, by which a duplicate is known.
    #[schema(schema_with = schema::id, required = false)]
    event_id: String,
    #[schema(schema_with = schema::event_name)]
    event_name: String,
    /// When it happened; when it arrived, if left out. At most a day ahead.
    #[schema(schema_with = schema::instant, required = false)]
    occurred_at: String,
    /// What it says.
    #[schema(schema_with = schema::any, required = false)]
    data: Value,
    /// What it is about.
    #[schema(required = false, value_type = NewResource)]
    resource: NewResource,
    /// The interaction it belongs to, before the header.
    #[schema(schema_with = schema::correlation_id, required = false)]
    correlation_id: String,
}

/// What a new event is about.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents what intake reads")]
struct NewResource {
    /// Its type.
    #[serde(rename = "type")]
    #[schema(pattern = "^[^/]+$", max_length = 64)]
    kind: String,
    #[schema(min_length = 1, max_length = 64)]
    id: String,
}

/// A CloudEvent 1.0 in structured mode. Other attributes are taken and not kept.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what intake reads")]
struct CloudEvent {
    #[schema(pattern = "^1\\.0$")]
    specversion: String,
    /// A UUID is the event's id; any other text becomes one, together with the source.
    #[schema(pattern = "^[!-~]{1,64}$")]
    id: String,
    #[schema(pattern = "^[!-~]{1,64}$")]
    source: String,
    /// The event's name.
    #[serde(rename = "type")]
    #[schema(schema_with = schema::event_name)]
    kind: String,
    #[schema(schema_with = schema::instant, required = false)]
    time: String,
    /// What it is about, `type/id`.
    #[schema(pattern = "^[A-Za-z0-9]{1,32}/[A-Za-z0-9]{1,32}$", required = false)]
    subject: String,
    /// What it says.
    #[schema(schema_with = schema::any, required = false)]
    data: Value,
}

/// Events, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    operation_id = "list_events",
    params(ListQuery),
    responses((status = 200, body = Listing<Event>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listing<Event>>, ApiError> {
    let (filter, limit) = (query.filter(), page::rows(query.limit.as_ref()));
    let cursor = query.cursor.map(|cursor| cursor.0);
    let runtime = state.runtime().clone();
    let read = state.scan(move |reader| {
        let mut page = events::page(reader, &filter, cursor.as_ref(), limit)?;
        runtime.name_steps(reader, &mut page.items)?;
        Ok(page)
    });
    let page = read.await?;
    let env_id = &state.runtime().env().env_id;
    Ok(Json(Listing::of(page, |view| Event::of(view, env_id))))
}

/// Accepts an event: in the node's own shape or as a CloudEvent, structured or binary.
#[utoipa::path(
    post,
    path = "/api/v1/events",
    tag = "events",
    operation_id = "emit_event",
    extensions(("x-xyn-intent" = json!(true))),
    request_body(content((NewEvent = "application/json"), (CloudEvent = "application/cloudevents+json"))),
    responses(
        (status = 201, description = "It is durable. A duplicate is answered the same.", body = EventRef)
    )
)]
async fn emit(State(state): State<AppState>, caller: Caller, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let now = state.runtime().clock().now();
    let incoming = receive(&parts.headers, body, now).await?;
    let caller = caller.in_interaction(incoming.correlation_id.clone());
    let outcome = state.submit(caller.intent(&state, "events.emit", input(incoming))).await?;
    let id = outcome.output.get("event_id").and_then(Value::as_str).unwrap_or_default();
    Ok(created(&format!("/api/v1/events/{id}"), &outcome.output))
}

async fn receive(headers: &HeaderMap, body: Body, now: Timestamp) -> Result<Incoming, ApiError> {
    let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let mode = intake::cloudevents::Mode::of(&pairs);
    let kind = media_type(headers);
    let is_json = kind.as_deref().is_some_and(|kind| kind == "application/json" || kind.ends_with("+json"));
    match mode {
        intake::cloudevents::Mode::Plain if !is_json => {
            return Err(unsupported(kind.as_deref(), "application/json"));
        }
        intake::cloudevents::Mode::Batch => {
            return Err(unsupported(kind.as_deref(), "application/cloudevents+json"));
        }
        _ => {}
    }
    let body = read_body(headers, body, BODY_MAX_BYTES).await?;
    let incoming = intake::receive(pairs, &body, now);
    incoming.map_err(|error| match error.path.is_empty() {
        // A body that is no JSON object is refused in the words of every other.
        true => {
            parse_object::<Fields>(&body).err().unwrap_or_else(|| ApiError::invalid("body", error.reason))
        }
        false => ApiError::invalid(error.path, error.reason),
    })
}

/// The input of `events.emit` for an event that came in.
pub(super) fn input(incoming: Incoming) -> Value {
    let mut input = json!({ "event_name": incoming.event_name, "data": incoming.data });
    let optional = [
        ("event_id", incoming.event_id.map(|id| Value::from(id.to_string()))),
        ("occurred_at", incoming.occurred_at.map(|at| Value::from(at.to_string()))),
        ("resource", incoming.resource.map(|about| json!({ "type": about.kind, "id": about.id }))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            input[name] = value;
        }
    }
    input
}

/// One event.
#[utoipa::path(
    get,
    path = "/api/v1/events/{event_id}",
    tag = "events",
    operation_id = "get_event",
    params(("event_id" = inline(schema::Id), Path)),
    responses((status = 200, body = Event), (status = 304), (status = 404))
)]
async fn get(
    State(state): State<AppState>,
    PathId(event_id): PathId<EventId>,
    known: Known,
) -> Result<Response, ApiError> {
    let runtime = state.runtime().clone();
    let read = state.scan(move |reader| {
        let mut found = events::find(reader, event_id)?;
        runtime.name_steps(reader, &mut found)?;
        Ok(found)
    });
    let found = read.await?;
    let view = found.ok_or_else(|| ApiError::not_found("event", &event_id.to_string()))?;
    known.json(&Event::of(view, &state.runtime().env().env_id))
}

/// Events as they happen (server-sent events). Each carries its place as `id`; `Last-Event-ID` goes on
/// behind it.
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    tag = "events",
    operation_id = "follow_events",
    params(FollowQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 429))
)]
async fn follow(
    State(state): State<AppState>,
    Params(query): Params<FollowQuery>,
    resume: Resume,
) -> Result<Response, ApiError> {
    let from = resume.0.or(query.after.as_ref().map(|after| after.0));
    sse::events(&state, query.filter(), from)
}
