//! What people are called: in the journal of a node, and in its environment.
//!
//! A node without sign-in calls its one person `operator@local`; the roster certifies the node for
//! somebody. On the timeline, and wherever one node speaks to another, the certified name stands.
//! Invariant: in the journal `operator@local` is this node's own person and nobody else, wherever that
//! person spoke.

use xyn_store::audit::signature::PublicKey;
use xyn_store::scope::Principal;
use xyn_store::trust::Roster;

/// What this node's journal calls whoever the roster calls `operator@local` (the founder, who gave no other
/// name), when that is not this node's own person. No member's certificate counts for this very name.
pub(super) const FOUNDER: &str = "operator@founder";

/// The names of people, here and in the environment.
pub(crate) struct People {
    /// Whom this node is certified for; nobody before it is a member.
    own: Option<Principal>,
}

impl People {
    /// As `roster` has it for the node `own`.
    pub(crate) fn of(roster: &Roster, own: PublicKey) -> Self {
        Self { own: roster.member(own).map(|member| member.principal.clone()) }
    }

    /// Whom this node belongs to, as the environment calls them; nobody before it is a member.
    pub(crate) fn own(&self) -> Option<&Principal> {
        self.own.as_ref()
    }

    /// What the environment calls whom the journal calls `principal`.
    pub(crate) fn outward(&self, principal: &Principal) -> Principal {
        match (&self.own, principal.as_str()) {
            (Some(own), Principal::LOCAL_OPERATOR) => own.clone(),
            (Some(own), FOUNDER) if own.as_str() != Principal::LOCAL_OPERATOR => Principal::local_operator(),
            _ => principal.clone(),
        }
    }

    /// What the journal calls whom the environment calls `principal`.
    pub(crate) fn inward(&self, principal: &Principal) -> Principal {
        match (&self.own, principal.as_str()) {
            (Some(own), _) if own == principal => Principal::local_operator(),
            (_, Principal::LOCAL_OPERATOR) => Principal::new(FOUNDER),
            _ => principal.clone(),
        }
    }

    /// An approver as governance writes it, for readers elsewhere.
    pub(crate) fn approver_outward(&self, approver: &str) -> String {
        match approver.strip_prefix("principal:") {
            Some(name) => format!("principal:{}", self.outward(&Principal::new(name))),
            None => approver.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_out_and_come_back_and_nobody_is_taken_for_this_nodes_person() {
        let person = |name: &str| Principal::new(name);
        let ada = People { own: Some(person("ada@lab")) };
        let founder = People { own: Some(Principal::local_operator()) };
        let newcomer = People { own: None };
        assert_eq!(ada.outward(&Principal::local_operator()), person("ada@lab"));
        assert_eq!(ada.inward(&Principal::local_operator()), person(FOUNDER));
        assert_eq!(newcomer.inward(&Principal::local_operator()), person(FOUNDER));
        assert_eq!(founder.inward(&Principal::local_operator()), Principal::local_operator());
        for people in [ada, founder] {
            for name in ["operator@local", "ada@lab", "bob@lab", "cron:night"] {
                let name = person(name);
                assert_eq!(people.outward(&people.inward(&name)), name);
            }
        }
    }
}
