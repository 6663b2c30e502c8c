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
    /// Where the first page's rows come from again when the journal has moved: its part `_list`. Empty on other pages.
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
            live: if is_first { self::link(&format!("{path}/_list"), filters, None) } else { String::new() },
        }
    }
}

/// The value of the field `name` of a form, with line feeds as files have them; empty when it is not there.
pub(super) fn field(form: &[u8], name: &str) -> String {
    let found = form_urlencoded::parse(form).find(|(field, _)| field == name);
    found.map(|(_, value)| value.replace("\r\n", "\n")).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_line_feeds() {
        let form = b"name=x&source=a%0D%0Ab";
        assert_eq!((field(form, "source").as_str(), field(form, "other").as_str()), ("a\nb", ""));
    }

    #[test]
    fn a_first_page_that_may_change_asks_for_its_list() {
        let page = Page::<()> { items: Vec::new(), next: None };
        let pager = |cursor| Pager::of("/ui/runs", &[("label", "a:b")], cursor, &page);
        assert_eq!(pager(None).live, "/ui/runs/_list?label=a%3Ab");
        assert_eq!(pager(Some(&Cursor::from_bytes(vec![1]))).live, "");
    }
}
