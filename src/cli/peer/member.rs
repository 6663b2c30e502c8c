//! A member as a node lists it, for whoever does something to it.
//!
//! The node may lie. Invariant: its name is plain text of one line, whatever the node says.

use serde::Deserialize;
use serde_json::Value;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::legible::is_disruptive;
use xyn_store::scope::Principal;
use xyn_store::trust::Role;

use crate::client::Client;
use crate::failure::Failure;

/// A member of the environment.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Member {
    /// Its key.
    pub(super) node: PublicKey,
    /// Whose device it is.
    pub(super) principal: Principal,
    /// What that person may do with it.
    pub(super) role: Role,
    /// Until when others connect to it.
    #[serde(rename = "expires_at")]
    pub(super) expires: Option<Timestamp>,
}

impl Member {
    /// The one member that `name` means: by its key, the beginning of its key, or its principal.
    pub(super) async fn named(client: &Client, name: &str) -> Result<Self, Failure> {
        Self::read(&super::named(client, name).await?)
    }

    fn read(listed: &Value) -> Result<Self, Failure> {
        let unreadable =
            |why: &str| Failure::unexpected(format!("the node lists a member that cannot be read: {why}"));
        let member = Self::deserialize(listed).map_err(|error| unreadable(&error.to_string()))?;
        match member.principal.as_str().contains(is_disruptive) {
            true => Err(unreadable("its name is not plain text")),
            false => Ok(member),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_is_read_as_it_is_listed_and_never_with_a_name_that_moves_the_cursor() {
        let listed = |principal: &str, role: &str| {
            json!({ "node": "ab".repeat(32), "principal": principal, "role": role, "rank": 1,
                "expires_at": "2026-01-31T12:00:00.000042Z" })
        };
        let member = Member::read(&listed("ada@lab", "owner_admin")).expect("reads");
        assert_eq!((member.principal.as_str(), member.role), ("ada@lab", Role::OwnerAdmin));
        assert_eq!(member.expires.map(|end| end.to_string()).as_deref(), Some("2026-01-31T12:00:00.000042Z"));
        for (principal, role) in [
            ("ada@lab", "king"),
            ("ada\u{1b}[2J@lab", "user"),
            ("ada@lab\n", "user"),
            ("ada\u{202e}@lab", "user"),
        ] {
            let refused = Member::read(&listed(principal, role)).expect_err("not a member");
            assert_eq!(refused.code, "unexpected_answer");
            assert!(!refused.message.contains(char::is_control), "{principal:?}");
        }
    }
}
