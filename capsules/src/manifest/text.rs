//! Words of a manifest: lines for people, names of variables, and what a slug may be.
//!
//! Invariant: a [`Line`] moves no cursor and hides nothing when it is shown, and a [`Slug`] can stand in a
//! file name, a host name and a URN as it is.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use xyn_store::legible::is_hidden;

use crate::json::shown;

/// Characters of a [`Line`].
pub const LINE_MAX_CHARS: usize = 4_000;
/// Bytes of a [`Slug`]: those of a label in a host name.
pub const SLUG_MAX_BYTES: usize = 63;
/// Bytes of a [`Variable`].
pub const VARIABLE_MAX_BYTES: usize = 255;

/// A text that is no word of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWord {
    /// No [`Line`].
    #[error(
        "`{0}` is no line of 1 to {LINE_MAX_CHARS} characters that are all seen; leave out line feeds, \
         control characters and marks of direction"
    )]
    Line(String),
    /// No [`Slug`].
    #[error("`{0}` is no slug; write 1 to {SLUG_MAX_BYTES} of `a-z`, `0-9` and `-`, no `-` at either end")]
    Slug(String),
    /// No [`Variable`].
    #[error("`{0}` is no name of a variable; write letters, digits and `_`, no digit first")]
    Variable(String),
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident: $is_sound:expr, $pattern:expr, $max:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidWord;

            fn try_from(text: String) -> Result<Self, InvalidWord> {
                let is_sound: fn(&str) -> bool = $is_sound;
                if is_sound(&text) { Ok(Self(text)) } else { Err(InvalidWord::$name(shown(&text))) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidWord;

            fn from_str(text: &str) -> Result<Self, InvalidWord> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "maxLength": $max })
            }
        }
    )*};
}

words! {
    /// A line of text for people.
    Line: is_line, r"^[^\u0000-\u001f\u007f-\u009f]+$", LINE_MAX_CHARS;
    /// The short name of an app, or of a part of one.
    Slug: is_slug, "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", SLUG_MAX_BYTES;
    /// The name of an environment variable.
    Variable: is_variable, "^[A-Za-z_][A-Za-z0-9_]*$", VARIABLE_MAX_BYTES;
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.chars().nth(LINE_MAX_CHARS).is_none() && !text.chars().any(is_hidden)
}

fn is_slug(text: &str) -> bool {
    let is_part = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let has_length = (1..=SLUG_MAX_BYTES).contains(&text.len());
    has_length && text.bytes().all(is_part) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_variable(text: &str) -> bool {
    let has_length = (1..=VARIABLE_MAX_BYTES).contains(&text.len());
    let is_part = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    has_length && text.bytes().all(is_part) && !text.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_would_mean_something_else_elsewhere_are_refused() {
        for text in ["", "-a", "a-", "A", "a.b", "a/b", "ä", "a b", "a\n", &"a".repeat(64)] {
            assert!(text.parse::<Slug>().is_err(), "{text}");
        }
        for text in ["", "a\nb", "\u{1b}[31mred", "a\u{202e}b", "a\u{200b}b", &"a".repeat(4_001)] {
            assert!(text.parse::<Line>().is_err(), "{text}");
        }
        for text in ["", "1A", "A-B", "A=B", "Ä", &"A".repeat(256)] {
            assert!(text.parse::<Variable>().is_err(), "{text}");
        }
        assert!("shop-2".parse::<Slug>().is_ok() && "a".repeat(63).parse::<Slug>().is_ok());
        assert!("Größe, 日本".parse::<Line>().is_ok() && "_A1".parse::<Variable>().is_ok());
    }

    #[test]
    fn a_refusal_shows_the_escape_sequence_and_does_not_send_it() {
        let error = "\u{1b}]0;owned\u{7}".parse::<Line>().expect_err("a title for the terminal");
        assert!(error.to_string().starts_with("`\\u{1b}]0;owned\\u{7}` is no line"), "{error}");
    }
}
