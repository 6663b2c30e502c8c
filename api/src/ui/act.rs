//! Acts: what a person does on a page. One form is one intent of one action.
//!
//! A field of a form is a field of the action's input, with dots for what lies deeper (`inputs.host`); its
//! type is the one that the action's schema says, or the one behind a colon (`inputs.count:number`). Names
//! that begin with `~` are for this handler. Invariant: a form can do what the same request to the API
//! can, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::Value;
use xyn_actors::actions::{Action, Registry};
use xyn_store::projection::Subject;

use super::shell::Shell;
use crate::error::{ApiError, Code};
use crate::extract::{media_type, read_body, unsupported};
use crate::headers::Caller;
use crate::limits::BODY_MAX_BYTES;
use crate::state::AppState;

mod cli;
mod confirm;
mod input;

pub(super) use input::name_of;

const FORM: &str = "application/x-www-form-urlencoded";

/// Where an action is done that has no route of its own: as an intent by its name.
const INTENTS: &str = "/api/v1/intents";

/// Where the API does each action, and what it takes.
#[derive(Clone)]
pub(super) struct Directory(Arc<BTreeMap<&'static str, Known>>);

struct Known {
    path: String,
    types: String,
}

impl Directory {
    /// The actions of `registry`, with their routes in an OpenAPI document.
    pub(super) fn of(document: &Value, registry: &Registry) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let route = |(path, methods): (&String, &Value)| {
            let action = methods["post"]["x-xyn-action"].as_str()?;
            Some((action.to_owned(), path.clone()))
        };
        // Events come in by a route that reads more shapes than the action's.
        let emit = ("events.emit".to_owned(), "/api/v1/events".to_owned());
        let mut routes: BTreeMap<_, _> = paths.filter_map(route).chain([emit]).collect();
        let known = |action: &Action| {
            let path = routes.remove(action.spec.name).unwrap_or_else(|| INTENTS.to_owned());
            (action.spec.name, Known { path, types: input::types(&action.spec.input_schema) })
        };
        Self(Arc::new(registry.iter().map(known).collect()))
    }

    /// A form that does `action` with `fields`, which nobody changes, and then leads to `next`.
    pub(super) fn act(&self, action: &'static str, fields: &[(&str, &str)], next: impl Into<String>) -> Act {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let known = self.0.get(action);
        let (path, types) = known.map_or((INTENTS, ""), |known| (&known.path, &known.types));
        let (path, types) = (path.to_owned(), types.to_owned());
        Act { action, path, types, cli: cli::line(action), fields, next: next.into() }
    }

    /// The form that says again what `form` said.
    fn again(&self, action: &'static str, form: &[(String, String)]) -> Act {
        let (own, said): (Vec<_>, Vec<_>) = form.iter().partition(|(name, _)| name.starts_with('~'));
        let fields: Vec<_> = said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let next = own.iter().find(|(name, _)| name == "~next").map_or("/ui/events", |(_, next)| next);
        self.act(action, &fields, next)
    }
}

/// What a form said that was refused, for the page that takes it again.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) page: &'static str,
    pub(super) fields: Vec<(String, String)>,
}

impl Refused {
    /// `form` for the page where it was written; none of acts that nobody writes a text for.
    fn of(action: &str, mut form: Vec<(String, String)>) -> Option<Self> {
        let page = match action {
            "policies.activate" => "/ui/policies/edit",
            "drafts.save" | "blueprints.validate" | "blueprints.promote" => "/ui/blueprints/edit",
            _ => return None,
        };
        form.retain(|(name, _)| !name.starts_with('~'));
        Some(Self { page, fields: form })
    }
}

/// A form for one action, and the same act for the shell.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) action: &'static str,
    /// The API's path, with the fields that are in it in braces.
    pub(super) path: String,
    /// The types of its fields that are no text: `generation=integer port=integer`.
    pub(super) types: String,
    /// The command, with fields in braces and what may be left out in brackets; empty when there is none.
    pub(super) cli: &'static str,
    /// What the form always sends.
    pub(super) fields: Vec<(String, String)>,
    /// The page behind it. Fields of the action's output in braces are filled in.
    pub(super) next: String,
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/do/{action}", post(perform))
}

