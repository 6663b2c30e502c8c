//! One capsule: what was checked, what it says of itself and others say of it, and what can be done with it.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use xyn_actors::runtime::Runtime;
use xyn_actors::services::capsules::{self, CapsuleName, Found};
use xyn_actors::services::deploy::Place;
use xyn_store::audit::signature::PublicKey;
use xyn_store::ids::IntentId;
use xyn_store::projection::{CapsuleRow, DeploymentRow, IntentRow, IntentStatus, Origin};
use xyn_store::tables::Key;
use xyn_store::timeline::entry::Entry;
use xyn_store::{Order, Reader, StoreError, Timestamp};

use super::inside::{Claim, File, Inside, Package, Slice};
use super::said::Said;
use super::{Row, scope};
use crate::error::ApiError;
use crate::extract::{Params, PathId};
use crate::state::{AppState, blocking};
use crate::ui::act::{Act, Directory};
use crate::ui::filters;
use crate::ui::query::parsed;
use crate::ui::shell::{Shell, render};
use crate::ui::words::Excerpt;

/// Other capsules of the app that it may be held against.
const OTHERS: usize = 25;
/// Deployments of the app that are looked at.
const PLACES: usize = 12;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::ui) struct OneQuery {
    /// Which part of it.
    show: String,
    /// The intent that proved it just now.
    verified: String,
    /// What names must hold.
    find: String,
    /// Number of the first row.
    from: String,
}

/// The parts of a capsule, by the words of their tabs.
const PARTS: [(&str, &str); 5] = [
    ("", "Overview"),
    ("provenance", "Provenance"),
    ("packages", "Packages"),
    ("files", "Files"),
    ("manifest", "Manifest"),
];

#[derive(Template)]
#[template(path = "capsule.html")]
struct Page {
    shell: Shell,
    query: OneQuery,
    known: Known,
    part: View,
    verify: Act,
    deploy: Act,
}

/// A capsule that is not here.
#[derive(Template)]
#[template(path = "capsule-elsewhere.html")]
struct Elsewhere {
    shell: Shell,
    row: Row,
    entry: Entry,
    pull: Act,
}

/// The part that is shown.
enum View {
    Overview(Box<Said>, usize),
    /// What is said of it, and how much more of that there is.
    Provenance(Vec<Claim>, usize),
    Packages(Slice<Package>),
    Files(Slice<File>),
    Manifest(Excerpt),
}

/// What rows say of a capsule that is here.
struct Known {
    row: CapsuleRow,
    signers: Vec<Signer>,
    others: Vec<CapsuleRow>,
    serves: Vec<String>,
    checked: Checked,
}

/// A key whose signature was counted, and whose it is.
struct Signer {
    key: PublicKey,
    name: String,
}

/// When it was proved, by whom, and what was read.
struct Checked {
    how: &'static str,
    at: Timestamp,
    by: String,
    files: u64,
    content_bytes: u64,
    stored_bytes: u64,
}

pub(super) async fn show(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    PathId(name): PathId<CapsuleName>,
    Params(query): Params<OneQuery>,
) -> Result<Response, ApiError> {
    let verified = parsed::<IntentId>("verified", &query.verified)?;
    let from = parsed::<usize>("from", &query.from)?.unwrap_or_default();
    let (wanted, runtime) = (name.clone(), state.runtime().clone());
    let found = state.scan(move |reader| match capsules::find(reader, &wanted)? {
        Some(Found::Here(row)) => Ok(Ok(Known::read(reader, &runtime, *row)?)),
        Some(Found::Elsewhere(entry)) => Ok(Err(Some(entry))),
        None => Ok(Err(None)),
    });
    let mut known = match found.await? {
        Ok(known) => known,
        Err(entry) => return elsewhere(&directory, shell, &name, entry.map(|entry| *entry)),
    };
    if let Some(checked) = verified.map(|intent| Checked::by(&state, &known.row, intent)).transpose()? {
        known.checked = checked.unwrap_or(known.checked);
    }
    let (store, row, asked) =
        (state.runtime().store().clone(), known.row.clone(), (query.show.clone(), query.find.clone()));
    let part = blocking(move || {
        let inside = Inside::read(store.blobs(), &row)?;
        let (show, find) = asked;
        Ok(match show.as_str() {
            "provenance" => {
                let (claims, more) = inside.claims();
                View::Provenance(claims, more)
            }
            "packages" => View::Packages(inside.packages(find.trim(), from)),
            "files" => View::Files(inside.files(find.trim(), from)?),
            "manifest" => View::Manifest(inside.document()),
            _ => View::Overview(Box::new(Said::of(&inside.manifest)), inside.manifest.attestations.len()),
        })
    });
    let part = part.await?;
    let capsule = known.row.capsule.to_string();
    let fields = [("capsule", capsule.as_str())];
    let next = format!("/ui/capsules/{capsule}?verified={{intent_id}}");
    let verify = directory.act("capsule.verify", &fields, next);
    let deploy = directory.act("capsule.deploy", &fields, "/ui/deploys/{deployment}");
    render(&Page { shell, query, known, part, verify, deploy })
}

