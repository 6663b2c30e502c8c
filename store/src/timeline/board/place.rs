//! Where in a file a comment stands.
//!
//! Owns how a board keeps a place: one value beside the comment, so that no two halves of two places come
//! together. Invariant: a place that does not fit is none.

use serde::{Deserialize, Serialize};

use super::super::entry::{is_line, is_name};

/// Characters that the path of a place may have.
pub const PLACE_PATH_MAX_CHARS: usize = 4 << 10;

/// A line of a file in the change that a moment made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The workspace; the only one where none is named.
    #[serde(default)]
    pub workspace: Option<String>,
    /// The file in it.
    pub path: String,
    /// Which of its two versions.
    #[serde(default)]
    pub side: Side,
    /// The line there, from 1.
    pub line: u32,
}

/// A version of a file that was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one that was changed.
    Before,
    /// The one that came of it.
    #[default]
    After,
}

impl Place {
    /// Whether a board takes it.
    pub(super) fn fits(&self) -> bool {
        let has_workspace = self.workspace.as_deref().is_none_or(is_name);
        has_workspace && is_line(&self.path, PLACE_PATH_MAX_CHARS) && self.line > 0
    }

    /// Its text.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("text and numbers always are JSON")
    }

    /// The place that `text` says; none when it says another thing.
    pub fn decode(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(Self::fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_is_none() {
        let place =
            Place { workspace: Some("shop".into()), path: "src/a b.rs".into(), side: Side::Before, line: 7 };
        assert_eq!(Place::decode(&place.encode()), Some(place.clone()));
        let wrong = |change: fn(&mut Place)| {
            let mut place = place.clone();
            change(&mut place);
            assert_eq!(Place::decode(&place.encode()), None, "{place:?}");
        };
        wrong(|place| place.line = 0);
        wrong(|place| place.path.clear());
        wrong(|place| place.path = "a\nb".into());
        wrong(|place| place.path = "x".repeat(PLACE_PATH_MAX_CHARS + 1));
        wrong(|place| place.workspace = Some(String::new()));
        for text in ["", "{}", "shop:a.rs:7", r#"{"path":"a","side":"middle","line":1}"#] {
            assert_eq!(Place::decode(text), None, "{text}");
        }
    }
}
