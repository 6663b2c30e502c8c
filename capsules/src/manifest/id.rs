//! Which app, in which version: `urn:xyn:app:<slug>@<semver>`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::text::Slug;
use crate::json::shown;

/// Bytes that an id may have.
pub const ID_MAX_BYTES: usize = 255;

/// What an id begins with; written with the first, read with each.
const PREFIXES: [&str; 2] = ["urn:xyn:app:", "urn:oursynth:app:"];

/// An app in one version. `urn:oursynth:app:` is read as `urn:xyn:app:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId {
    /// Which app. Generations and signers are counted for it.
    pub app: Slug,
    /// In which version.
    pub version: Version,
}

/// A text that names no app in a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no app in a version; write `urn:xyn:app:<slug>@<version>`, such as `urn:xyn:app:shop@1.4.2`"
)]
pub struct InvalidAppId(String);

/// The slug in `text`, and the version behind it, if one stands there.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    let name = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    name.split_once('@').map_or((name, None), |(slug, version)| (slug, Some(version)))
}

impl FromStr for AppId {
    type Err = InvalidAppId;

    fn from_str(text: &str) -> Result<Self, InvalidAppId> {
        let is_urn = text.len() <= ID_MAX_BYTES && PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        let read = || {
            let (slug, version) = split(text);
            Some(Self { app: slug.parse().ok()?, version: version?.parse().ok()? })
        };
        is_urn.then(read).flatten().ok_or_else(|| InvalidAppId(shown(text)))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}@{}", PREFIXES[0], self.app, self.version)
    }
}

impl TryFrom<String> for AppId {
    type Error = InvalidAppId;

    fn try_from(text: String) -> Result<Self, InvalidAppId> {
        text.parse()
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> Self {
        id.to_string()
    }
}

impl JsonSchema for AppId {
    fn schema_name() -> Cow<'static, str> {
        "AppId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`urn:xyn:app:<slug>@<version>`",
            "pattern": "^urn:(xyn|oursynth):app:[a-z0-9-]+@[0-9]+\\.[0-9]+\\.[0-9]+",
            "maxLength": ID_MAX_BYTES,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_namespaces_are_read_and_one_is_written() {
        for text in ["urn:xyn:app:shop@1.4.2", "urn:oursynth:app:shop@1.4.2"] {
            let id: AppId = text.parse().expect(text);
            assert_eq!((id.app.as_str(), id.to_string().as_str()), ("shop", "urn:xyn:app:shop@1.4.2"));
        }
        let build: AppId = "urn:xyn:app:a@1.0.0-rc.1+5".parse().expect("a version with all its parts");
        assert_eq!(build.to_string().parse::<AppId>().expect("own text"), build);
    }

    #[test]
    fn what_names_no_app_or_no_version_is_refused() {
        let long = format!("urn:xyn:app:a@1.0.0-{}", "a".repeat(300));
        for text in [
            "",
            "shop@1.0.0",
            "urn:xyn:app:shop",
            "urn:xyn:app:shop@1",
            "urn:xyn:app:shop@1.0",
            "urn:xyn:app:shop@01.0.0",
            "urn:xyn:app:shop@v1.0.0",
            "urn:xyn:app:@1.0.0",
            "urn:xyn:app:../../etc@1.0.0",
            "urn:xyn:app:Shop@1.0.0",
            "urn:xyn:app:shop@1.0.0@2.0.0",
            "URN:XYN:APP:shop@1.0.0",
            " urn:xyn:app:shop@1.0.0",
            "urn:xyn:app:urn:xyn:app:shop@1.0.0",
            long.as_str(),
        ] {
            assert!(text.parse::<AppId>().is_err(), "{text}");
        }
    }
}
