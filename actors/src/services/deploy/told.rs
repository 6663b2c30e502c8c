//! What the timeline says of deployments, for the whole team.

use xyn_store::ids::EntryId;
use xyn_store::projection::DeploymentRow;
use xyn_store::timeline::entry::{Branch, Kind, NAME_MAX_CHARS, Note, Refs, TITLE_MAX_CHARS};

use crate::runtime::Inner;
use crate::services::timeline::milestone::fitting;

/// What is said of a deployment that came to be `row`.
pub(super) fn moment(
    inner: &Inner,
    row: &DeploymentRow,
    kind: Kind,
    verb: &str,
    parents: Vec<EntryId>,
) -> Note {
    let current = &row.current;
    let version = current.id.rsplit_once('@').map_or(current.id.as_str(), |(_, version)| version);
    let title = format!("{} {version}: {verb}", current.name);
    let refs = Refs {
        capsule: Some(current.tree),
        // Each app has a place of its own in the environment, so that one does not hide the other.
        env: Some(fitting(&format!("{}/{}", inner.env.env_id, row.app), NAME_MAX_CHARS)),
        stage: Some(row.stage),
        parents,
        ..Refs::default()
    };
    let title = fitting(&title, TITLE_MAX_CHARS);
    Note { principal: current.by.clone(), branch: Branch::main(), kind, title, refs }
}