async fn perform(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Path(action): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let kind = media_type(&parts.headers);
    if kind.as_deref() != Some(FORM) {
        return Err(unsupported(kind.as_deref(), FORM));
    }
    let body = read_body(&parts.headers, body, BODY_MAX_BYTES).await?;
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let known = state.runtime().registry().get(&action);
    let known = known.ok_or_else(|| ApiError::not_found("action", &action))?;
    let outcome = match input::of(&known.spec.input_schema, &form) {
        Ok(input) => state.submit(caller.intent(&state, action.clone(), input)).await,
        Err(error) => Err(error),
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) if error.fault().code == Code::ConfirmationRequired => {
            let act = directory.again(known.spec.name, &form);
            return confirm::page(shell, act, error.fault(), &parts.headers);
        }
        Err(error) => {
            let mut response = error.into_response();
            if let Some(refused) = Refused::of(&action, form) {
                response.extensions_mut().insert(refused);
            }
            return Ok(response);
        }
    };
    let next = form.iter().find(|(name, _)| name == "~next").map_or("/ui/events", |(_, next)| next);
    let mut names = named(&outcome.subject, &outcome.output);
    names.entry("intent_id".to_owned()).or_insert_with(|| outcome.intent_id.to_string());
    Ok(Redirect::to(&local(&filled(next, &names), &action)).into_response())
}

/// What the page behind an act may be named by.
fn named(subject: &Subject, output: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = output.as_object().into_iter().flatten();
    let mut names: BTreeMap<_, _> = fields.map(|(name, value)| (name.clone(), text(value))).collect();
    let (name, id) = match subject {
        Subject::Event(id) => ("event_id", id.to_string()),
        Subject::Run(id) | Subject::Gate(id, _) => ("run_id", id.to_string()),
        Subject::Artifact(id) => ("artifact_id", id.to_string()),
        Subject::Draft(id) => ("draft_id", id.to_string()),
        Subject::Blueprint(id, _) => ("blueprint_id", id.clone()),
        Subject::Policy(id, _) => ("policy_id", id.clone()),
        Subject::Intent(id) => ("intent_id", id.to_string()),
    };
    names.insert(name.to_owned(), id);
    names
}

/// `template` with `{name}` replaced by the percent-encoded value of that name.
fn filled(template: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(template.to_owned(), |path, (name, value)| {
        let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        path.replace(&format!("{{{name}}}"), &value.replace('+', "%20"))
    })
}

/// `path` when it is a page of Studio, with what was done; a form cannot lead elsewhere.
pub(super) fn local(path: &str, done: &str) -> String {
    let is_ours =
        path.starts_with("/ui/") && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = if is_ours { path } else { "/ui/events" };
    let (path, place) = path.split_once('#').unwrap_or((path, ""));
    let sign = if path.contains('?') { '&' } else { '?' };
    let done = if done.is_empty() { String::new() } else { format!("{sign}done={done}") };
    let place = if place.is_empty() { String::new() } else { format!("#{place}") };
    format!("{path}{done}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_knows_its_route_and_the_types_of_its_fields() {
        let registry = xyn_actors::actions::builtin();
        let directory = Directory::of(&crate::document(&registry), &registry);
        let deploy = directory.act("capsule.deploy", &[], "");
        assert_eq!(deploy.path, "/api/v1/deployments");
        let types: Vec<_> = deploy.types.split(' ').collect();
        assert!(types.contains(&"port=integer") && !deploy.types.contains("stage"), "{types:?}");
    }

    #[test]
    fn a_form_leads_to_pages_of_studio_only() {
        assert_eq!(local("/ui/runs/1", "runs.cancel"), "/ui/runs/1?done=runs.cancel");
        assert_eq!(local("/ui/runs?a=b#steps", "runs.cancel"), "/ui/runs?a=b&done=runs.cancel#steps");
        for elsewhere in
            ["https://evil.example/", "//evil.example", "/api/docs", "", "/ui/\r\nX: y", "/ui/\\evil"]
        {
            assert_eq!(local(elsewhere, "x"), "/ui/events?done=x", "{elsewhere}");
        }
    }

    #[test]
    fn the_page_behind_an_act_is_named_by_what_it_brought_about() {
        let names = BTreeMap::from([("name".to_owned(), "a b/../c?".to_owned())]);
        assert_eq!(filled("/ui/capsules/{name}", &names), "/ui/capsules/a%20b%2F..%2Fc%3F");
    }
}