/// The page of a capsule that members offer.
fn elsewhere(
    directory: &Directory,
    shell: Shell,
    name: &CapsuleName,
    entry: Option<Entry>,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found("capsule", &name.to_string());
    let entry = entry.ok_or_else(missing)?;
    let row = Row::offered(entry.clone()).ok_or_else(missing)?;
    let capsule = row.capsule.to_string();
    let pull = directory.act("capsule.pull", &[("capsule", &capsule)], "/ui/capsules/{capsule}");
    render(&Elsewhere { shell, row, entry, pull })
}

impl Page {
    fn parts(&self) -> &'static [(&'static str, &'static str)] {
        &PARTS
    }

    /// Where the list that is shown goes on.
    fn link(&self, from: Option<usize>) -> String {
        let Some(from) = from else { return String::new() };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("show", &self.query.show);
        if !self.query.find.is_empty() {
            query.append_pair("find", &self.query.find);
        }
        if from > 0 {
            query.append_pair("from", &from.to_string());
        }
        format!("/ui/capsules/{}?{}", self.known.row.capsule, query.finish())
    }

    fn follows(&self, other: &CapsuleRow) -> bool {
        self.known.row.parent == Some(other.capsule)
    }

    fn scope(&self) -> &'static str {
        scope(self.known.row.visibility)
    }

    fn origin(&self) -> &'static str {
        match self.known.row.origin {
            Origin::Packed => "packed here",
            Origin::Imported => "came as a file",
            Origin::Pulled => "fetched from members",
        }
    }
}

impl Known {
    fn read(reader: &Reader, runtime: &Runtime, row: CapsuleRow) -> Result<Self, StoreError> {
        let roster = runtime.roster(reader)?;
        let signer = |key: &PublicKey| {
            let member = roster.as_ref().and_then(|roster| roster.member(*key));
            let name = member.map_or("nobody of this environment".to_owned(), |it| it.principal.to_string());
            Signer { key: *key, name }
        };
        let signers = row.signers.iter().map(signer).collect();
        let mut others = reader.capsules(Some(&row.app), None, OTHERS)?.items;
        others.retain(|other| other.capsule != row.capsule);
        let at_app = Key::new().text(&row.app);
        let rows: Vec<DeploymentRow> = reader.page(&at_app, Order::Ascending, None, PLACES, |_| true)?.items;
        let serves = rows.iter().filter(|place| place.current.capsule == row.capsule);
        let serves = serves.map(|place| Place::of(place).to_string()).collect();
        let checked = Checked::on_arrival(&row);
        Ok(Self { row, signers, others, serves, checked })
    }
}

impl Checked {
    /// That it was proved when it came.
    fn on_arrival(row: &CapsuleRow) -> Self {
        Self {
            how: "when it came here",
            at: row.kept_at,
            by: row.kept_by.to_string(),
            files: row.files,
            content_bytes: row.content_bytes,
            stored_bytes: row.size_bytes,
        }
    }

    /// That `intent` proved it, if it did.
    fn by(state: &AppState, row: &CapsuleRow, intent: IntentId) -> Result<Option<Self>, ApiError> {
        let found: Option<IntentRow> = state.read(|reader| reader.get(&IntentRow::key_of(intent)))?;
        let proves = |it: &IntentRow| it.action == "capsule.verify" && it.status == IntentStatus::Completed;
        let Some(intent) = found.filter(proves) else { return Ok(None) };
        let store = state.runtime().store();
        let output = intent.output.as_ref().map(|output| store.payload(output)).transpose()?;
        let output: Value = output.map(|output| output.to_value()).unwrap_or_default();
        let count = |name: &str| output[name].as_u64().unwrap_or_default();
        let is_this = output["capsule"].as_str() == Some(&row.capsule.to_string());
        Ok(is_this.then(|| Self {
            how: "once more, by this act",
            at: intent.at,
            by: intent.actor.to_string(),
            files: count("files"),
            content_bytes: count("size_bytes"),
            stored_bytes: count("stored_bytes"),
        }))
    }
}
