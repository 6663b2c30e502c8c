//! Drafts of what the root is to sign: whether a node's draft is what was asked for, and what it says in words.
//!
//! Pure. A node may lie in the draft and in how it lists the member alike, so what nobody said here is told in words
//! before it is signed. Invariant: nothing fits that speaks of another member, gives it something else than was asked
//! for, or seats it directly below the root where that was not asked for.

use std::path::Path;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{Certificate, Claim, EnvId, Role, Seat, Statement};

use crate::cli::peer::member::Member;
use crate::failure::{Exit, Failure};

/// How far the time of a draft may be from this machine's: a word of the root dated later would outlast its next one.
const OFF_BY_MAX: Duration = Duration::from_secs(5 * 60);

/// What the root is asked to say of a member.
#[derive(Clone, Debug)]
pub(in crate::cli::peer) enum Asked {
    /// It no longer belongs.
    Revocation {
        /// Which.
        member: Member,
        /// Why.
        reason: String,
    },
    /// It has another certificate. The root says nothing for which somebody said neither role nor end.
    Renewal {
        /// Which.
        member: Member,
        /// Its role from now on.
        role: Option<Role>,
        /// Until when; none in it without end.
        expires: Option<Option<Timestamp>>,
        /// Whether its seat is directly below the root.
        is_below_root: bool,
    },
    /// Another key has its seat.
    Succession {
        /// Whose.
        member: Member,
    },
}

/// Why a draft is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// Of an environment with another root.
    #[error("this is the root key of environment {key}, and the node is of {env}")]
    Env {
        /// The key here.
        key: PublicKey,
        /// That of the draft.
        env: EnvId,
    },
    /// Dated away from now.
    #[error("the node dates it {said}, and here it is {now}: that is more than five minutes apart")]
    Date {
        /// The time of the draft.
        said: Timestamp,
        /// The time here.
        now: Timestamp,
    },
    /// A seat that nobody but the root can take back.
    #[error("the node wants the member directly below the root, where only the root can revoke it")]
    BelowRoot,
    /// Something else than was asked for.
    #[error("the node wants the root to sign another {0} than was asked for")]
    Other(&'static str),
}

impl Unfit {
    /// What helps where a node lies.
    pub(super) const TRUST: &str = "nothing was signed; do it on a node that you trust";

    /// The failure to end with, where the root's key is in `file`.
    pub(super) fn refused(&self, file: &Path) -> Failure {
        let message = self.to_string();
        match self {
            Self::Env { .. } => Failure::new(Exit::Denied, "not_the_root", message)
                .at(file.display().to_string())
                .hint("name the file with the root key of the node's environment"),
            Self::Date { .. } => Failure::failed("draft_date", message)
                .hint("nothing was signed; set the clocks of this machine and of the node right, and try again"),
            Self::BelowRoot => Failure::failed("draft_seat", message).hint(
                "nothing was signed; if that is the member's place, as it is the founder's, say so with: --below-root",
            ),
            Self::Other(_) => Failure::failed("draft", message).hint(Self::TRUST),
        }
    }
}

/// Whether `draft` is what `root` is `asked` to say `now`.
pub(super) fn judge(draft: &Statement, root: PublicKey, asked: &Asked, now: Timestamp) -> Result<(), Unfit> {
    if draft.env != EnvId::rooted_in(root) {
        return Err(Unfit::Env { key: root, env: draft.env });
    }
    same("issuer", draft.issuer == root)?;
    if draft.issued_at < now.before(OFF_BY_MAX) || draft.issued_at > now.after(OFF_BY_MAX) {
        return Err(Unfit::Date { said: draft.issued_at, now });
    }
    match (asked, &draft.claim) {
        (Asked::Revocation { member, reason }, Claim::Revocation(said)) => {
            same("member", said.node == member.node)?;
            same("reason", said.reason == *reason)
        }
        (Asked::Renewal { member, role, expires, is_below_root }, Claim::Certificate(said)) => {
            same("member", said.node == member.node)?;
            gives(said, member, *role, *expires)?;
            match &said.seat {
                Seat::Under(above) if *above == root && !is_below_root => Err(Unfit::BelowRoot),
                Seat::Under(above) => same("seat", (*above == root) == *is_below_root),
                Seat::Succeeding(_) => Ok(()),
            }
        }
        (Asked::Succession { member }, Claim::Certificate(said)) => {
            let Seat::Succeeding(succession) = &said.seat else { return Err(Unfit::Other("seat")) };
            same("member", succession.old == member.node)?;
            gives(said, member, Some(member.role), Some(member.expires))
        }
        (_, Claim::Revocation(_) | Claim::Certificate(_)) => Err(Unfit::Other("claim")),
    }
}

