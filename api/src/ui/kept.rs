//! What is kept in versions, blueprints and policies: one of them with its text, its history, and what changed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use xyn_actors::document::Issue;
use xyn_store::Order;
use xyn_store::Timestamp;
use xyn_store::projection::{BlueprintRow, Cursor, PolicyRow};

use super::filters;
use super::lines::{self, Compared, FILE_MAX_BYTES, Mark, PART_ROWS, Row};
use super::query::{Pager, parsed};
use super::shell::{Shell, render};
use super::words::State as Standing;
use crate::error::ApiError;
use crate::extract::{NamePath, Params};
use crate::page::Version;
use crate::routes::versions::{Versioned, version};
use crate::state::{AppState, blocking};

/// Versions that a page names.
const VERSIONS: usize = 20;
/// Bytes of a text that a page shows.
const SHOWN_BYTES: usize = 128 << 10;

/// A row of which each version is kept, as its page shows it.
pub(super) trait Shown: Versioned {
    /// Its page below `/ui/`.
    const SLUG: &'static str;

    /// This version.
    fn shown(self) -> Kept;

    /// What is wrong with a text that may become one.
    fn faults(state: &AppState, source: &str) -> Vec<Issue>;
}

/// A version of a blueprint or a policy.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) name: String,
    /// What starts it; empty of a policy.
    pub(super) trigger: String,
    pub(super) is_active: bool,
    pub(super) at: Timestamp,
    pub(super) source: String,
}

impl Shown for BlueprintRow {
    const SLUG: &'static str = "blueprints";

    fn shown(self) -> Kept {
        let is_active = self.is_active();
        let Self { blueprint_id, version, name, trigger, activated_at, source, .. } = self;
        Kept { id: blueprint_id, version, name, trigger, is_active, at: activated_at, source }
    }

    fn faults(state: &AppState, source: &str) -> Vec<Issue> {
        let runtime = state.runtime();
        let compiled =
            xyn_actors::blueprint::compile(source.as_bytes(), runtime.registry(), runtime.limits());
        compiled.err().unwrap_or_default()
    }
}

impl Shown for PolicyRow {
    const SLUG: &'static str = "policies";

    fn shown(self) -> Kept {
        let is_active = self.is_active();
        let Self { policy_id, version, name, activated_at, source, .. } = self;
        Kept { id: policy_id, version, name, trigger: String::new(), is_active, at: activated_at, source }
    }

    fn faults(_: &AppState, source: &str) -> Vec<Issue> {
        xyn_actors::governance::parse(source.as_bytes()).err().unwrap_or_default()
    }
}

impl Changed {
    fn between(version: u32, before: &str, after: &str) -> Self {
        let none = Self { before: version, ..Self::default() };
        if before.len().max(after.len()) as u64 > FILE_MAX_BYTES {
            return Self { told: "They are too long to be compared here.", ..none };
        }
        match lines::compare(before.as_bytes(), after.as_bytes()) {
            Compared::Rows(rows) if rows.is_empty() => Self { told: "Both have the same text.", ..none },
            Compared::Rows(rows) => {
                let mut rows = lines::unified(&rows);
                let count = |mark: Mark| {
                    let cells = rows.iter().flat_map(|row| [&row.left, &row.right]).flatten();
                    cells.filter(|cell| cell.mark == mark).count()
                };
                let (added, removed) = (count(Mark::Added), count(Mark::Removed));
                let is_cut = rows.len() > PART_ROWS;
                rows.truncate(PART_ROWS);
                Self { rows, added, removed, is_cut, ..none }
            }
            Compared::Binary => Self { told: "One of them is no text.", ..none },
            Compared::TooLarge => Self { told: "They have too many lines to be compared here.", ..none },
        }
    }
}

impl Kept {
    pub(super) fn state(&self) -> Standing {
        if self.is_active { Standing::new("active", "ok") } else { Standing::new("replaced", "idle") }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OneQuery {
    /// From 1; the one in force when left out.
    version: String,
    /// The version that it is held against.
    against: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "kept.html")]
struct Page {
    shell: Shell,
    slug: &'static str,
    kept: Kept,
    /// Whether there is more of its text than is shown.
    is_cut: bool,
    /// What changed since another version.
    changed: Option<Changed>,
    versions: Vec<Kept>,
    pager: Pager,
}

/// What changed since another version.
#[derive(Default)]
struct Changed {
    before: u32,
    rows: Vec<Row>,
    added: usize,
    removed: usize,
    /// Whether there are more rows than are shown.
    is_cut: bool,
    /// What there is instead of lines.
    told: &'static str,
}

/// The page of one, and of what changed in it.
pub(super) async fn one<R: Shown>(
    State(state): State<AppState>,
    shell: Shell,
    NamePath(id): NamePath,
    Params(query): Params<OneQuery>,
) -> Result<Response, ApiError> {
    let asked = parsed::<Version>("version", &query.version)?;
    let against = parsed::<Version>("against", &query.against)?;
    let cursor = parsed::<Cursor>("cursor", &query.cursor)?;
    let mut kept = version::<R>(&state, &id, asked)?.shown();
    let changed = match against {
        Some(against) => {
            let before = version::<R>(&state, &id, Some(against))?.shown();
            let after = kept.source.clone();
            Some(blocking(move || Ok(Changed::between(before.version, &before.source, &after))).await?)
        }
        None => None,
    };
    let (keys, at) = (R::versions_of(&id), cursor.clone());
    let read =
        state.scan(move |reader| reader.page::<R>(&keys, Order::Descending, at.as_ref(), VERSIONS, |_| true));
    let page = read.await?;
    let place: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let pager = Pager::of(&format!("/ui/{}/{place}", R::SLUG), &[], cursor.as_ref(), &page);
    let cut = kept.source.floor_char_boundary(SHOWN_BYTES);
    let is_cut = cut < kept.source.len();
    kept.source.truncate(cut);
    let versions = page.items.into_iter().map(R::shown).collect();
    render(&Page { shell, slug: R::SLUG, kept, is_cut, changed, versions, pager })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_bounded_and_counted_whole() {
        let changed = Changed::between(1, "a\nb\n", "a\nc\nd\n");
        assert_eq!((changed.added, changed.removed, changed.rows.len(), changed.is_cut), (2, 1, 4, false));
        assert_eq!(Changed::between(1, "a", "a").told, "Both have the same text.");
        let long = Changed::between(1, "", &"x\n".repeat(PART_ROWS * 3));
        assert_eq!((long.added, long.rows.len(), long.is_cut), (PART_ROWS * 3, PART_ROWS, true));
        let far = Changed::between(1, "", &"x".repeat(FILE_MAX_BYTES as usize + 1));
        assert!(far.rows.is_empty() && !far.told.is_empty());
    }
}
