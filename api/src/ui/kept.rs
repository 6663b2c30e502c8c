//! What is kept in versions, blueprints and policies: one of them with its text, its history, and what changed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use xyn_actors::document::Issue;
use xyn_store::Order;
use xyn_store::Timestamp;
use xyn_store::projection::{BlueprintRow, Cursor, PolicyRow};

use super::file::{self, Lines, Sight};
use super::filters;
use super::lines::{self, Compared, FILE_MAX_BYTES};
use super::query::{Pager, parsed};
use super::shell::{Shell, render};
use super::words::{State as Standing, size};
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

/// What changed from version `before` to `kept`, as the page at `here` shows it.
fn changed(before: &Kept, kept: &Kept, here: &str, view: &Sight) -> Lines {
    let texts = [&before.source, &kept.source].map(|source| source.as_bytes());
    let compared = match texts.iter().any(|text| text.len() as u64 > FILE_MAX_BYTES) {
        true => Compared::TooLarge,
        false => lines::compare(texts[0], texts[1]),
    };
    let sizes = || {
        let [before, after] = texts.map(|text| size(text.len() as u64));
        format!("{before} before, {after} after")
    };
    let title = format!("Version {} → {}", before.version, kept.version);
    let href = format!("{here}?version={}&against={}", kept.version, before.version);
    Lines::of(title, "changed", file::told(compared, sizes), href, view)
}

impl Kept {
    pub(super) fn state(&self) -> Standing {
        if self.is_active { Standing::new("in force", "ok") } else { Standing::new("replaced", "idle") }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct OneQuery {
    /// From 1; the one in force when left out.
    version: String,
    /// The version that it is held against.
    against: String,
    view: String,
    part: String,
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
    changed: Option<Lines>,
    versions: Vec<Kept>,
    pager: Pager,
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
    let kept = version::<R>(&state, &id, asked)?.shown();
    let place: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let here = format!("/ui/{}/{place}", R::SLUG);
    let (changed, mut kept) = match against {
        Some(against) => {
            let before = version::<R>(&state, &id, Some(against))?.shown();
            let (view, here) = (Sight::asked(&query.view, &query.part, false)?, here.clone());
            let compare = move || {
                let lines = changed(&before, &kept, &here, &view);
                Ok((Some(lines), kept))
            };
            blocking(compare).await?
        }
        None => (None, kept),
    };
    let (keys, at) = (R::versions_of(&id), cursor.clone());
    let read =
        state.scan(move |reader| reader.page::<R>(&keys, Order::Descending, at.as_ref(), VERSIONS, |_| true));
    let page = read.await?;
    let pager = Pager::of(&here, &[], cursor.as_ref(), &page);
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
    fn what_changed_is_told_with_its_versions_and_a_text_that_is_too_long_is_not_compared() {
        let kept = |version, source: String| Kept {
            id: "a b".into(),
            version,
            name: "A".into(),
            trigger: String::new(),
            is_active: true,
            at: Timestamp::EPOCH,
            source,
        };
        let one = kept(1, "a\nb\n".into());
        let lines = changed(&one, &kept(3, "a\nc\n".into()), "/ui/policies/a+b", &Sight::default());
        assert_eq!((lines.title.as_str(), lines.added, lines.removed), ("Version 1 → 3", 1, 1));
        assert_eq!(lines.here(), "/ui/policies/a+b?version=3&against=1&view=unified&part=0");
        let far = changed(&one, &kept(2, "x".repeat(FILE_MAX_BYTES as usize + 1)), "", &Sight::default());
        assert!(far.rows.is_empty() && far.told.contains("too large"), "{}", far.told);
    }
}
