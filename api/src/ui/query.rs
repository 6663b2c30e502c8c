//! What a page is asked for: filters as a form sends them, and the place in a list.

use std::fmt::Display;
use std::str::FromStr;

use xyn_store::projection::{Cursor, Page};

use crate::error::ApiError;

/// Rows of a list on a page.
pub(super) const ROWS: usize = 50;

/// The value of the field `name`; none when it was left empty.
pub(super) fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<Option<T>, ApiError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: T::Err| ApiError::invalid(name, error.to_string()))
}

/// The links of a list's pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Pager {
    /// To the first page; empty when this is it.
    pub(super) first: String,
    /// To the next page; empty at the end.
    pub(super) next: String,
    /// Where the first page's rows come from again when the journal has moved; empty on other pages.
    pub(super) live: String,
}

impl Pager {
    /// The links of the list at `path`, filtered by `filters`, of which `page` is shown from `cursor` on.
    pub(super) fn of<T>(
        path: &str,
        filters: &[(&str, &str)],
        cursor: Option<&Cursor>,
        page: &Page<T>,
    ) -> Self {
        let link = |cursor: Option<&Cursor>| link(path, filters, cursor);
        let is_first = cursor.is_none();
        Self {
            first: if is_first { String::new() } else { link(None) },
            next: page.next.as_ref().map(|next| link(Some(next))).unwrap_or_default(),
            live: if is_first { link(None) } else { String::new() },
        }
    }
}

/// The list at `path`, filtered by `filters`, from `cursor` on.
pub(super) fn link(path: &str, filters: &[(&str, &str)], cursor: Option<&Cursor>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(filters.iter().filter(|(_, value)| !value.is_empty()));
    if let Some(cursor) = cursor {
        query.append_pair("cursor", &cursor.to_string());
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
