//! How people name a capsule: by a digest, by an app in a version, or by an app alone.

use std::fmt;
use std::str::FromStr;

use xyn_capsules::manifest::{AppId, Slug};
use xyn_store::Digest;
use xyn_store::legible::quoted;
use xyn_store::timeline::APP_ID_MAX_CHARS;

/// The names as a regular expression, for schemas: versions as <https://semver.org> writes them.
pub const NAME_PATTERN: &str = concat!(
    "^([0-9a-f]{64}|(urn:xyn:app:)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?|",
    "(urn:(xyn|oursynth):app:)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?@(0|[1-9][0-9]{0,8})",
    "\\.(0|[1-9][0-9]{0,8})\\.(0|[1-9][0-9]{0,8})",
    "(-(0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)",
    "(\\.(0|[1-9][0-9]{0,8}|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?",
    "(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?)$",
);

/// Characters that a name may have: with what a URN begins with they are an id.
pub const NAME_MAX_CHARS: usize = APP_ID_MAX_CHARS - URN.len();

/// What an id of an app begins with.
const URN: &str = "urn:xyn:app:";

/// A capsule, as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapsuleName {
    /// Its own digest, or that of its content.
    Digest(Digest),
    /// An app in a version: of several generations the highest.
    Version(AppId),
    /// An app: the highest generation of it.
    App(Slug),
}

/// A text that names no capsule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no capsule; write its digest, `APP@VERSION` or `APP`")]
pub struct InvalidCapsuleName(String);

impl CapsuleName {
    /// Which app, where the name says it.
    pub(super) fn app(&self) -> Option<&Slug> {
        match self {
            Self::Digest(_) => None,
            Self::Version(id) => Some(&id.app),
            Self::App(app) => Some(app),
        }
    }
}

/// The URN of an app, without a version.
pub(super) fn urn(app: &str) -> String {
    format!("{URN}{app}")
}

impl FromStr for CapsuleName {
    type Err = InvalidCapsuleName;

    fn from_str(text: &str) -> Result<Self, InvalidCapsuleName> {
        let invalid = || InvalidCapsuleName(quoted(text));
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        match text.contains('@') {
            true if text.starts_with("urn:") => text.parse().map(Self::Version).map_err(|_| invalid()),
            true => urn(text).parse().map(Self::Version).map_err(|_| invalid()),
            false => text.trim_start_matches(URN).parse().map(Self::App).map_err(|_| invalid()),
        }
    }
}

impl fmt::Display for CapsuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Version(id) => id.fmt(f),
            Self::App(app) => f.write_str(app.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capsule_is_named_by_digest_by_version_and_by_app() {
        let digest = Digest::of(b"capsule");
        assert_eq!(digest.to_string().parse(), Ok(CapsuleName::Digest(digest)));
        let version = CapsuleName::Version("urn:xyn:app:shop@1.4.2".parse().expect("an id"));
        for text in ["shop@1.4.2", "urn:xyn:app:shop@1.4.2", "urn:oursynth:app:shop@1.4.2"] {
            assert_eq!(text.parse(), Ok(version.clone()), "{text}");
        }
        let app = CapsuleName::App("shop".to_owned().try_into().expect("a slug"));
        for text in ["shop", "urn:xyn:app:shop"] {
            assert_eq!(text.parse(), Ok(app.clone()), "{text}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused_and_shown_harmless() {
        for text in ["", "Shop", "../x", "shop@", "shop@1", "@1.0.0", "a b", "shop@1.0.0@2.0.0", "-", "ü"] {
            assert!(text.parse::<CapsuleName>().is_err(), "{text}");
        }
        let error = "\x1b[2J".parse::<CapsuleName>().expect_err("no name");
        assert!(!error.to_string().contains('\x1b'), "{error:?}");
    }
}
