//! Invitations: tickets that may still be used, and making one.
//!
//! Invariant: a ticket's secret is made here, answered once, and neither recorded nor logged.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::services::mesh::{Invite, LIFETIME_MAX, VALID_FOR_MAX};
use xyn_store::legible::{is_hidden, quoted};
use xyn_store::scope::Principal;
use xyn_store::tables::Key;
use xyn_store::trust::{Invitation, PRINCIPAL_MAX_CHARS, Role};
use xyn_store::{Order, Timestamp, duration};

use super::mesh;
use crate::dto::{InvitationView, Invited};
use crate::error::{ApiError, Code};
use crate::extract::{JsonBody, Params};
use crate::headers::Caller;
use crate::page::{Listing, PageQuery};
use crate::routes::created;
use crate::schema;
use crate::state::AppState;

/// How long a ticket is good when nothing is said.
const LIFETIME_DEFAULT_S: f64 = 24.0 * 3600.0;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, invite))
}

/// Whom to let in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// Whose device it is: `name@place`.
    #[schema(schema_with = schema::person)]
    pub(crate) principal: String,
    /// What that person may do; never more than this node may. `user` when left out.
    #[schema(schema_with = schema::role, required = false)]
    #[serde(default)]
    pub(crate) role: Role,
    /// How long the ticket is good; a day when left out.
    #[schema(schema_with = schema::ticket_lifetime, required = false)]
    #[serde(default = "default_lifetime")]
    // JSON has one kind of number, and `60.0` is a whole one.
    pub(crate) lifetime_seconds: f64,
    /// How long whoever comes in belongs, from then on; without end when left out.
    #[schema(schema_with = schema::certificate_lifetime, required = false)]
    #[serde(default)]
    pub(crate) valid_for_seconds: Option<f64>,
}

fn default_lifetime() -> f64 {
    LIFETIME_DEFAULT_S
}

/// Tickets that may still be used, by id.
#[utoipa::path(
    get,
    path = "/api/v1/peers/invitations",
    tag = "peers",
    operation_id = "list_invitations",
    params(PageQuery),
    responses((status = 200, body = Listing<InvitationView>))
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<InvitationView>>, ApiError> {
    let (cursor, limit) = query.place();
    let now = state.runtime().clock().now();
    let is_open = move |it: &Invitation| it.redeemed_by().is_none() && it.expires > now;
    let page =
        state.scan(move |reader| reader.page(&Key::new(), Order::Ascending, cursor.as_ref(), limit, is_open));
    Ok(Json(Listing::of(page.await?, InvitationView::from)))
}

/// Makes a ticket with which one more node joins. The ticket is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/v1/peers/invitations",
    tag = "peers",
    operation_id = "invite_peer",
    extensions(("x-xyn-intent" = json!(true))),
    request_body = NewInvitation,
    responses((status = 201, body = Invited), (status = 404))
)]
async fn invite(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<NewInvitation>,
) -> Result<Response, ApiError> {
    Ok(created("/api/v1/peers/invitations", &issue(&state, caller, &wanted).await?))
}

/// Makes the ticket that is `wanted`, as an intent of `caller`.
pub(crate) async fn issue(
    state: &AppState,
    caller: Caller,
    wanted: &NewInvitation,
) -> Result<Invited, ApiError> {
    let principal = person(&wanted.principal)?;
    let now = state.runtime().clock().now();
    let lifetime = whole_seconds(wanted.lifetime_seconds, LIFETIME_MAX, "lifetime_seconds", "a ticket")?;
    let valid_for = wanted.valid_for_seconds;
    let valid_for = valid_for
        .map(|seconds| whole_seconds(seconds, VALID_FOR_MAX, "valid_for_seconds", "a certificate"))
        .transpose()?;
    let (mut invite, invited) = mint(state, principal, wanted.role, now.after(lifetime)).await?;
    if let Some(valid_for) = valid_for {
        invite = invite.valid_for(valid_for);
    }
    match state.submit(caller.intent(state, "peer.invite", invite.input)).await {
        Ok(_) => Ok(invited),
        // It becomes good with the approval, and could not be shown again then.
        Err(error) if error.fault().code == Code::ApprovalRequired => {
            Err(error.with("ticket", invited.ticket).with("ticket_id", invited.invitation.ticket_id))
        }
        Err(error) => Err(error),
    }
}

async fn mint(
    state: &AppState,
    principal: Principal,
    role: Role,
    expires_at: Timestamp,
) -> Result<(Invite, Invited), ApiError> {
    let runtime = state.runtime();
    mesh(state)?;
    let status = state.mesh_status().await.unwrap_or_default();
    let unavailable = |message: &str| ApiError::new(Code::Unavailable, message);
    let timeline = runtime.timeline().ok_or_else(|| unavailable("the timeline is not open"))?;
    if status.listening.is_empty() {
        return Err(unavailable("the mesh listens nowhere yet, so a ticket would lead nowhere"));
    }
    let (env, issuer) = (timeline.env(), runtime.store().key().public());
    let invite = Invite::mint(env, issuer, &status.listening, &principal, role, expires_at)
        .map_err(|error| ApiError::unexpected(&error.to_string()))?;
    let invited = Invited {
        invitation: InvitationView { ticket_id: invite.ticket.id.to_string(), principal, role, expires_at },
        ticket: invite.ticket.to_string(),
        addresses: invite.ticket.addresses.clone(),
    };
    Ok((invite, invited))
}

fn person(name: &str) -> Result<Principal, ApiError> {
    let principal = Principal::new(name);
    let fits = name.chars().count() <= PRINCIPAL_MAX_CHARS && !name.contains(is_hidden);
    if fits && principal.is_person() {
        return Ok(principal);
    }
    let (name, most) = (quoted(name), PRINCIPAL_MAX_CHARS);
    let message =
        format!("`{name}` is no person, who is `name@place` with at most {most} characters, all seen");
    Err(ApiError::invalid("principal", message))
}

fn whole_seconds(seconds: f64, most: Duration, field: &str, what: &str) -> Result<Duration, ApiError> {
    let is_within = (1.0..=most.as_secs_f64()).contains(&seconds);
    if is_within && seconds.fract() == 0.0 {
        return Ok(Duration::from_secs_f64(seconds));
    }
    let (most_s, shown) = (most.as_secs(), duration::show(most));
    let message = format!("{what} is good for a whole number of seconds, 1 to {most_s} ({shown})");
    Err(ApiError::invalid(field, message))
}
