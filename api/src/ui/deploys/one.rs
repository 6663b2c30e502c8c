//! One deployment: what serves, what served before, how it came to it, and what its processes say.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use xyn_actors::events;
use xyn_actors::record::EventView;
use xyn_actors::services::capsules::{CapsuleName, find_here};
use xyn_actors::services::deploy::{DeploymentName, Place};
use xyn_store::projection::{CapsuleRow, DeploymentRow, Target};
use xyn_store::scope::Stage;
use xyn_store::{Reader, StoreError};

use super::{ASKED, Slot};
use crate::error::ApiError;
use crate::extract::PathId;
use crate::routes::deployments::{log_of, row};
use crate::state::AppState;
use crate::ui::act::{Act, Directory};
use crate::ui::filters;
use crate::ui::shell::{Shell, render};
use crate::ui::words::{State as Standing, app_and_version};

/// Capsules of the app that may be deployed next.
const CHOICES: usize = 25;
/// Events of deployments that are looked at for those of one.
const SEEN: usize = 200;
/// Events that are shown.
const TOLD: usize = 12;
/// Bytes of a log that a page shows.
const LOG_BYTES: usize = 24 << 10;

#[derive(Template)]
#[template(path = "deploy.html")]
struct Page {
    shell: Shell,
    now: Now,
    /// Read once, and not again whenever the journal moves.
    events: Vec<Told>,
    log: Log,
    choices: Vec<CapsuleRow>,
    deploy: Act,
}

#[derive(Template)]
#[template(path = "deploy.html", block = "now")]
struct Part {
    now: Now,
}

#[derive(Template)]
#[template(path = "deploy.html", block = "log")]
struct LogPart {
    log: Log,
}

/// How the deployment stands.
struct Now {
    slot: Slot,
    rollback: Option<Act>,
}

/// Something that happened to it.
struct Told {
    event: EventView,
    state: Standing,
    what: String,
    gates: Vec<Gate>,
}

/// A gate, and what was found there.
struct Gate {
    name: String,
    verdict: Standing,
    why: String,
}

/// The last that was said.
struct Log {
    place: String,
    /// Whether something runs that may say something.
    is_live: bool,
    text: String,
}

pub(super) async fn show(
    State(state): State<AppState>,
    Extension(directory): Extension<Directory>,
    shell: Shell,
    PathId(name): PathId<DeploymentName>,
) -> Result<Response, ApiError> {
    let row = row(&state, &name)?;
    let slot = Slot::of(&state, row.clone());
    let fields = [("app", row.app.as_str()), ("stage", row.stage.as_str()), ("target", row.target.as_str())];
    let here = format!("/ui/deploys/{}", slot.place);
    let rollback = row.previous.is_some().then(|| directory.act("capsule.rollback", &fields, here.clone()));
    let now = Now { slot, rollback };
    if shell.is_part {
        return render(&Part { now });
    }
    let wanted = row.clone();
    let read = state.scan(move |reader| {
        Ok((told(reader, &wanted)?, reader.capsules(Some(&wanted.app), None, CHOICES)?.items))
    });
    let (events, choices) = read.await?;
    let deploy = directory.act("capsule.deploy", &fields[1..], here);
    let log = Log::read(&state, &row).await?;
    render(&Page { shell, now, events, log, choices, deploy })
}

/// The log of a deployment, as a part of its page.
pub(super) async fn log(
    State(state): State<AppState>,
    PathId(name): PathId<DeploymentName>,
) -> Result<Response, ApiError> {
    let row = row(&state, &name)?;
    render(&LogPart { log: Log::read(&state, &row).await? })
}

impl Log {
    async fn read(state: &AppState, row: &DeploymentRow) -> Result<Self, ApiError> {
        let (place, is_live) = (Place::of(row), row.target == Target::Process);
        let name = place.to_string();
        let text = if is_live { log_of(state, place, LOG_BYTES).await? } else { String::new() };
        Ok(Self { place: name, is_live, text })
    }
}

impl Now {
    fn is_prod(&self) -> bool {
        self.slot.row.stage == Stage::Prod
    }

    /// What a rollback does, in a sentence.
    fn warning(&self) -> String {
        let row = &self.slot.row;
        let asks = if self.is_prod() { " Production asks once more." } else { "" };
        let before = row.previous.as_ref().map(|previous| previous.generation).unwrap_or_default();
        format!(
            "{} {} (generation {before}) serves again in {}, in place of {}. Data stays as it is, unless you ask for its \
             seeds.{asks}",
            row.app,
            self.slot.before,
            row.stage.as_str(),
            self.slot.version,
        )
    }
}

/// What happened to the deployment of `row`, newest first.
fn told(reader: &Reader, row: &DeploymentRow) -> Result<Vec<Told>, StoreError> {
    let names = ["xyn.capsule.deploy.*", "xyn.capsule.rolled_back"];
    let names: Vec<_> = names.into_iter().filter_map(|name| name.parse().ok()).collect();
    let place = Place::of(row).to_string();
    let mut found = Vec::new();
    for event in events::newest(reader, &names, SEEN)? {
        let data = event.data.to_value();
        let is_ours = match &event.resource {
            Some(about) => about.id == place,
            None => event.event_name == "xyn.capsule.deploy.failed" && is_of(reader, row, &data)?,
        };
        if is_ours {
            found.push(Told::of(event, &data));
        }
        if found.len() == TOLD {
            break;
        }
    }
    Ok(found)
}

/// Whether a deployment that failed was meant for the place of `row`.
fn is_of(reader: &Reader, row: &DeploymentRow, data: &Value) -> Result<bool, StoreError> {
    let name = data["capsule"].as_str().and_then(|name| name.parse::<CapsuleName>().ok());
    let Some(name) = name.filter(|_| data["stage"] == row.stage.as_str()) else { return Ok(false) };
    Ok(find_here(reader, &name, |_| true)?.is_some_and(|capsule| capsule.app == row.app))
}

impl Told {
    fn of(event: EventView, data: &Value) -> Self {
        let state = match &*event.event_name {
            "xyn.capsule.deploy.completed" => Standing::new("deployed", "ok"),
            "xyn.capsule.deploy.failed" if data["code"] == ASKED => Standing::new("asked to confirm", "wait"),
            "xyn.capsule.deploy.failed" => Standing::new("failed", "bad"),
            "xyn.capsule.rolled_back" if data["seeds_again"] == true => {
                Standing::new("rolled back, seeds again", "idle")
            }
            "xyn.capsule.rolled_back" => Standing::new("rolled back", "idle"),
            _ => Standing::new("accepted", "work"),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let what = match data["id"].as_str() {
            Some(id) => app_and_version(id).1,
            None if data["code"] == ASKED => "It was shown what would happen; nothing did.".to_owned(),
            None => text(&data["message"]),
        };
        let gates = data["gates"].as_array().into_iter().flatten().map(|gate| Gate {
            name: text(&gate["gate"]),
            verdict: match gate["verdict"].as_str() {
                Some("passed") => Standing::new("passed", "ok"),
                Some("stopped") => Standing::new("stopped", "bad"),
                _ => Standing::new("skipped", "idle"),
            },
            why: text(&gate["why"]),
        });
        Self { gates: gates.collect(), what, state, event }
    }
}
