//! What is kept in versions of which one is in force: blueprints and policies are read alike.
//!
//! Invariant: a list shows what is in force and nothing else.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use xyn_store::Order;
use xyn_store::projection::{BlueprintRow, BlueprintStatus, PolicyRow, PolicyStatus, Row};
use xyn_store::tables::Key;

use crate::error::ApiError;
use crate::extract::Parsed;
use crate::headers::Known;
use crate::page::{Listing, PageQuery, Version};
use crate::schema;
use crate::state::AppState;

/// A row of which each version is kept.
pub(crate) trait Versioned: Row + Send + 'static {
    /// What it is, for people.
    const KIND: &'static str;

    /// The keys of all versions of `id`.
    fn versions_of(id: &str) -> Key;

    /// Whether this version is in force.
    fn is_active(&self) -> bool;
}

impl Versioned for BlueprintRow {
    const KIND: &'static str = "blueprint";

    fn versions_of(id: &str) -> Key {
        Self::prefix(id)
    }

    fn is_active(&self) -> bool {
        self.status == BlueprintStatus::Active
    }
}

impl Versioned for PolicyRow {
    const KIND: &'static str = "policy";

    fn versions_of(id: &str) -> Key {
        Self::prefix(id)
    }

    fn is_active(&self) -> bool {
        self.status == PolicyStatus::Active
    }
}

/// Which version is shown.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct VersionQuery {
    /// From 1; the one in force when left out.
    #[param(value_type = schema::Version, inline, required = false)]
    version: Option<Parsed<Version>>,
}

/// What is in force, by id, shown as `T`.
pub(super) async fn list<R: Versioned, T>(
    state: &AppState,
    query: PageQuery,
    show: impl FnMut(R) -> T,
) -> Result<Listing<T>, ApiError> {
    let (cursor, limit) = query.place();
    let page = state
        .scan(move |reader| reader.page(&Key::new(), Order::Ascending, cursor.as_ref(), limit, R::is_active));
    Ok(Listing::of(page.await?, show))
}

/// The version of `id` that was asked for, or the one in force, shown as `T`.
pub(super) fn get<R: Versioned, T: Serialize + From<R>>(
    state: &AppState,
    id: &str,
    query: &VersionQuery,
    known: &Known,
) -> Result<Response, ApiError> {
    let row = version::<R>(state, id, query.version.as_ref().map(|version| version.0))?;
    known.json(&T::from(row))
}

/// The version of `id` that was asked for, or the one in force.
pub(crate) fn version<R: Versioned>(
    state: &AppState,
    id: &str,
    asked: Option<Version>,
) -> Result<R, ApiError> {
    let versions = R::versions_of(id);
    let row = state.read(|reader| match asked {
        Some(version) => reader.get::<R>(&versions.u32(version.0)),
        None => Ok(reader.page(&versions, Order::Descending, None, 1, R::is_active)?.items.pop()),
    })?;
    row.ok_or_else(|| ApiError::not_found(R::KIND, id))
}
