//! Approvals: what waits for people, and their word on it.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use xyn_actors::runtime::Runtime;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::{EntryId, IntentId, RunId};
use xyn_store::projection::{Cursor, Page};
use xyn_store::timeline::approval::Question;
use xyn_store::{Reader, StoreError};

use super::Fields;
use crate::dto::{Approval, GateView, IntentView, QuestionView};
use crate::error::ApiError;
use crate::extract::{JsonBody, Object, Params, Parsed};
use crate::headers::Caller;
use crate::page::{self, Limit, Listing};
use crate::schema;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, answer))
}

/// What of all that waits a list shows.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::ApprovalsCursor, inline, required = false)]
    cursor: Option<Parsed<Place>>,
}

/// Where a page begins: gates come first, intents after them, and then what other nodes ask.
pub(crate) enum Place {
    Gates(Option<Cursor>),
    Intents(Option<Cursor>),
    Questions(Option<Cursor>),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cursor = |text: &str| text.parse::<Cursor>().map_err(|error| error.to_string());
        match text.split_at_checked(1) {
            Some(("g", rest)) => cursor(rest).map(|cursor| Self::Gates(Some(cursor))),
            Some(("i", "")) => Ok(Self::Intents(None)),
            Some(("i", rest)) => cursor(rest).map(|cursor| Self::Intents(Some(cursor))),
            Some(("q", "")) => Ok(Self::Questions(None)),
            Some(("q", rest)) => cursor(rest).map(|cursor| Self::Questions(Some(cursor))),
            _ => cursor("").map(|cursor| Self::Gates(Some(cursor))),
        }
    }
}

/// A person's word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWord {
    gate: Option<Object<GateRef>>,
    intent_id: Option<Parsed<IntentId>>,
    approve: bool,
    note: Option<String>,
}

/// A person's word on a gate or on a parked intent.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents that a word is about one thing")]
enum WordOn {
    /// On a gate.
    Gate(WordOnGate),
    /// On a parked intent.
    Intent(WordOnIntent),
}

/// A person's word on a gate.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents that a word is about one thing")]
struct WordOnGate {
    gate: GateRef,
    /// Whether it may go on.
    approve: bool,
    /// Why.
    #[schema(schema_with = schema::note, required = false)]
    note: Option<String>,
}

/// A person's word on a parked intent.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents that a word is about one thing")]
struct WordOnIntent {
    #[schema(schema_with = schema::id)]
    intent_id: IntentId,
    /// Whether it may go on.
    approve: bool,
    /// Why.
    #[schema(schema_with = schema::note, required = false)]
    note: Option<String>,
}

/// Names a gate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GateRef {
    #[schema(schema_with = schema::id)]
    run_id: Parsed<RunId>,
    /// The step's id; an item of a fan-out adds `.index`.
    #[schema(min_length = 1, max_length = 200)]
    step_id: String,
}

/// What a word brought about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what the action answers with")]
struct Verdict {
    /// `given` when another node asks: it decides when the word comes there.
    status: String,
    /// Approvals that are still needed, as far as this node knows.
    remaining: u32,
    /// The moment that is the word, when another node asks.
    #[schema(schema_with = schema::id, required = false)]
    entry_id: Option<EntryId>,
    /// The nodes that it travels to.
    #[schema(value_type = Vec<String>, required = false)]
    nodes: Vec<PublicKey>,
}

