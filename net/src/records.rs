//! The records of a store, as others ask about them and hand them in.
//!
//! Owns how far a feed is known, which frames answer a question, what a proof is, and what verdicts are to whoever sent
//! the frames.
//! Reads through a reader of the store and writes nothing, so that a node and a simulator run the same code.
//! Invariant: what is answered counts here, and is durable.

use std::collections::BTreeSet;

use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::FeedRow;
use xyn_store::timeline::admit::{Refusal, Verdict};
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::fork::{self, ProofError};
use xyn_store::timeline::frame::{FRAME_MAX_BYTES, Frame as Sealed, FrameError};
use xyn_store::trust::{Claim, Placed, Roster};
use xyn_store::{Reader, StoreError};

use crate::proto::sync::Refused;
use crate::wire::{Frame, Known, Payload};

/// How far `feed` is known here, and counts.
pub fn known(reader: &Reader, feed: FeedId) -> Result<Known, StoreError> {
    reader.feed(&feed)?.map_or(Ok(Known::default()), |row| known_of(reader, &row))
}

/// How far the feed of `row` counts here.
pub fn known_of(reader: &Reader, row: &FeedRow) -> Result<Known, StoreError> {
    Ok(Known { head: reader.last_shared(row)?, fork: row.fork })
}

/// Frames of `feed` behind record `after`, as far as they come within `credit` bytes.
pub fn frames(
    reader: &Reader,
    env: PublicKey,
    feed: &FeedId,
    after: u64,
    to: u64,
    credit: usize,
) -> Result<Vec<Frame>, StoreError> {
    let (mut frames, mut from, mut left) = (Vec::new(), after.saturating_add(1), credit);
    while from <= to {
        // The first one may be longer than asked for: a frame cannot be cut.
        let room = if frames.is_empty() { FRAME_MAX_BYTES } else { left };
        let Some((last, bytes)) = reader.feed_frame(env, feed, from, room)? else { break };
        let Some(bytes) = Payload::behind(0, bytes) else { break };
        left = left.saturating_sub(bytes.len());
        frames.push(Frame { from, to: last, bytes });
        from = last + 1;
    }
    Ok(frames)
}

/// Whether `frames` are the records of `feed` that whoever sends them says. What is no frame of this version claims
/// nothing, and is refused for that.
pub fn are_as_said(feed: FeedId, frames: &[Frame]) -> bool {
    let is_said =
        |frame: &Frame| Sealed::span(&frame.bytes).is_none_or(|span| span == (feed, frame.from, frame.to));
    frames.iter().all(is_said)
}

/// What the verdicts on frames of `feed`, which were said to begin with record `first`, are to the mesh.
pub fn answer(feed: FeedId, first: u64, verdicts: &[Verdict]) -> Result<(), Refused> {
    verdicts.iter().try_for_each(|verdict| match verdict {
        Verdict::Admitted { feed: found, .. }
        | Verdict::Gap { feed: found, .. }
        | Verdict::Forked { feed: found, .. }
            if *found != feed =>
        {
            Err(Refused::False)
        }
        Verdict::Paced(found) if *found != feed => Err(Refused::False),
        Verdict::Paced(_) => Err(Refused::Paced),
        // Where the sender's feed branched off is further back than what it sent.
        Verdict::Forked { seq, .. } if *seq < first => Err(Refused::Unlinked),
        Verdict::Admitted { .. } | Verdict::Duplicate | Verdict::Gap { .. } | Verdict::Forked { .. } => {
            Ok(())
        }
        // That is known here, and what is known is the answer.
        Verdict::Refused(Refusal::Equivocation(_)) => Ok(()),
        Verdict::Refused(Refusal::Unprovable(_)) => Err(Refused::Unlinked),
        Verdict::Refused(Refusal::PastCut(_)) => Err(Refused::Cut),
        Verdict::Refused(refusal @ Refusal::Change { .. }) => {
            Err(Refused::Unfit { is_newer: refusal.is_newer() })
        }
        Verdict::Refused(Refusal::Frame(FrameError::Newer(_))) => Err(Refused::Newer),
        Verdict::Refused(Refusal::Frame(_)) => Err(Refused::False),
    })
}

