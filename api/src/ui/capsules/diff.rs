//! Two capsules beside each other: files and their lines, manifest, packages, seeds.
//!
//! Invariant: of each list a bounded part is shown, and how many there are; beside the lines of a file, only the
//! list of files.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use xyn_actors::services::capsules::CapsuleName;
use xyn_capsules::compare::{Comparison, Edition, compare};
use xyn_capsules::container::CapsuleFile;
use xyn_capsules::json::shown;
use xyn_capsules::sbom;
use xyn_capsules::sign::Envelope;
use xyn_capsules::tree::{Change, Difference, Entry, Limits, Shelf};
use xyn_store::blobs::Blobs;
use xyn_store::projection::CapsuleRow;

use crate::error::{ApiError, Code};
use crate::extract::Params;
use crate::routes::capsules::here;
use crate::state::{AppState, blocking};
use crate::ui::change::{self, link};
use crate::ui::file::{Lines, Sight};
use crate::ui::filters;
use crate::ui::lines::FILE_MAX_BYTES;
use crate::ui::query::parsed;
use crate::ui::shell::{Shell, render};

/// Rows of one list that a page shows.
const ROWS_MAX: usize = 50;
/// Characters of a value that a row shows.
const VALUE_CHARS: usize = 120;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::ui) struct DiffQuery {
    from: String,
    to: String,
    /// The file that is looked into.
    path: String,
    view: String,
    part: String,
}

#[derive(Template)]
#[template(path = "capsule-diff.html")]
struct Page {
    shell: Shell,
    from: CapsuleRow,
    to: CapsuleRow,
    lists: Vec<List>,
    lines: Option<Lines>,
}

/// What differs in one respect.
struct List {
    title: &'static str,
    rows: Vec<Row>,
    total: usize,
}

/// Something that differs.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    /// To its lines; empty where it is no file.
    href: String,
    /// `added`, `removed` or `changed`.
    change: &'static str,
    before: String,
    after: String,
}

