//! How people name a secret: words between slashes, such as `app/shop/API_KEY`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xyn_store::legible::quoted;

/// Characters of a name.
pub const NAME_MAX_CHARS: usize = 200;
/// What a name looks like.
pub const NAME_PATTERN: &str = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$";

/// The name of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretName(String);

/// A text that names no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no secret; write words between slashes, such as `app/shop/API_KEY`")]
pub struct InvalidSecretName(String);

impl SecretName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = InvalidSecretName;

    fn from_str(text: &str) -> Result<Self, InvalidSecretName> {
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        };
        if text.len() <= NAME_MAX_CHARS && text.split('/').all(is_word) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidSecretName(quoted(text)))
    }
}

impl TryFrom<String> for SecretName {
    type Error = InvalidSecretName;

    fn try_from(text: String) -> Result<Self, InvalidSecretName> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_words_between_slashes() {
        for text in ["a", "app/shop/API_KEY", "_/x.y-z", "9"] {
            assert_eq!(text.parse::<SecretName>().expect(text).as_str(), text);
        }
        let long = "a".repeat(NAME_MAX_CHARS + 1);
        for text in ["", "/", "a/", "/a", "a//b", "..", "a/../b", "-a", "a b", "é", "a\n", long.as_str()] {
            assert!(text.parse::<SecretName>().is_err(), "{text}");
        }
    }
}
