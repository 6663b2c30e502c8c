//! Lists: `{items, next_cursor}`, and the parameters that all of them take.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use xyn_store::legible::quoted;
use xyn_store::projection::{Cursor, Page};
use xyn_store::scope::CorrelationId;

use crate::extract::Parsed;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX, WAIT_MAX};
use crate::schema;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The rows. A page may be short, even empty, and still have a next one.
    pub(crate) items: Vec<T>,
    /// Where the next page begins; null at the end.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// A page whose rows are shown as `T`.
    pub(crate) fn of<R>(page: Page<R>, show: impl FnMut(R) -> T) -> Self {
        let items = page.items.into_iter().map(show).collect();
        Self { items, next_cursor: page.next.map(|cursor| cursor.to_string()) }
    }
}

/// Which page of a list is shown: the query of lists without filters.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Rows of the page.
    #[param(value_type = schema::Limit, inline, required = false)]
    limit: Option<Parsed<Limit>>,
    /// The `next_cursor` of the page before.
    #[param(value_type = schema::Cursor, inline, required = false)]
    cursor: Option<Parsed<Cursor>>,
}

impl PageQuery {
    /// The page from `cursor` on, with as many rows as pages have.
    pub(crate) fn from(cursor: Option<Cursor>) -> Self {
        Self { limit: None, cursor: cursor.map(Parsed) }
    }

    /// Where the page begins, and how many rows it has.
    pub(crate) fn place(self) -> (Option<Cursor>, usize) {
        (self.cursor.map(|cursor| cursor.0), rows(self.limit.as_ref()))
    }
}

/// How many rows a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(usize);

/// The word of `?limit=`, or the default.
pub(crate) fn rows(limit: Option<&Parsed<Limit>>) -> usize {
    limit.map_or(PAGE_DEFAULT, |limit| limit.0.0)
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit.map(Self).ok_or_else(|| format!("`{}` is not a number from 1 to {PAGE_MAX}", quoted(text)))
    }
}

/// How long to wait for the end of a run: `30s`, `500ms`, `1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit_ms = match unit {
            "ms" => Some(1),
            "" | "s" => Some(1000),
            "m" => Some(60_000),
            _ => None,
        };
        let wait_ms = unit_ms.zip(number.parse::<u64>().ok()).and_then(|(unit, n)| n.checked_mul(unit));
        let wait = wait_ms.map(Duration::from_millis).filter(|wait| *wait <= WAIT_MAX);
        wait.map(Self).ok_or_else(|| {
            let (text, most) = (quoted(text), WAIT_MAX.as_secs());
            format!("`{text}` is not a time such as `30s` or `500ms`, at most {most} seconds")
        })
    }
}

/// A label to look for: `key:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label(pub(crate) String, pub(crate) String);

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').filter(|(key, _)| !key.is_empty());
        let label = parts.map(|(key, value)| Self(key.to_owned(), value.to_owned()));
        label.ok_or_else(|| format!("`{}` is not a label, which is `key:value`", quoted(text)))
    }
}

/// A version of a blueprint or policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) u32);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let version = text.parse().ok().filter(|version| *version > 0).map(Self);
        version.ok_or_else(|| format!("`{}` is not a version, which is a number from 1 on", quoted(text)))
    }
}

/// A count, or a place in a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().map(Self);
        number.map_err(|_| format!("`{}` is not a whole number from 0 on", quoted(text)))
    }
}

/// A correlation id to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interaction(pub(crate) String);

impl FromStr for Interaction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = CorrelationId::parse(text).map(|id| Self(id.to_string()));
        id.map_err(|error| format!("`{}` is not one: {error}", quoted(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_held_to_its_range() {
        assert_eq!("200".parse(), Ok(Limit(200)));
        for text in ["0", "201", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
        assert_eq!(rows(None), PAGE_DEFAULT);
    }

    #[test]
    fn waits_are_read_with_their_unit_and_bounded() {
        let wait = |text: &str| text.parse::<Wait>().map(|wait| wait.0);
        assert_eq!(wait("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(wait("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(wait("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(wait("0"), Ok(Duration::ZERO));
        for text in ["", "s", "61s", "2m", "-1s", "1h", "18446744073709551615m"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_label_is_cut_at_its_first_colon() {
        assert_eq!("a:b:c".parse(), Ok(Label("a".into(), "b:c".into())));
        assert!(":b".parse::<Label>().is_err());
        assert!("a".parse::<Label>().is_err());
    }
}