impl Page {
    fn sides(&self) -> [(&'static str, &CapsuleRow); 2] {
        [("Before", &self.from), ("After", &self.to)]
    }

    /// In what respects they do not differ.
    fn same(&self) -> String {
        let same = self.lists.iter().filter(|list| list.rows.is_empty());
        same.map(|list| list.title.to_lowercase()).collect::<Vec<_>>().join(", ")
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    shell: Shell,
    Params(query): Params<DiffQuery>,
) -> Result<Response, ApiError> {
    let named = async |field: &str, text: &str| {
        let name = parsed::<CapsuleName>(field, text)?;
        let name = name.ok_or_else(|| ApiError::invalid(field, "say which capsule"))?;
        here(&state, &name).await
    };
    let (from, to) = (named("from", &query.from).await?, named("to", &query.to).await?);
    let view = Sight::asked(&query.view, &query.part, false)?;
    let (store, rows, path) = (state.runtime().store().clone(), [from.clone(), to.clone()], query.path);
    let look = move || {
        let files = [opened(store.blobs(), &rows[0])?, opened(store.blobs(), &rows[1])?];
        let found = compared(&files)?;
        let page = format!("/ui/capsules/diff?from={}&to={}", rows[0].capsule, rows[1].capsule);
        let mut lists = lists(&found, &page);
        let wanted = found.files.iter().find(|file| file.path.as_str() == path);
        let lines = wanted.map(|file| {
            lists.truncate(1);
            change::lines_of(file, |node| content(&files, node), link(&page, "", &file.path), &view)
        });
        Ok((lists, lines))
    };
    let (lists, lines) = blocking(look).await?;
    render(&Page { shell, from, to, lists, lines })
}

/// The capsule of `row`, whose files can be read one by one.
fn opened(blobs: &Blobs, row: &CapsuleRow) -> Result<CapsuleFile, ApiError> {
    let file = CapsuleFile::stored(blobs, &row.file, Limits::default()).map_err(|error| damaged(&error))?;
    // It was proved when it came; only the disk could have changed it.
    match Envelope::read(file.manifest()).map_err(|error| damaged(&error))?.digest() == row.capsule {
        true => Ok(file),
        false => Err(ApiError::new(Code::BlobDamaged, "the capsule is another one than was kept")),
    }
}

fn compared(files: &[CapsuleFile; 2]) -> Result<Comparison, ApiError> {
    let [before, after] = files.each_ref().map(Edition::of);
    let (before, after) = (before.map_err(|error| damaged(&error))?, after.map_err(|error| damaged(&error))?);
    compare(&before, &after, Limits::default()).map_err(|error| damaged(&error))
}

fn damaged(error: &dyn std::error::Error) -> ApiError {
    ApiError::new(Code::BlobDamaged, error.to_string())
}

/// The bytes of a file in one of the capsules.
fn content(files: &[CapsuleFile; 2], node: &Entry) -> Result<Vec<u8>, String> {
    let [before, after] = files;
    let found =
        before.read(&node.digest, FILE_MAX_BYTES).or_else(|_| after.read(&node.digest, FILE_MAX_BYTES));
    found.map_err(|error| format!("It cannot be shown: {error}."))
}

fn lists(found: &Comparison, page: &str) -> Vec<List> {
    let is_right = |place: &str| place.starts_with("/rights");
    let is_seed = |place: &str| place.starts_with("/seeds");
    let field = |wanted: &dyn Fn(&str) -> bool| -> Vec<Row> {
        let fields = found.fields.iter().filter(|field| wanted(&field.place));
        fields.map(|field| Row::of(&field.place, value(&field.before), value(&field.after))).collect()
    };
    let versions = |versions: &BTreeSet<String>| {
        shown(&versions.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let package = |(name, difference): (&String, &sbom::Difference)| {
        let (before, after) = match difference {
            sbom::Difference::Added(to) => (None, Some(versions(to))),
            sbom::Difference::Removed(from) => (Some(versions(from)), None),
            sbom::Difference::Changed { from, to } => (Some(versions(from)), Some(versions(to))),
        };
        Row::of(&shown(name), before, after)
    };
    let seed = |seed: &xyn_capsules::compare::Seed| {
        let [before, after] = [seed.before, seed.after].map(|digest| digest.map(|digest| digest.to_string()));
        Row::of(&seed.name, before, after)
    };
    vec![
        List::of("Files", found.files.iter().map(|found| file(found, page)).collect()),
        List::of("Manifest", field(&|place| !is_right(place) && !is_seed(place))),
        List::of("Rights", field(&is_right)),
        List::of("Packages", found.packages.iter().map(package).collect()),
        List::of("Seeds", found.seeds.iter().map(seed).collect()),
    ]
}

fn file(difference: &Difference, page: &str) -> Row {
    let told = |entry: Option<Entry>| {
        entry.map(|entry| format!("{}, {}", crate::ui::words::size(entry.size_bytes), entry.mode.as_str()))
    };
    let (before, after) = (told(difference.before), told(difference.after));
    let mut row = Row::of(&difference.path.to_string(), before, after);
    row.href = link(page, "", &difference.path);
    if let (Change::Renamed, Some(from)) = (difference.change(), &difference.from) {
        row.before = format!("was {from}");
    }
    row
}

impl List {
    fn of(title: &'static str, mut rows: Vec<Row>) -> Self {
        let total = rows.len();
        rows.truncate(ROWS_MAX);
        Self { title, rows, total }
    }
}

impl Row {
    fn of(name: &str, before: Option<String>, after: Option<String>) -> Self {
        let change = match (&before, &after) {
            (None, _) => "added",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "changed",
        };
        let (name, href) = (name.to_owned(), String::new());
        Self { name, href, change, before: before.unwrap_or_default(), after: after.unwrap_or_default() }
    }

    fn tone(&self) -> &'static str {
        match self.change {
            "added" => "ok",
            "removed" => "bad",
            _ => "idle",
        }
    }
}

/// A value as a row shows it.
fn value(value: &Option<Value>) -> Option<String> {
    let text = value.as_ref()?.to_string();
    let cut: String = text.chars().take(VALUE_CHARS).collect();
    Some(if cut.len() < text.len() { format!("{}…", shown(&cut)) } else { shown(&cut) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_how_long_it_is() {
        let rows = (0..500).map(|number| Row::of(&number.to_string(), None, Some(String::new()))).collect();
        let list = List::of("Files", rows);
        assert_eq!((list.rows.len(), list.total), (ROWS_MAX, 500));
    }

    #[test]
    fn what_came_went_and_changed_is_told_apart() {
        let some = || Some("1".to_owned());
        let change = |before, after| Row::of("x", before, after).change;
        assert_eq!(change(None, some()), "added");
        assert_eq!(change(some(), None), "removed");
        assert_eq!(change(some(), some()), "changed");
        let long = value(&Some(Value::from("x".repeat(1_000)))).expect("a value");
        assert_eq!(long.chars().count(), VALUE_CHARS + 1);
    }
}