/// Everything that waits for people: open gates, then parked intents, each oldest first; then what other nodes
/// ask, newest first. A word on what another node asks travels there, and counts when it comes.
#[utoipa::path(
    get,
    path = "/api/v1/approvals",
    tag = "approvals",
    operation_id = "list_approvals",
    params(ListQuery),
    responses((status = 200, body = Listing<Approval>))
)]
async fn list(
    State(state): State<AppState>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Listing<Approval>>, ApiError> {
    let limit = page::rows(query.limit.as_ref());
    let place = query.cursor.map_or(Place::Gates(None), |place| place.0);
    let runtime = state.runtime().clone();
    Ok(Json(state.scan(move |reader| waiting(reader, &runtime, place, limit)).await?))
}

/// A page that begins at `place`, and goes on with the next list where one ends.
pub(crate) fn waiting(
    reader: &Reader,
    runtime: &Runtime,
    mut place: Place,
    limit: usize,
) -> Result<Listing<Approval>, StoreError> {
    let mut items = Vec::new();
    loop {
        let room = limit - items.len();
        let (next, behind) = match &place {
            Place::Gates(from) => {
                let gates = reader.open_gates(from.as_ref(), room)?;
                items.extend(gates.items.into_iter().map(|row| Approval::Gate(GateView::from(row))));
                (gates.next.map(|next| format!("g{next}")), Some(("i", Place::Intents(None))))
            }
            Place::Intents(from) => {
                let intents = reader.parked_intents(from.as_ref(), room)?;
                items.extend(intents.items.into_iter().map(|row| Approval::Intent(IntentView::from(row))));
                (intents.next.map(|next| format!("i{next}")), Some(("q", Place::Questions(None))))
            }
            Place::Questions(from) => {
                let Page { items: asked, next } = questions(reader, runtime, from.as_ref(), room)?;
                let shown = |question| Approval::Question(Box::new(QuestionView::from(question)));
                items.extend(asked.into_iter().map(shown));
                (next.map(|next| format!("q{next}")), None)
            }
        };
        match (next, behind) {
            (None, Some((_, list))) if items.len() < limit => place = list,
            (None, Some((name, _))) => {
                return Ok(Listing { items, next_cursor: Some(name.to_owned()) });
            }
            (next_cursor, _) => return Ok(Listing { items, next_cursor }),
        }
    }
}

fn questions(
    reader: &Reader,
    runtime: &Runtime,
    from: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Question>, StoreError> {
    let own = runtime.store().key().public();
    match runtime.roster(reader)? {
        Some(roster) => reader.questions_elsewhere(own, &roster, from, limit),
        None => Ok(Page { items: Vec::new(), next: None }),
    }
}

/// Approves or rejects at a gate, or a parked intent.
#[utoipa::path(
    post,
    path = "/api/v1/approvals",
    tag = "approvals",
    operation_id = "answer_approval",
    extensions(("x-xyn-intent" = json!(true))),
    request_body = WordOn,
    responses((status = 200, body = Verdict), (status = 404))
)]
async fn answer(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(word): JsonBody<NewWord>,
) -> Result<Json<Value>, ApiError> {
    let (action, mut input) = target(&word)?;
    input.insert("approve".to_owned(), word.approve.into());
    if let Some(note) = word.note {
        input.insert("note".to_owned(), note.into());
    }
    Ok(Json(state.submit(caller.intent(&state, action, input.into())).await?.output))
}

fn target(word: &NewWord) -> Result<(&'static str, Fields), ApiError> {
    let (action, about) = match (&word.gate, &word.intent_id) {
        (Some(Object(gate)), None) => {
            ("gates.answer", vec![("run_id", json!(gate.run_id.0)), ("step_id", json!(gate.step_id))])
        }
        (None, Some(Parsed(intent_id))) => ("intents.answer", vec![("intent_id", json!(intent_id))]),
        _ => {
            return Err(ApiError::invalid(
                "gate",
                "a word is about a `gate` or an `intent_id`, and not both",
            ));
        }
    };
    Ok((action, about.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_about_one_thing() {
        let run_id: RunId = "0190f5fe-7c00-7a00-8000-000000000001".parse().expect("an id");
        let intent_id: IntentId = "0190f5fe-7c00-7a00-8000-000000000002".parse().expect("an id");
        let word = |gate: bool, intent: bool| NewWord {
            gate: gate.then(|| Object(GateRef { run_id: Parsed(run_id), step_id: "approve".into() })),
            intent_id: intent.then_some(Parsed(intent_id)),
            approve: true,
            note: None,
        };
        let (action, input) = target(&word(true, false)).expect("fits");
        assert_eq!((action, &input["step_id"]), ("gates.answer", &json!("approve")));
        let (action, input) = target(&word(false, true)).expect("fits");
        assert_eq!((action, &input["intent_id"]), ("intents.answer", &json!(intent_id)));
        assert!(target(&word(true, true)).is_err());
        assert!(target(&word(false, false)).is_err());
    }

    #[test]
    fn a_place_says_which_of_both_lists_it_is_in() {
        assert!(matches!("g00ff".parse(), Ok(Place::Gates(Some(_)))));
        assert!(matches!("i".parse(), Ok(Place::Intents(None))));
        assert!(matches!("i00ff".parse(), Ok(Place::Intents(Some(_)))));
        assert!(matches!("q".parse(), Ok(Place::Questions(None))));
        assert!(matches!("q00ff".parse(), Ok(Place::Questions(Some(_)))));
        for text in ["", "g", "00ff", "ixx", "x00", "é"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
