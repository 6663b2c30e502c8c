//! What every page has around it: the places to go to, the theme, what was just done, what waits.

use std::convert::Infallible;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::{Html, IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};

use super::assets;
use crate::error::ApiError;
use crate::state::AppState;

/// The header by which a part of a page is asked for instead of the whole.
pub(super) const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");

/// Rows that are looked at to say how many wait.
const WAITING_MAX: usize = 99;

/// A group of places in the rail.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) places: &'static [Place],
}

/// A page that the rail leads to.
pub(super) struct Place {
    /// The page's path below `/ui/`, and the name of its icon.
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    /// The key that leads there, behind `g`.
    pub(super) key: char,
}

const fn place(slug: &'static str, name: &'static str, key: char) -> Place {
    Place { slug, name, key }
}

static GROUPS: [Group; 5] = [
    Group {
        name: "Work",
        places: &[
            place("events", "Console", 'e'),
            place("runs", "Runs", 'r'),
            place("artifacts", "Artifacts", 'a'),
            place("approvals", "Approvals", 'p'),
        ],
    },
    Group {
        name: "Time",
        places: &[
            place("timeline", "Time Machine", 't'),
            place("workspaces", "Workspaces", 'w'),
            place("reviews", "Reviews", 'v'),
        ],
    },
    Group { name: "Ship", places: &[place("capsules", "Capsules", 'c'), place("deploys", "Deploys", 'd')] },
    Group {
        name: "Rules",
        places: &[
            place("blueprints", "Blueprints", 'b'),
            place("policies", "Policies", 'l'),
            place("audit", "Audit", 'u'),
        ],
    },
    Group {
        name: "Node",
        places: &[
            place("mesh", "Mesh", 'm'),
            place("health", "Health", 'h'),
            place("settings", "Settings", 's'),
        ],
    },
];

/// What surrounds a page.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// `dark` or `light`.
    pub(super) theme: &'static str,
    /// The place whose page this is: its slug.
    pub(super) at: String,
    /// Path and query of this page, to come back to.
    pub(super) here: String,
    /// What the act that led here did.
    pub(super) done: Option<&'static str>,
    /// How many gates and intents wait for somebody.
    pub(super) waiting: usize,
    pub(super) env_id: String,
    /// Whether only a part of the page is wanted.
    pub(super) is_part: bool,
}

impl FromRequestParts<AppState> for Shell {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.path(), parts.uri.query(), &parts.headers, state))
    }
}

impl Shell {
    /// What surrounds the page at `path`.
    pub(super) fn of(path: &str, query: Option<&str>, headers: &HeaderMap, state: &AppState) -> Self {
        let at = path.trim_start_matches("/ui/").split('/').next().unwrap_or_default().to_owned();
        let query = query.unwrap_or_default();
        let (done, kept): (Vec<_>, Vec<_>) =
            form_urlencoded::parse(query.as_bytes()).partition(|(name, _)| name == "done");
        let done = done.first().and_then(|(_, action)| state.runtime().registry().get(action));
        let here = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        let is_part = headers.contains_key(HX_REQUEST);
        let waiting = if is_part { 0 } else { waiting(state).unwrap_or_default() };
        Self {
            theme: theme_of(headers),
            at,
            here: if here.is_empty() { path.to_owned() } else { format!("{path}?{here}") },
            done: done.map(|action| action.spec.description),
            waiting,
            env_id: state.runtime().env().env_id.clone(),
            is_part,
        }
    }

    pub(super) fn groups(&self) -> &'static [Group] {
        &GROUPS
    }

    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::href(name)
    }

    pub(super) fn has_htmx(&self) -> bool {
        assets::has_htmx()
    }

    pub(super) fn other_theme(&self) -> &'static str {
        if self.theme == "dark" { "light" } else { "dark" }
    }
}

/// Renders a page, or a part of one.
pub(super) fn render(page: &impl Template) -> Result<Response, ApiError> {
    let html = page.render().map_err(|error| ApiError::unexpected(&error.to_string()))?;
    Ok(Html(html).into_response())
}

/// The theme that the browser's cookie names.
fn theme_of(headers: &HeaderMap) -> &'static str {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';')).map(str::trim);
    if cookies.any(|cookie| cookie == "theme=light") { "light" } else { "dark" }
}

/// How many gates and intents wait for somebody, up to a limit.
pub(super) fn waiting(state: &AppState) -> Result<usize, ApiError> {
    let gates = state.read(|reader| reader.open_gates(None, WAITING_MAX))?;
    let room = WAITING_MAX - gates.items.len();
    let parked =
        if room == 0 { 0 } else { state.read(|reader| reader.parked_intents(None, room))?.items.len() };
    Ok(gates.items.len() + parked)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_theme_is_one_of_two_whatever_the_cookie_says() {
        let theme = |cookie: &'static str| {
            theme_of(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))]))
        };
        assert_eq!(theme("a=b; theme=light"), "light");
        assert_eq!(theme("theme=\"><script>"), "dark");
        assert_eq!(theme_of(&HeaderMap::new()), "dark");
    }

    #[test]
    fn no_two_places_have_one_key() {
        let mut keys: Vec<_> = GROUPS.iter().flat_map(|group| group.places).map(|place| place.key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
