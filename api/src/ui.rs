//! Studio: the pages of a node, rendered here, for people with a browser.
//!
//! One module per page reads rows and shows them; what a person wants done goes through one form handler
//! ([`act`]) to the Runtime like any other intent. A page is whole without JavaScript; regions of it that
//! may change come again when the journal has moved ([`live`]). Invariant: no page writes to the store, and
//! nothing that a peer, capsule or webhook wrote reaches a page unescaped.

mod act;
mod approvals;
mod artifacts;
mod assets;
mod audit;
mod bare;
mod blueprints;
mod capsules;
mod change;
mod deploys;
mod editor;
mod events;
mod fault;
mod file;
#[expect(unreachable_pub, reason = "the macro of filters writes functions that are `pub`")]
mod filters;
mod health;
mod kept;
mod legible;
mod lines;
mod live;
mod mesh;
mod policies;
mod query;
mod reviews;
mod runs;
mod settings;
mod shell;
mod talk;
mod timeline;
mod words;
mod workspaces;

pub(crate) use legible::Legible;

use axum::Router;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::{any, get};
use serde_json::Value;

use crate::state::AppState;

/// Studio's routes. `document` is the OpenAPI document, which knows the route of each action.
pub(crate) fn router(state: &AppState, document: &Value) -> Router<AppState> {
    let directory = act::Directory::of(document, state.runtime().registry());
    Router::new()
        .route("/", get(home))
        .route("/ui", get(home))
        .route("/ui/{*page}", any(bare::no_page))
        .merge(act::routes())
        .merge(assets::routes())
        .merge(bare::routes())
        .merge(live::routes())
        .merge(events::routes())
        .merge(runs::routes())
        .merge(artifacts::routes())
        .merge(approvals::routes())
        .merge(timeline::routes())
        .merge(workspaces::routes())
        .merge(reviews::routes())
        .merge(capsules::routes())
        .merge(deploys::routes())
        .merge(blueprints::routes())
        .merge(policies::routes())
        .merge(audit::routes())
        .merge(mesh::routes())
        .merge(health::routes())
        .merge(settings::routes())
        .layer(middleware::from_fn_with_state(state.clone(), fault::shown))
        .layer(axum::Extension(directory))
}

async fn home() -> Redirect {
    Redirect::to("/ui/events")
}
