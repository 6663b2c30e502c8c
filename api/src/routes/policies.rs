//! Policies: what is in force, and why an act is decided as it is.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::governance::{
    self, Context, Explanation, Identity, NamedStage, Resource, Risk, SessionFacts,
};
use xyn_store::projection::PolicyRow;
use xyn_store::scope::Principal;

use super::versions::{self, VersionQuery};
use super::{Fields, created};
use crate::dto::{PolicyView, ValidationIssue};
use crate::error::ApiError;
use crate::extract::{JsonBody, NamePath, Object, Params, media_type, read_body, unsupported};
use crate::headers::{Caller, Known};
use crate::limits::BODY_MAX_BYTES;
use crate::page::{Listing, PageQuery};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, activate)).routes(routes!(get)).routes(routes!(explain))
}

/// A policy version that came into force.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Activated {
    policy_id: String,
    version: u32,
}

/// An act to explain the decision on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The action, such as `http.call`.
    pub(crate) action: String,
    /// Stage of the target; the environment's own when left out.
    pub(crate) stage: Option<String>,
    /// What is acted on.
    #[schema(value_type = Option<About>)]
    pub(crate) resource: Option<Object<About>>,
    /// How much the act can break; what the action says when left out.
    #[schema(schema_with = schema::optional_risk, required = false)]
    pub(crate) risk: Option<Risk>,
    /// Who acts; the caller when left out.
    pub(crate) actor: Option<String>,
}

/// What an act is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// Policies in force, by id.
#[utoipa::path(
    get,
    path = "/api/v1/policies",
    tag = "policies",
    operation_id = "list_policies",
    params(PageQuery),
    responses((status = 200, body = Listing<PolicyView>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<PolicyView>>, ApiError> {
    Ok(Json(versions::list(&state, query, PolicyView::brief).await?))
}

/// The version of a policy that is in force, with its source, or the version asked for.
#[utoipa::path(
    get,
    path = "/api/v1/policies/{policy_id}",
    tag = "policies",
    operation_id = "get_policy",
    params(("policy_id" = inline(schema::Name), Path), VersionQuery),
    responses(
        (status = 200, body = PolicyView),
        (status = 304),
        (status = 404)
    )
)]
async fn get(
    State(state): State<AppState>,
    NamePath(id): NamePath,
    Params(query): Params<VersionQuery>,
    known: Known,
) -> Result<Response, ApiError> {
    versions::get::<PolicyRow, PolicyView>(&state, &id, &query, &known)
}

/// Puts a new version of a policy in force: its YAML text, or a JSON object with the text as `source`.
#[utoipa::path(
    post,
    path = "/api/v1/policies",
    tag = "policies",
    operation_id = "activate_policy",
    request_body(content((inline(schema::Anything) = "application/yaml"))),
    extensions(("x-xyn-action" = json!("policies.activate"))),
    responses((status = 201, body = Activated))
)]
async fn activate(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let fields = match media_type(request.headers()).as_deref() {
        Some("application/yaml" | "text/yaml" | "application/x-yaml") => {
            let (parts, body) = request.into_parts();
            let source = read_body(&parts.headers, body, BODY_MAX_BYTES).await?;
            let source = std::str::from_utf8(&source);
            let source = source
                .map_err(|error| ApiError::invalid("body", format!("the body is not UTF-8: {error}")))?;
            Fields::from_iter([("source".to_owned(), Value::from(source))])
        }
        Some(kind) if kind == "application/json" || kind.ends_with("+json") => {
            JsonBody::<Fields>::from_request(request, &state).await?.0
        }
        other => return Err(unsupported(other, "application/yaml or application/json")),
    };
    if let Some(source) = fields.get("source").and_then(Value::as_str) {
        check(source)?;
    }
    let outcome = state.submit(caller.intent(&state, "policies.activate", fields.into())).await?;
    let id = outcome.output.get("policy_id").and_then(Value::as_str).unwrap_or_default();
    Ok(created(&format!("/api/v1/policies/{id}"), &outcome.output))
}

/// Reports every fault of a policy's text with its place.
fn check(source: &str) -> Result<(), ApiError> {
    let Err(issues) = governance::parse(source.as_bytes()) else { return Ok(()) };
    let message = format!("the policy has {} faults", issues.len());
    let issues: Vec<_> = issues.into_iter().map(ValidationIssue::from).collect();
    let error =
        ApiError::invalid("source", message).hint("`details.issues` names every fault with line and column");
    Err(error.with("issues", serde_json::to_value(&issues).unwrap_or_default()))
}

/// Says what the policies decide on an act, and why. Does nothing.
#[utoipa::path(
    post,
    path = "/api/v1/policies/explain",
    tag = "policies",
    operation_id = "explain_policy",
    request_body = Question,
    responses(
        (status = 200, description = "The decision, and what led to it.", body = Object)
    )
)]
async fn explain(
    State(state): State<AppState>,
    JsonBody(question): JsonBody<Question>,
) -> Result<Json<Value>, ApiError> {
    let explanation = serde_json::to_value(explained(&state, question));
    Ok(Json(explanation.map_err(|error| ApiError::unexpected(&error.to_string()))?))
}

/// What the policies in force decide on the act that `question` is about, and why.
pub(crate) fn explained(state: &AppState, question: Question) -> Explanation {
    let runtime = state.runtime();
    let stage = question.stage.map_or(runtime.env().stage.into(), NamedStage::from);
    let own_risk = runtime.registry().get(&question.action).map(|action| action.spec.risk);
    let actor = question.actor.filter(|actor| actor != Principal::LOCAL_OPERATOR);
    let context = Context {
        actor: actor.map_or_else(Identity::local_operator, |name| Identity::bare(Principal::new(name))),
        pou_id: None,
        env_id: runtime.env().env_id.clone(),
        action: question.action,
        stage,
        resource: question.resource.map(|Object(about)| Resource { kind: about.kind, id: about.id }),
        risk: question.risk.or(own_risk).unwrap_or_default(),
        artifacts: Vec::new(),
        session: runtime.session().map(|id| SessionFacts { id: Some(id), mfa: None }),
        now: runtime.clock().now(),
    };
    governance::explain(runtime.catalog().policies(), &context)
}