/// Whether a certificate is for the person behind `member`, with this role and end.
fn gives(
    said: &Certificate,
    member: &Member,
    role: Option<Role>,
    expires: Option<Option<Timestamp>>,
) -> Result<(), Unfit> {
    same("principal", said.principal == member.principal)?;
    same("role", Some(said.role) == role)?;
    same("end", Some(said.expires) == expires)
}

fn same(what: &'static str, is_same: bool) -> Result<(), Unfit> {
    if is_same { Ok(()) } else { Err(Unfit::Other(what)) }
}

/// What the root is to say, for whoever answers for its key. Names are quoted: they may hold what moves the words
/// around them.
pub(super) fn words(draft: &Statement, asked: &Asked) -> String {
    match &draft.claim {
        Claim::Revocation(said) => {
            let records: u64 = said.last.values().map(|last| last.seq).fold(0, u64::saturating_add);
            let (feeds, whose) = (said.last.len(), asked.member().principal.as_str());
            format!(
                "node {} (listed as {whose:?}) is revoked because {:?}; of it count records: {records}, feeds: {feeds}",
                said.node, said.reason
            )
        }
        Claim::Certificate(said) => {
            let until = said.expires.map_or("without end".to_owned(), |until| format!("until {until}"));
            let seat = match &said.seat {
                Seat::Under(above) if *above == draft.env.root() => {
                    "directly below the root: only the root can revoke it".to_owned()
                }
                Seat::Under(above) => format!("below node {above}"),
                Seat::Succeeding(succession) => {
                    format!("in the place of node {}, as high as that one sat", succession.old)
                }
            };
            format!(
                "node {} is {:?}'s, as {}, {until}, {seat}",
                said.node,
                said.principal.as_str(),
                said.role
            )
        }
    }
}

