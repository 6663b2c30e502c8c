//! What the timeline says of deployments, for the whole team.

use xyn_store::ids::EntryId;
use xyn_store::projection::DeploymentRow;
use xyn_store::timeline::Visibility;
use xyn_store::timeline::entry::{Branch, Kind, NAME_MAX_CHARS, Note, Refs, TITLE_MAX_CHARS};

use crate::runtime::Inner;
use crate::services::timeline::milestone::fitting;

/// The moment that says what became of the deployment `row`; none where the capsule that serves is private, as
/// `visibility` says.
pub(super) fn moment(
    inner: &Inner,
    row: &DeploymentRow,
    visibility: Visibility,
    (kind, verb): (Kind, &str),
    parents: Vec<EntryId>,
) -> Option<(EntryId, Note)> {
    if !visibility.is_told() {
        return None;
    }
    let current = &row.current;
    let version = current.id.rsplit_once('@').map_or(current.id.as_str(), |(_, version)| version);
    let title = format!("{} {version}: {verb}", current.name);
    let refs = Refs {
        capsule: Some(current.tree),
        // Each app has a place of its own in the environment, so that one does not hide the other.
        env: Some(fitting(&place(&inner.env.env_id, &row.app), NAME_MAX_CHARS)),
        stage: Some(row.stage),
        parents,
        ..Refs::default()
    };
    let title = fitting(&title, TITLE_MAX_CHARS);
    let note = Note { principal: current.by.clone(), branch: Branch::main(), kind, title, refs };
    Some((current.entry_id, note))
}

/// How the timeline calls the place of `app` in the environment `env`.
fn place(env: &str, app: &str) -> String {
    format!("{env}/{app}")
}

/// The app of which a moment that refers to `refs` changed what is deployed in the environment `env`.
pub fn app<'r>(refs: &'r Refs, env: &str) -> Option<&'r str> {
    let (of, app) = refs.env.as_deref()?.rsplit_once('/')?;
    (of == env).then_some(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_is_known_by_the_place_it_has_in_the_environment() {
        let refs = Refs { env: Some(place("lab/eu", "shop")), ..Refs::default() };
        assert_eq!(
            (app(&refs, "lab/eu"), app(&refs, "lab"), app(&Refs::default(), "lab")),
            (Some("shop"), None, None)
        );
    }
}
