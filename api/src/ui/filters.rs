//! How templates show values.

use std::fmt::Display;

use askama::Values;
use askama::filters::Safe;
use xyn_store::Timestamp;

/// An instant as `<time>`: to the second, in UTC; the whole instant is its tooltip.
#[askama::filter_fn]
pub(super) fn when(at: &Timestamp, _: &dyn Values) -> askama::Result<Safe<String>> {
    let exact = at.to_string();
    let shown = exact.get(..19).unwrap_or(&exact).replace('T', " ");
    Ok(Safe(format!("<time datetime=\"{exact}\" title=\"{exact}\">{shown}</time>")))
}

/// The end of an id, by which people tell ids apart: a UUIDv7 begins with the time.
#[askama::filter_fn]
pub(super) fn short(id: &dyn Display, _: &dyn Values) -> askama::Result<String> {
    let id = id.to_string();
    let cut = id.char_indices().rev().nth(7).map_or(0, |(index, _)| index);
    Ok(id[cut..].to_owned())
}

/// The beginning of a digest or a key, by which people tell them apart.
#[askama::filter_fn]
pub(super) fn begin(id: &dyn Display, _: &dyn Values) -> askama::Result<String> {
    Ok(id.to_string().chars().take(12).collect())
}

/// Bytes with a unit.
#[askama::filter_fn]
pub(super) fn size(bytes: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(super::words::size(*bytes))
}

/// At most `max` characters; what is cut is said by a sign.
#[askama::filter_fn]
pub(super) fn shown(text: &dyn Display, _: &dyn Values, max: usize) -> askama::Result<String> {
    let text = text.to_string();
    let cut = text.char_indices().nth(max).map(|(index, _)| format!("{}…", &text[..index]));
    Ok(cut.unwrap_or(text))
}
