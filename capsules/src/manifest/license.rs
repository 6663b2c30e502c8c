//! Licences, as SPDX expressions.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::json::shown;

/// Bytes that an expression may have.
pub const LICENSE_MAX_BYTES: usize = 1_000;

/// What an app is licensed under when its author says nothing else.
const DEFAULT: &str = "LicenseRef-OSL-3.0-or-compatible";

/// A licence: an SPDX expression, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct License(String);

/// A text that is no SPDX expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no SPDX expression: {reason}; write one such as `MIT OR Apache-2.0`, or `LicenseRef-<name>` \
     for a licence that has no SPDX name"
)]
pub struct InvalidLicense {
    text: String,
    reason: String,
}

impl License {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for License {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl FromStr for License {
    type Err = InvalidLicense;

    fn from_str(text: &str) -> Result<Self, InvalidLicense> {
        let invalid = |reason: String| InvalidLicense { text: shown(text), reason };
        if text.len() > LICENSE_MAX_BYTES {
            return Err(invalid(format!("it is longer than {LICENSE_MAX_BYTES} bytes")));
        }
        match spdx::Expression::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(invalid(shown(&error.reason.to_string()))),
        }
    }
}

impl TryFrom<String> for License {
    type Error = InvalidLicense;

    fn try_from(text: String) -> Result<Self, InvalidLicense> {
        text.parse()
    }
}

impl From<License> for String {
    fn from(license: License) -> Self {
        license.0
    }
}

impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for License {
    fn schema_name() -> Cow<'static, str> {
        "License".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "SPDX expression",
            "default": DEFAULT,
            "minLength": 1,
            "maxLength": LICENSE_MAX_BYTES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spdx_expressions_are_taken_as_they_are_and_nothing_else_is() {
        for text in [
            DEFAULT,
            "MIT",
            "MIT OR Apache-2.0",
            "(GPL-3.0-or-later WITH Bison-exception-2.2) AND BSD-3-Clause",
        ] {
            assert_eq!(text.parse::<License>().expect(text).as_str(), text);
        }
        let nested = format!("{}MIT{}", "(".repeat(10_000), ")".repeat(10_000));
        for text in ["", "My Licence", "MIT OR", "MIT Apache-2.0", "\u{1b}[31mMIT", "(MIT", &nested] {
            let error = text.parse::<License>().expect_err(text).to_string();
            assert!(error.contains("is no SPDX expression") && !error.contains('\u{1b}'), "{error}");
        }
    }
}
