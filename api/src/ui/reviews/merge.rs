//! A branch that is joined into another: what it brings, and where people have to say whose change is right.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use xyn_actors::services::timeline::{Conflict, Preview};
use xyn_store::ids::EntryId;
use xyn_store::timeline::entry::Branch;

use super::super::act::{Act, Directory, name_of};
use super::super::change::{self, Changes};
use super::super::query::parsed;
use super::super::shell::{Shell, render};
use super::filters;
use crate::error::ApiError;
use crate::extract::Params;
use crate::state::AppState;

/// Conflicts that one page lets people settle; of more, one side is favoured as a whole.
const CONFLICTS_MAX: usize = 100;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/ui/reviews/merge", get(merge))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    from: String,
    into: String,
}

#[derive(Template)]
#[template(path = "merge.html")]
struct Page {
    shell: Shell,
    from: Branch,
    into: Branch,
    preview: Preview,
    /// What the branch brings, since both went their ways.
    changes: Changes,
    conflicts: Vec<Clash>,
    /// Conflicts that are not listed.
    hidden: usize,
    act: Act,
}

/// A conflict, as it is asked about.
struct Clash {
    place: String,
    why: &'static str,
    /// The name of the field that says whose change is right.
    field: String,
    ours: String,
    theirs: String,
    /// To what differs between the sides.
    href: String,
}

async fn merge(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let from: Option<Branch> = parsed("from", &query.from)?;
    let from = from.ok_or_else(|| ApiError::invalid("from", "which branch is joined is not said"))?;
    let into = parsed("into", &query.into)?.unwrap_or_else(Branch::main);
    let preview = state.runtime().preview_merge(from.clone(), into.clone()).await?;
    let blobs = state.runtime().store().blobs().clone();
    let (base, theirs) = (preview.base, preview.theirs);
    let changes = state.scan(move |reader| {
        let [before, after] = [base, Some(theirs)].map(|at| change::state_at(reader, at));
        Ok(change::between(&blobs, &before?, &after?, &compare(base, theirs), None))
    });
    let changes = changes.await?;
    let page = compare(Some(preview.ours), theirs);
    let conflicts = preview.conflicts.iter().take(CONFLICTS_MAX).map(|it| Clash::of(it, &page)).collect();
    let hidden = preview.conflicts.len().saturating_sub(CONFLICTS_MAX);
    let fields = [("from", from.as_str()), ("into", into.as_str())];
    let act = directory.act("timeline.merge", &fields, "/ui/timeline?at={entry_id}");
    render(&Page { shell, from, into, preview, changes, conflicts, hidden, act })
}

/// The page that compares two moments.
fn compare(from: Option<EntryId>, to: EntryId) -> String {
    let from = from.map_or_else(|| "none".to_owned(), |from| from.to_string());
    format!("/ui/timeline/diff?from={from}&to={to}")
}

impl Clash {
    fn of(conflict: &Conflict, page: &str) -> Self {
        let Conflict { workspace, conflict: at } = conflict;
        let side = |entry: Option<xyn_capsules::tree::Entry>| {
            entry.map_or_else(|| "removed".to_owned(), |entry| super::super::words::size(entry.size_bytes))
        };
        let why = match conflict.clash() {
            "content" => "both changed it differently",
            "removed" => "one side removed what the other changed",
            "shape" => "one side made it a file, the other a folder or a link",
            "mode" => "both added it, and only one can be run",
            _ => "both added names that some file systems take for one",
        };
        let place = conflict.place();
        let href = change::link(page, workspace.as_deref().unwrap_or_default(), &at.path);
        let field = name_of(&["sides", &place]);
        Self { why, field, ours: side(at.ours), theirs: side(at.theirs), href, place }
    }
}
