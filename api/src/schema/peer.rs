//! Schemas of what is said about peers.

use xyn_actors::services::mesh::{LIFETIME_MAX, VALID_FOR_MAX};
use xyn_store::trust::{PRINCIPAL_MAX_CHARS, Role};

use super::{Part, number, pattern, text, words};

/// How members stand.
const STANDING: [&str; 4] = ["active", "expired", "retired", "revoked"];
/// What happens between nodes.
const TRACE_KIND: [&str; 6] = ["listening", "connected", "disconnected", "refused", "witnessed", "alarm"];
/// Actions that the root of an environment may stand behind.
const ROOTED: [&str; 4] = ["peer.confirm", "peer.renew", "peer.revoke", "peer.rotate"];
/// How a node takes part in the mesh.
const MESH_MODE: [&str; 3] = ["on", "lan", "off"];

/// A role.
pub(crate) fn role() -> Part {
    words(&Role::ALL.map(Role::as_str))
}

/// How a member stands.
pub(crate) fn standing() -> Part {
    words(&STANDING)
}

/// What happened between nodes.
pub(crate) fn trace_kind() -> Part {
    words(&TRACE_KIND)
}

/// How a node takes part in the mesh.
pub(crate) fn mesh_mode() -> Part {
    words(&MESH_MODE)
}

/// The id of a ticket.
pub(crate) fn ticket_id() -> Part {
    pattern("^[0-9a-f]{16}$")
}

/// A person with a device: `name@place`.
pub(crate) fn person() -> Part {
    let hidden = r"\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb";
    let part = format!(r"[^\x00-\x1f\x7f-\x9f{hidden}:]*");
    text().max_length(Some(PRINCIPAL_MAX_CHARS)).pattern(Some(format!("^{part}@{part}$"))).into()
}

/// Actions that the root of an environment may stand behind.
pub(crate) fn rooted_action() -> Part {
    words(&ROOTED)
}

/// How long a certificate is good, in seconds.
pub(crate) fn certificate_lifetime() -> Part {
    number().minimum(Some(1)).maximum(Some(VALID_FOR_MAX.as_secs())).into()
}

/// How long a ticket is good, in seconds.
pub(crate) fn ticket_lifetime() -> Part {
    number().minimum(Some(1)).maximum(Some(LIFETIME_MAX.as_secs())).into()
}

/// The number of a line.
pub(crate) fn line_number() -> Part {
    pattern("^[0-9]{1,18}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_stands_behind_every_action_that_takes_what_it_signed() {
        let registry = xyn_actors::actions::builtin();
        let rooted = registry.iter().map(|action| &action.spec).filter(|spec| spec.is_rooted());
        assert_eq!(rooted.map(|spec| spec.name).collect::<Vec<_>>(), ROOTED);
    }
}
