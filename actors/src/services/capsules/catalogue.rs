//! The catalogue of the environment: capsules that are here, and those that members offer.
//!
//! Reads rows and moments and decides nothing. Invariant: a capsule is shown once, and as here when it is here.

use xyn_store::projection::{CapsuleRow, Cursor, Page};
use xyn_store::timeline::entry::Entry;
use xyn_store::{Reader, StoreError};

use super::name::{CapsuleName, urn};

/// Offers of one app that are looked through for a version.
const OFFERS: usize = 1_000;
/// Rows of one app that are looked at in one go.
const PAGE: usize = 50;
/// What cursors begin with: which of the two lists they are of.
const HERE: u8 = b'h';
const ELSEWHERE: u8 = b'o';

/// A capsule of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is here, proved.
    Here(Box<CapsuleRow>),
    /// A moment offers it: nothing was proved of what it says.
    Elsewhere(Box<Entry>),
}

/// The capsule that `name` means.
pub fn find(reader: &Reader, name: &CapsuleName) -> Result<Option<Found>, StoreError> {
    if let Some(row) = here(reader, name)? {
        return Ok(Some(Found::Here(Box::new(row))));
    }
    Ok(offered(reader, name)?.into_iter().next().map(|entry| Found::Elsewhere(Box::new(entry))))
}

/// The capsule here that `name` means.
pub(crate) fn here(reader: &Reader, name: &CapsuleName) -> Result<Option<CapsuleRow>, StoreError> {
    find_here(reader, name, |_| true)
}

/// The capsule here that `name` means among those that `admit` lets through: of several the highest generation.
pub fn find_here(
    reader: &Reader,
    name: &CapsuleName,
    admit: impl Fn(&CapsuleRow) -> bool,
) -> Result<Option<CapsuleRow>, StoreError> {
    let (app, id) = match name {
        CapsuleName::Version(id) => (id.app.as_str(), Some(id.to_string())),
        CapsuleName::App(app) => (app.as_str(), None),
        CapsuleName::Digest(digest) => {
            let row: Option<CapsuleRow> = reader.get(&CapsuleRow::key_of(digest))?;
            let of_tree = reader.capsules_of(digest, OFFERS)?.into_iter().filter(&admit);
            return Ok(row.filter(&admit).or(of_tree.max_by_key(|row| row.generation)));
        }
    };
    let mut cursor = None;
    loop {
        let page = reader.capsules(Some(app), cursor.as_ref(), PAGE)?;
        let is_meant = |row: &CapsuleRow| id.as_ref().is_none_or(|id| *id == row.id) && admit(row);
        if let Some(row) = page.items.into_iter().find(is_meant) {
            return Ok(Some(row));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(None),
        }
    }
}

/// The moments that offer the capsule which `name` means, the earliest in front.
pub(super) fn offered(reader: &Reader, name: &CapsuleName) -> Result<Vec<Entry>, StoreError> {
    let of_app = |app: &str| reader.offers_of_app(&urn(app), OFFERS);
    let mut entries = match name {
        CapsuleName::Digest(digest) => {
            let mut entries = reader.offers_of(digest, OFFERS)?;
            entries.sort_by_key(|entry| {
                std::cmp::Reverse(entry.note.refs.offer.as_ref().map(|it| it.generation))
            });
            entries
        }
        CapsuleName::App(app) => of_app(app.as_str())?,
        CapsuleName::Version(id) => {
            let (mut entries, text) = (of_app(id.app.as_str())?, id.to_string());
            entries.retain(|entry| entry.note.refs.offer.as_ref().is_some_and(|offer| offer.id == text));
            entries
        }
    };
    // Of several capsules that the name could mean, the first one.
    let first = entries.first().and_then(|entry| entry.note.refs.offer.as_ref()).map(|offer| offer.capsule);
    entries.retain(|entry| entry.note.refs.offer.as_ref().map(|offer| offer.capsule) == first);
    // What was attested later may be by somebody who does not count here, and is judged piece by piece behind it.
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

/// A page of the catalogue: what is here in front, then what is not; each by app, the highest generation first.
pub fn list(reader: &Reader, cursor: Option<&Cursor>, limit: usize) -> Result<Page<Found>, StoreError> {
    let (list, after) = match cursor.map(Cursor::as_bytes) {
        Some([list, rest @ ..]) => (*list, (!rest.is_empty()).then(|| Cursor::from_bytes(rest.to_vec()))),
        _ => (HERE, None),
    };
    let mut page = Page { items: Vec::new(), next: None };
    if list == HERE {
        let here = reader.capsules(None, after.as_ref(), limit)?;
        page.items.extend(here.items.into_iter().map(|row| Found::Here(Box::new(row))));
        page.next = here.next.map(|next| marked(HERE, next.as_bytes()));
        if page.next.is_some() || page.items.len() == limit {
            page.next = page.next.or_else(|| Some(marked(ELSEWHERE, b"")));
            return Ok(page);
        }
    }
    let after = after.filter(|_| list != HERE);
    let offers = reader.offers(after.as_ref(), limit - page.items.len(), |offer| {
        Ok(reader.get::<CapsuleRow>(&CapsuleRow::key_of(&offer.capsule))?.is_none())
    })?;
    page.items.extend(offers.items.into_iter().map(|entry| Found::Elsewhere(Box::new(entry))));
    page.next = offers.next.map(|next| marked(ELSEWHERE, next.as_bytes()));
    Ok(page)
}

fn marked(list: u8, key: &[u8]) -> Cursor {
    Cursor::from_bytes([&[list], key].concat())
}
