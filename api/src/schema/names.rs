//! Names of things that have patterns of their own.

use xyn_actors::services::{capsules, secrets};

use super::{Part, pattern, text};

/// A capsule: its digest, `APP@VERSION`, that as a URN, or `APP`.
pub(super) fn capsule_name() -> Part {
    pattern(capsules::NAME_PATTERN)
}

/// A deployment: `APP.STAGE`, or `APP.STAGE.TARGET`.
pub(super) fn deployment_name() -> Part {
    pattern("^[a-z0-9]([a-z0-9-]*[a-z0-9])?\\.(dev|staging|test|prod)(\\.(static|process))?$")
}

/// A secret: words between slashes.
pub(super) fn secret_name() -> Part {
    text().max_length(Some(secrets::NAME_MAX_CHARS)).pattern(Some(secrets::NAME_PATTERN)).into()
}