/// The proof in `bytes` that `feed` forked; else what it is to the mesh that they are none.
pub fn proof(env: PublicKey, feed: FeedId, bytes: &[u8]) -> Result<fork::Proof, Refused> {
    match fork::Proof::open(&env, bytes) {
        Ok(proof) if proof.feed == feed => Ok(proof),
        Err(ProofError::Frame(FrameError::Newer(_))) => Err(Refused::Newer),
        _ => Err(Refused::False),
    }
}

/// Of all that was said about who belongs: what a newcomer needs to see this node and itself as members. Each statement
/// once, however many members carry it: what the root says, all of them do.
pub fn welcome(statements: Vec<Placed>, roster: &Roster, me: PublicKey, newcomer: PublicKey) -> Vec<Placed> {
    let matters = |node: PublicKey| node == me || node == newcomer || roster.ranks_above(node, me);
    let is_about = |placed: &Placed| match &placed.statement.statement().claim {
        Claim::Certificate(certificate) => matters(certificate.node),
        Claim::Revocation(revocation) => matters(revocation.node),
    };
    let mut told = BTreeSet::new();
    let mut is_told = |placed: &Placed| {
        // What changes nothing here is left out: anybody may say as much of that as a record holds.
        let counts = !roster.not_counted().contains_key(&placed.statement.id());
        counts && is_about(placed) && roster.hears(placed) && told.insert(placed.statement.id())
    };
    statements.into_iter().filter(|placed| is_told(placed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use xyn_store::Timestamp;
    use xyn_store::audit::key::NodeKey;
    use xyn_store::scope::Principal;
    use xyn_store::timeline::entry::EntryError;
    use xyn_store::timeline::hlc::Hlc;
    use xyn_store::timeline::record::{self, Body, Content, NO_RECORD};
    use xyn_store::timeline::{Bytes, first_certificate};
    use xyn_store::trust::{Certificate, EnvId, Head, Place, Revocation, Role, Seat, Statement};

    const ALICE: FeedId = FeedId { node: PublicKey::from_bytes([1; 32]), incarnation: 1 };
    const BOB: FeedId = FeedId { node: PublicKey::from_bytes([2; 32]), incarnation: 1 };

    #[test]
    fn a_frame_under_the_name_of_another_feed_or_record_is_told_from_one_of_a_newer_version() {
        let key = NodeKey::from_secret([7; 32]);
        let (env, feed) = (PublicKey::from_bytes([9; 32]), FeedId { node: key.public(), incarnation: 1 });
        let content =
            Content { hlc: Hlc::at(Timestamp::EPOCH), body: Body::Statement(Bytes(b"some words".to_vec())) };
        let record = record::Place { env, feed, seq: 1, prev: NO_RECORD }.write(content).expect("it fits");
        let mut bytes = Sealed::seal(&key, env, vec![record]).expect("a record").encode();
        let said = |feed, from, to, bytes: &[u8]| {
            are_as_said(feed, &[Frame { from, to, bytes: Payload::new(bytes).expect("it is short") }])
        };
        assert!(said(feed, 1, 1, &bytes));
        assert!(!said(ALICE, 1, 1, &bytes) && !said(feed, 2, 2, &bytes) && !said(feed, 1, 2, &bytes));
        bytes[0] += 1;
        assert!(said(ALICE, 1, 1, &bytes), "who knows what it says");
    }

    #[test]
    fn a_newcomer_is_told_what_counts_and_not_what_anybody_says_beside_it() {
        let [root, host, member] = [7, 8, 9].map(|seed| NodeKey::from_secret([seed; 32]));
        let env = EnvId::rooted_in(root.public());
        let seated = |node: &NodeKey| {
            let operator = Principal::local_operator();
            let statement = first_certificate(&root, node, operator, Timestamp::EPOCH).expect("signs");
            Placed { statement, place: None }
        };
        let revocation =
            Revocation { node: host.public(), last: BTreeMap::new(), reason: "no reason".into() };
        let claim = Claim::Revocation(revocation);
        let noise = Statement { env, issuer: member.public(), issued_at: Timestamp::EPOCH, claim };
        let noise = Placed { statement: noise.sign(&member).expect("signs"), place: None };
        let statements = vec![seated(&host), noise, seated(&member)];
        let roster = Roster::fold(env, &statements, BTreeMap::new());
        let told = welcome(statements.clone(), &roster, host.public(), BOB.node);
        assert_eq!(told, [statements[0].clone()]);
    }

    #[test]
    fn a_newcomer_is_told_each_statement_once_however_many_members_carry_it() {
        let [root, host, guest] = [7, 8, 9].map(|seed| NodeKey::from_secret([seed; 32]));
        let env = EnvId::rooted_in(root.public());
        let at = |node: PublicKey, seq: u64| {
            let hash = xyn_store::Digest::of(&seq.to_be_bytes());
            Some(Place { feed: FeedId { node, incarnation: 1 }, record: Head { seq, hash } })
        };
        let operator = Principal::local_operator();
        let seated = first_certificate(&root, &host, operator.clone(), Timestamp::EPOCH).expect("signs");
        let seat = Seat::Under(host.public());
        let consent = seat.agree(env, &guest);
        let certificate = Certificate {
            node: guest.public(),
            seat,
            principal: operator,
            role: Role::User,
            expires: None,
            consent,
        };
        let claim = Claim::Certificate(certificate);
        let lets_in = Statement { env, issuer: host.public(), issued_at: Timestamp::EPOCH, claim };
        let lets_in = lets_in.sign(&host).expect("signs");
        let carried = (1..=100).map(|member| at(PublicKey::from_bytes([member; 32]), 1));
        let mut statements: Vec<Placed> =
            carried.map(|place| Placed { statement: seated.clone(), place }).collect();
        // What a member says is heard in its own feed only.
        let own = at(host.public(), 2);
        let places = [at(guest.public(), 1), own, at(host.public(), 3)];
        statements.extend(places.map(|place| Placed { statement: lets_in.clone(), place }));
        let roster = Roster::fold(env, &statements, BTreeMap::new());
        let told = welcome(statements.clone(), &roster, host.public(), guest.public());
        assert_eq!(told, [statements[0].clone(), Placed { statement: lets_in, place: own }]);
    }

    #[test]
    fn each_verdict_has_its_answer() {
        let admitted = |feed| Verdict::Admitted { feed, first: 7, last: 9, from_future: 0, behind: vec![] };
        let refused = Verdict::Refused;
        let entry = |error: EntryError| refused(Refusal::Change { seq: 7, source: error.into() });
        let cases = [
            (admitted(ALICE), Ok(())),
            (admitted(BOB), Err(Refused::False)),
            (Verdict::Duplicate, Ok(())),
            (Verdict::Gap { feed: ALICE, have: 3 }, Ok(())),
            (Verdict::Forked { feed: ALICE, seq: 7 }, Ok(())),
            (Verdict::Forked { feed: ALICE, seq: 6 }, Err(Refused::Unlinked)),
            (Verdict::Paced(ALICE), Err(Refused::Paced)),
            (Verdict::Paced(BOB), Err(Refused::False)),
            (refused(Refusal::Equivocation(2)), Ok(())),
            (refused(Refusal::Unprovable(ProofError::NoContradiction)), Err(Refused::Unlinked)),
            (refused(Refusal::PastCut(7)), Err(Refused::Cut)),
            (refused(Refusal::Frame(FrameError::BadSignature)), Err(Refused::False)),
            (refused(Refusal::Frame(FrameError::Newer(2))), Err(Refused::Newer)),
            (entry(EntryError::Newer(2)), Err(Refused::Unfit { is_newer: true })),
            (entry(EntryError::Undecodable), Err(Refused::Unfit { is_newer: false })),
        ];
        for (verdict, expected) in cases {
            assert_eq!(answer(ALICE, 7, std::slice::from_ref(&verdict)), expected, "{verdict:?}");
            assert_eq!(answer(ALICE, 7, &[admitted(ALICE), verdict]), expected);
        }
    }
}