impl Asked {
    fn member(&self) -> &Member {
        match self {
            Self::Revocation { member, .. } | Self::Renewal { member, .. } | Self::Succession { member } => {
                member
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use xyn_store::audit::key::NodeKey;
    use xyn_store::scope::Principal;
    use xyn_store::trust::{Head, Revocation, Succession};

    use super::*;

    const ROOT: u8 = 1;
    const MEMBER: u8 = 2;
    const INVITER: u8 = 3;
    const STRANGER: u8 = 4;

    fn key(seed: u8) -> PublicKey {
        NodeKey::from_secret([seed; 32]).public()
    }

    fn now() -> Timestamp {
        Timestamp::EPOCH.after(Duration::from_secs(1_000_000))
    }

    fn end() -> Timestamp {
        now().after(Duration::from_secs(86_400))
    }

    fn member() -> Member {
        let principal = Principal::new("ada@lab");
        Member { node: key(MEMBER), principal, role: Role::Operator, expires: Some(end()) }
    }

    fn draft(claim: Claim) -> Statement {
        Statement { env: EnvId::rooted_in(key(ROOT)), issuer: key(ROOT), issued_at: now(), claim }
    }

    fn certificate(node: u8, seat: Seat) -> Statement {
        let consent = seat.agree(EnvId::rooted_in(key(ROOT)), &NodeKey::from_secret([node; 32]));
        let Member { principal, role, expires, .. } = member();
        draft(Claim::Certificate(Certificate { node: key(node), seat, principal, role, expires, consent }))
    }

    fn revocation() -> Statement {
        let feed = xyn_store::timeline::feed::FeedId { node: key(MEMBER), incarnation: 1 };
        let last = BTreeMap::from([(feed, Head { seq: 7, hash: xyn_store::Digest::of(b"a record") })]);
        draft(Claim::Revocation(Revocation { node: key(MEMBER), last, reason: "stolen".to_owned() }))
    }

    fn succeeding(old: u8) -> Seat {
        let (env, old) = (EnvId::rooted_in(key(ROOT)), NodeKey::from_secret([old; 32]));
        Seat::Succeeding(Succession::sign(env, &old, key(STRANGER), BTreeMap::new()))
    }

    fn renewed(is_below_root: bool) -> Asked {
        let (role, expires) = (Some(Role::Operator), Some(Some(end())));
        Asked::Renewal { member: member(), role, expires, is_below_root }
    }

    fn revoked() -> Asked {
        Asked::Revocation { member: member(), reason: "stolen".to_owned() }
    }

    /// `statement` with its certificate changed.
    fn but(mut statement: Statement, change: impl FnOnce(&mut Certificate)) -> Statement {
        if let Claim::Certificate(certificate) = &mut statement.claim {
            change(certificate);
        }
        statement
    }

    #[track_caller]
    fn judges(asked: &Asked, cases: Vec<(Statement, Result<(), Unfit>)>) {
        for (draft, expected) in cases {
            assert_eq!(judge(&draft, key(ROOT), asked, now()), expected, "{asked:?}: {draft:?}");
        }
    }

    #[test]
    fn the_root_signs_for_its_own_environment_in_its_own_name_and_now() {
        let (env, off) = (EnvId::rooted_in(key(STRANGER)), Duration::from_secs);
        let dated = |issued_at| Statement { issued_at, ..revocation() };
        let wrong = |said| Err(Unfit::Date { said, now: now() });
        let (early, late, ages) =
            (now().before(off(301)), now().after(off(301)), now().after(off(157_680_000)));
        let cases = vec![
            (revocation(), Ok(())),
            (Statement { env, ..revocation() }, Err(Unfit::Env { key: key(ROOT), env })),
            (Statement { issuer: key(STRANGER), ..revocation() }, Err(Unfit::Other("issuer"))),
            (dated(now().before(off(299))), Ok(())),
            (dated(now().after(off(299))), Ok(())),
            (dated(early), wrong(early)),
            (dated(late), wrong(late)),
            (dated(ages), wrong(ages)),
        ];
        judges(&revoked(), cases);
    }

    #[test]
    fn a_revocation_is_of_whom_it_was_asked_for_and_for_that_reason() {
        let said = |node, reason: &str| {
            draft(Claim::Revocation(Revocation { node, last: BTreeMap::new(), reason: reason.to_owned() }))
        };
        let cases = vec![
            (said(key(MEMBER), "stolen"), Ok(())),
            (said(key(STRANGER), "stolen"), Err(Unfit::Other("member"))),
            (said(key(MEMBER), "lost"), Err(Unfit::Other("reason"))),
            (certificate(MEMBER, Seat::Under(key(INVITER))), Err(Unfit::Other("claim"))),
        ];
        judges(&revoked(), cases);
    }

    #[test]
    fn a_renewal_gives_what_was_asked_for_and_no_seat_directly_below_the_root() {
        let usual = || certificate(MEMBER, Seat::Under(key(INVITER)));
        let cases = vec![
            (usual(), Ok(())),
            (certificate(MEMBER, succeeding(STRANGER)), Ok(())),
            (certificate(MEMBER, Seat::Under(key(ROOT))), Err(Unfit::BelowRoot)),
            (certificate(STRANGER, Seat::Under(key(INVITER))), Err(Unfit::Other("member"))),
            (but(usual(), |it| it.principal = Principal::new("eve@lab")), Err(Unfit::Other("principal"))),
            (but(usual(), |it| it.role = Role::OwnerAdmin), Err(Unfit::Other("role"))),
            (but(usual(), |it| it.expires = None), Err(Unfit::Other("end"))),
            (but(usual(), |it| it.expires = Some(now())), Err(Unfit::Other("end"))),
            (revocation(), Err(Unfit::Other("claim"))),
        ];
        judges(&renewed(false), cases);
        let cases = vec![
            (certificate(MEMBER, Seat::Under(key(ROOT))), Ok(())),
            (usual(), Err(Unfit::Other("seat"))),
            (certificate(STRANGER, Seat::Under(key(ROOT))), Err(Unfit::Other("member"))),
        ];
        judges(&renewed(true), cases);
        // What nobody said here is not the node's to say.
        let unsaid = |role, expires| Asked::Renewal { member: member(), role, expires, is_below_root: false };
        judges(&unsaid(None, Some(Some(end()))), vec![(usual(), Err(Unfit::Other("role")))]);
        judges(&unsaid(Some(Role::Operator), None), vec![(usual(), Err(Unfit::Other("end")))]);
    }

    #[test]
    fn another_key_gets_the_seat_of_the_member_and_nothing_that_the_member_had_not() {
        let usual = || certificate(STRANGER, succeeding(MEMBER));
        let cases = vec![
            (usual(), Ok(())),
            (certificate(STRANGER, succeeding(INVITER)), Err(Unfit::Other("member"))),
            (certificate(STRANGER, Seat::Under(key(INVITER))), Err(Unfit::Other("seat"))),
            (certificate(STRANGER, Seat::Under(key(ROOT))), Err(Unfit::Other("seat"))),
            (but(usual(), |it| it.principal = Principal::new("eve@lab")), Err(Unfit::Other("principal"))),
            (but(usual(), |it| it.role = Role::OwnerAdmin), Err(Unfit::Other("role"))),
            (but(usual(), |it| it.expires = None), Err(Unfit::Other("end"))),
            (revocation(), Err(Unfit::Other("claim"))),
        ];
        judges(&Asked::Succession { member: member() }, cases);
    }

    #[test]
    fn what_is_told_names_the_person_the_role_the_end_and_the_place() {
        let told = |statement: &Statement, asked: &Asked| {
            let keys = [(ROOT, "ROOT"), (MEMBER, "MEMBER"), (INVITER, "INVITER"), (STRANGER, "STRANGER")];
            keys.into_iter().fold(words(statement, asked), |told, (seed, name)| {
                told.replace(&key(seed).to_string(), name)
            })
        };
        let below = |seed| certificate(MEMBER, Seat::Under(key(seed)));
        let endless = but(below(INVITER), |it| it.expires = None);
        // It turns what follows around, on a terminal that does as it is told.
        let turned = but(below(INVITER), |it| it.principal = Principal::new("eve\u{202e}@lab"));
        let all = [
            told(&revocation(), &revoked()),
            told(&below(INVITER), &renewed(false)),
            told(&below(ROOT), &renewed(true)),
            told(&endless, &renewed(false)),
            told(&turned, &renewed(false)),
            told(&certificate(STRANGER, succeeding(MEMBER)), &Asked::Succession { member: member() }),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        node MEMBER (listed as "ada@lab") is revoked because "stolen"; of it count records: 7, feeds: 1
        node MEMBER is "ada@lab"'s, as operator, until 1970-01-13T13:46:40.000000Z, below node INVITER
        node MEMBER is "ada@lab"'s, as operator, until 1970-01-13T13:46:40.000000Z, directly below the root: only the root can revoke it
        node MEMBER is "ada@lab"'s, as operator, without end, below node INVITER
        node MEMBER is "eve\u{202e}@lab"'s, as operator, until 1970-01-13T13:46:40.000000Z, below node INVITER
        node STRANGER is "ada@lab"'s, as operator, until 1970-01-13T13:46:40.000000Z, in the place of node MEMBER, as high as that one sat
        "#);
    }
}
