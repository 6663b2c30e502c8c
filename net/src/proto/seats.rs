//! Whose connections a node keeps: members', and those of a key that handed its seat over, until its heir came.
//!
//! Owns which members came. A node that was out of reach when its new key was confirmed still goes by the old one,
//! and would never hear otherwise that the new one has its seat. Invariant: nobody is let in who was revoked or whose
//! certificate ran out, and a key whose heir was met stays out.

use std::collections::BTreeSet;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{Member, NotAdmitted, Roster};

/// How long a node is waited for whose new key was confirmed. One that is away for longer is let in anew.
pub const AWAITED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The members that came so far.
#[derive(Clone, Debug, Default)]
pub struct Seats(BTreeSet<PublicKey>);

impl Seats {
    /// Those whom this node met before.
    pub fn met(members: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(members.into_iter().collect())
    }

    /// A member is here. Answers whether that is news.
    pub fn came(&mut self, member: PublicKey) -> bool {
        self.0.insert(member)
    }

    /// Whether to talk to `node`: as the roster says, and where its heir is awaited.
    pub fn admit<'a>(
        &self,
        roster: &'a Roster,
        node: PublicKey,
        now: Timestamp,
    ) -> Result<&'a Member, NotAdmitted> {
        roster.admit(node, now).or_else(|why| {
            let heir = roster.heir(node);
            let is_new = |heir: &Member| now < heir.issued_at.after(AWAITED_FOR);
            let is_awaited = !self.0.contains(&heir) && roster.admit(heir, now).is_ok_and(is_new);
            let is_valid = |member: &&Member| member.expires.is_none_or(|expires| now < expires);
            let retired =
                roster.member(node).filter(|_| matches!(why, NotAdmitted::Retired(_)) && is_awaited);
            retired.filter(is_valid).ok_or(why)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use xyn_store::audit::key::NodeKey;
    use xyn_store::scope::Principal;
    use xyn_store::trust::{
        Certificate, Claim, EnvId, Place, Placed, Revocation, Role, Seat, Statement, Succession,
    };

    use super::*;

    fn key(seed: u8) -> NodeKey {
        NodeKey::from_secret([seed; 32])
    }

    fn env() -> EnvId {
        EnvId::rooted_in(key(1).public())
    }

    /// What the root says.
    fn says(claim: Claim, at: i64) -> Placed {
        let root = key(1);
        let issued_at = Timestamp::from_micros(at);
        let statement = Statement { env: env(), issuer: root.public(), issued_at, claim };
        Placed { statement: statement.sign(&root).expect("rightly made"), place: None::<Place> }
    }

    fn seats(seat: Seat, node: u8, expires: Option<Timestamp>, at: i64) -> Placed {
        let (consent, principal) = (seat.agree(env(), &key(node)), Principal::new("bob@home"));
        let node = key(node).public();
        says(
            Claim::Certificate(Certificate { node, seat, principal, role: Role::User, expires, consent }),
            at,
        )
    }

    #[test]
    fn whoever_changed_its_key_is_let_in_by_the_old_one_until_it_came_by_the_new_one() {
        let now = Timestamp::from_micros(10);
        let (end, month) = (now.after(AWAITED_FOR / 2), now.after(AWAITED_FOR));
        let said = |until: Option<Timestamp>| {
            let succession = Succession::sign(env(), &key(2), key(3).public(), BTreeMap::new());
            let first = seats(Seat::Under(key(1).public()), 2, until, 1);
            vec![first, seats(Seat::Succeeding(succession), 3, None, 2)]
        };
        let roster = |said: &[Placed]| Roster::fold(env(), said, BTreeMap::new());
        let [old, new] = [2, 3].map(|seed| key(seed).public());
        let changed = roster(&said(Some(end)));
        let mut met = Seats::default();
        assert!(met.admit(&changed, new, now).is_ok() && met.admit(&changed, old, now).is_ok());
        let retired = Err(NotAdmitted::Retired(old));
        assert_eq!(met.admit(&changed, old, end).map(drop), retired, "its certificate ran out");
        let endless = roster(&said(None));
        assert!(met.admit(&endless, old, end).is_ok());
        assert_eq!(met.admit(&endless, old, month).map(drop), retired, "it stayed away");
        assert!(met.came(old) && met.admit(&changed, old, now).is_ok());
        assert!(met.came(new) && !met.came(new));
        assert_eq!(met.admit(&changed, old, now).map(drop), retired);
        assert_eq!(Seats::met([new]).admit(&changed, old, now).map(drop), retired);

        let revocation = Revocation { node: new, last: BTreeMap::new(), reason: "lost".into() };
        let mut said = said(None);
        said.push(says(Claim::Revocation(revocation), 3));
        assert_eq!(Seats::default().admit(&roster(&said), old, now).map(drop), retired);
    }
}
