//! Shelves that are broken on purpose, so that the laws are seen to notice.
//!
//! Owns what is done wrong. The cores stay what they are: what is wrong is how the node goes about them. Invariant: a
//! shelf without a flaw does what it does in every other build.

use std::collections::BTreeMap;
use std::sync::Arc;

use xyn_store::Digest;
use xyn_store::audit::key::NodeKey;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;
use xyn_store::timeline::frame::Frame as Sealed;
use xyn_store::timeline::record::{NO_RECORD, Place};
use xyn_store::trust::{Claim, Cut, EnvId, Placed, Roster, Seat, Standing};

/// Bytes of a frame before its first record, and behind its last: version, environment, node, incarnation, number
/// and hash before it; the signature.
const HEADER_BYTES: usize = 1 + 32 + 32 + 8 + 8 + 32;
const SIGNATURE_BYTES: usize = 64;

/// How a shelf is broken on purpose.
#[derive(Default)]
pub(crate) struct Flaws {
    /// It lets in whoever shows any ticket.
    pub(crate) is_careless: bool,
    /// It does not hear how keys end.
    pub(crate) deaf: Deaf,
    /// It says nothing that the root said.
    pub(crate) is_mum: bool,
    /// It answers for what it wrote before that is kept, and does not keep it.
    pub(crate) is_hasty: bool,
    /// What was written under a key that was given up counts for nothing.
    pub(crate) disowns: bool,
    /// What it refused it does not judge again.
    pub(crate) is_final: bool,
    /// A feed that it cut once stays cut.
    pub(crate) is_grudging: bool,
    /// Whatever is said in the name of these it takes for signed by them.
    pub(crate) blind_to: Option<Names>,
}

/// Those in whose name a blind shelf believes anything, and the environment.
pub(crate) struct Names {
    pub(crate) env: EnvId,
    pub(crate) keys: BTreeMap<PublicKey, Arc<NodeKey>>,
}

/// Of which ends of keys a shelf does not hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deaf {
    #[default]
    No,
    ToSuccessions,
    ToRevocations,
}

impl Deaf {
    /// Whether it hears a statement.
    pub(super) fn hears(self, placed: &Placed) -> bool {
        match &placed.statement.statement().claim {
            Claim::Certificate(it) => self != Self::ToSuccessions || matches!(it.seat, Seat::Under(_)),
            Claim::Revocation(_) => self != Self::ToRevocations,
        }
    }
}

impl Flaws {
    /// Where feeds are cut here besides what the `roster` says that follows from `forks`; before, it said something
    /// else.
    pub(super) fn cuts(
        &self,
        mut forks: BTreeMap<FeedId, Cut>,
        roster: impl Fn(BTreeMap<FeedId, Cut>) -> Roster,
        before: &Roster,
    ) -> BTreeMap<FeedId, Cut> {
        if self.is_grudging {
            let members = before.members().map(|(node, _)| FeedId { node, incarnation: 1 });
            let cut = members.map(|feed| (feed, before.cut(feed)));
            forks.extend(cut.filter(|(_, cut)| *cut != Cut::Nowhere));
        }
        if self.disowns {
            // A cut behind which all is kept, and before which nothing is.
            let nothing = Cut::After { seq: 0, hash: NO_RECORD };
            let members = roster(forks.clone());
            let given_up = members.members().filter(|(_, member)| member.standing() == Standing::Retired);
            // No folder of these worlds is copied.
            forks.extend(given_up.map(|(node, _)| (FeedId { node, incarnation: 1 }, nothing)));
        }
        forks
    }

    /// Frames as they are taken here.
    pub(super) fn believed(&self, frames: &[&[u8]]) -> Vec<Vec<u8>> {
        let signed = |frame: &&[u8]| self.blind_to.as_ref().and_then(|names| names.signed(frame));
        frames.iter().map(|frame| signed(frame).unwrap_or_else(|| frame.to_vec())).collect()
    }
}

impl Names {
    /// The records of a frame under the signature that is missing: as a shelf has them that looks at none.
    fn signed(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let (feed, seq, _) = Sealed::span(frame)?;
        let (header, body) = frame.split_at_checked(HEADER_BYTES)?;
        let (mut body, _) = body.split_last_chunk::<SIGNATURE_BYTES>()?;
        let prev = Digest::from_bytes(*header.last_chunk()?);
        let env = self.env.root();
        let (mut place, mut records) = (Place { env, feed, seq, prev }, Vec::new());
        while let Some(([high, middle, low], rest)) = body.split_first_chunk() {
            let (payload, rest) =
                rest.split_at_checked(u32::from_be_bytes([0, *high, *middle, *low]) as usize)?;
            let record = place.read(payload.to_vec()).ok()?;
            place = place.next(record.hash);
            records.push(record);
            body = rest;
        }
        Some(Sealed::seal(self.keys.get(&feed.node)?, env, records)?.encode())
    }
}
