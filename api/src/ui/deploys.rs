//! Deployments: what serves where, and what was not deployed.
//!
//! Invariant: whether something serves is asked of the node when the page is made, and not read from rows.

mod one;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use xyn_actors::events;
use xyn_actors::record::EventView;
use xyn_actors::services::deploy::{Place, Served};
use xyn_store::Order;
use xyn_store::projection::{Cursor, DeploymentRow, Release};
use xyn_store::scope::Stage;
use xyn_store::tables::Key;

use super::filters;
use super::query::{Pager, ROWS, parsed};
use super::shell::{Shell, render};
use super::words::{State as Standing, app_and_version};
use crate::error::ApiError;
use crate::extract::Params;
use crate::state::AppState;

/// Deployments that failed and stay pinned above the list.
const PINNED: usize = 3;
/// Events among which those are looked for.
const SEEN: usize = 20;
/// Why nothing happened, when somebody was only asked whether it is meant.
const ASKED: &str = "confirmation_required";
/// What an app passes on its way, in this order.
const STAGES: [Stage; 3] = [Stage::Dev, Stage::Staging, Stage::Prod];

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ui/deploys", get(list))
        .route("/ui/deploys/_list", get(list))
        .route("/ui/deploys/{deployment}", get(one::show))
        .route("/ui/deploys/{deployment}/_log", get(one::log))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ListQuery {
    cursor: String,
}

struct List {
    apps: Vec<App>,
    pager: Pager,
}

/// An app, and what serves of it in each stage.
struct App {
    app: String,
    stages: [(&'static str, Vec<Slot>); 3],
}

/// A deployment, as lists and its page show it.
struct Slot {
    place: String,
    row: DeploymentRow,
    version: String,
    before: String,
    url: String,
    fault: String,
    state: Standing,
}

/// A deployment that did not come about.
struct Failed {
    event: EventView,
    what: String,
    message: String,
}

#[derive(Template)]
#[template(path = "deploys.html")]
struct Page {
    shell: Shell,
    list: List,
    /// Read once, and not again whenever the journal moves.
    failed: Vec<Failed>,
}

#[derive(Template)]
#[template(path = "deploys.html", block = "list")]
struct Part {
    list: List,
}

async fn list(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<ListQuery>,
) -> Result<Response, ApiError> {
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let (at, is_part) = (cursor.clone(), shell.is_part);
    let read = state.scan(move |reader| {
        let rows =
            reader.page::<DeploymentRow>(&Key::new(), Order::Ascending, at.as_ref(), ROWS, |_| true)?;
        let name = "xyn.capsule.deploy.failed".parse().ok().filter(|_| !is_part);
        let failed = name.map(|name| events::newest(reader, &[name], SEEN)).transpose()?;
        Ok((rows, failed.unwrap_or_default()))
    });
    let (page, failed) = read.await?;
    let pager = Pager::of("/ui/deploys", &[], cursor.as_ref(), &page);
    let slots = page.items.into_iter().map(|row| Slot::of(&state, row));
    let list = List { apps: App::all(slots), pager };
    if shell.is_part {
        return render(&Part { list });
    }
    render(&Page { shell, list, failed: Failed::of(failed) })
}

impl App {
    /// The apps of `slots`, which come by app.
    fn all(slots: impl Iterator<Item = Slot>) -> Vec<Self> {
        let mut apps: Vec<Self> = Vec::new();
        for slot in slots {
            if apps.last().is_none_or(|app| app.app != slot.row.app) {
                let stages = STAGES.map(|stage| (stage.as_str(), Vec::new()));
                apps.push(Self { app: slot.row.app.clone(), stages });
            }
            let mut stages = apps.last_mut().map(|app| &mut app.stages).into_iter().flatten();
            if let Some((_, slots)) = stages.find(|(stage, _)| *stage == slot.row.stage.as_str()) {
                slots.push(slot);
            }
        }
        apps
    }
}

impl Slot {
    fn of(state: &AppState, row: DeploymentRow) -> Self {
        let place = Place::of(&row);
        let (url, fault, standing) = match state.runtime().served(&place) {
            Served::At(url) => (url, String::new(), Standing::new("serving", "ok")),
            Served::Not(why) => (String::new(), why, Standing::new("not served", "bad")),
        };
        let version = |release: &Release| app_and_version(&release.id).1;
        Self {
            place: place.to_string(),
            version: version(&row.current),
            before: row.previous.as_ref().map(version).unwrap_or_default(),
            row,
            url,
            fault,
            state: standing,
        }
    }
}

impl Failed {
    /// The last of `events` that say more than that somebody was asked.
    fn of(events: Vec<EventView>) -> Vec<Self> {
        let failed = events.into_iter().filter_map(|event| {
            let data = event.data.to_value();
            let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
            let capsule = text("capsule");
            // One that was named by its digest is known by the end of it.
            let name = if capsule.len() == 64 { format!("…{}", &capsule[56..]) } else { capsule };
            let failed =
                Self { what: format!("{name} to {}", text("stage")), message: text("message"), event };
            (data["code"] != ASKED).then_some(failed)
        });
        failed.take(PINNED).collect()
    }
}
