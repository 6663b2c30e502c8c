//! Capsules in other forms: there and back, and what was made to do harm.

mod images;
mod layers;
mod rounds;
mod zips;

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::fixture::{Place, open};

/// What is said when `source` is imported. It leaves nothing.
fn refused(place: &Place, source: &Path) -> String {
    let before = place.names();
    let error = import(source, None, &place.path("imported.caps"), Limits::default());
    let error = error.expect_err("refused").to_string();
    assert_eq!(place.names(), before, "{error}");
    assert!(!error.contains(|c: char| c.is_control() || c == '\u{202e}'), "{error:?}");
    error
}
