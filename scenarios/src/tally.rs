//! What happens in worlds, by name: what a report counts, and what a scenario expects.
//!
//! Owns the names. Counts nothing itself. Invariant: what is counted happened at an honest node, or to one; what it
//! dropped somebody for or refused, it noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xyn_net::proto::conduct::Misdeed;
use xyn_store::timeline::ChangeError;
use xyn_store::timeline::admit::{Refusal, Verdict};
use xyn_store::timeline::frame::FrameError;

/// How often each happened.
pub type Tally = BTreeMap<Happening, u64>;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A node was let in on its ticket.
    LetIn,
    /// A node was sent away with its ticket.
    TurnedAway,
    /// Two nodes met because others told them of each other.
    Introduced,
    /// A piece of content came to where it is wanted.
    Fetched,
    /// Somebody was dropped for a lie.
    Lies,
    /// Somebody was dropped for a chunk that is not what its name says.
    FalseChunks,
    /// Somebody was dropped for a list of chunks that is not the content's, or is none.
    FalseManifests,
    /// Somebody was dropped for sending too much.
    Floods,
    /// Somebody was dropped for what is no message.
    Babble,
    /// Somebody was dropped for what nobody asked for.
    Unasked,
    /// Somebody was dropped because it did not have what it said it had.
    Disappointments,
    /// Somebody was dropped because it did not answer.
    Stalls,
    /// Something was announced that is not there.
    Boasts,
    /// News that were heard before were said again, and passed over.
    Replays,
    /// Records were refused that their author did not sign.
    Forgeries,
    /// Changes were refused that are made under an actor id of somebody else.
    Impostures,
    /// Records were refused that are past the cut of their feed.
    PastCut,
    /// A frame was judged again, because in the same batch came what cuts its feed elsewhere.
    JudgedAgain,
    /// Two records of a feed under one number were found.
    Forks,
    /// Records came that claim to be from the future.
    FromFuture,
    /// A node took another key.
    Rotated,
    /// Records came that were signed with a key which its node had given up, and do not count.
    Thefts,
    /// A record is kept in the end and does not count.
    Excluded,
    /// A log was found to be rewritten.
    Alarms,
    /// A node was ended in order.
    Stopped,
    /// The power of a node went.
    PowerCuts,
    /// Something that was written could not be kept.
    FailedWrites,
    /// A copy of a folder wrote a feed of its own.
    Copies,
    /// A message was lost on its way.
    MessagesLost,
    /// A message was doubled on its way.
    MessagesDoubled,
    /// A message came behind one that was sent after it.
    MessagesOvertaken,
    /// A message was stopped by a blockade.
    MessagesBlocked,
    /// A message took longer because its sender is slow.
    MessagesHeldUp,
    /// A message came when its connection was gone.
    MessagesTooLate,
    /// Somebody dialled, and a blockade was in the way.
    CallsBlocked,
}

impl Happening {
    /// The name in files and reports.
    pub(crate) fn name(self) -> String {
        let name = serde_json::to_value(self).expect("a word is a document");
        name.as_str().unwrap_or_default().replace('_', " ")
    }

    /// Somebody was dropped for this.
    pub(crate) fn dropped_for(misdeed: Misdeed) -> Self {
        match misdeed {
            Misdeed::Lie => Self::Lies,
            Misdeed::FalseChunk => Self::FalseChunks,
            Misdeed::FalseManifest => Self::FalseManifests,
            Misdeed::Flood => Self::Floods,
            Misdeed::Malformed | Misdeed::Newer => Self::Babble,
            Misdeed::Unasked => Self::Unasked,
            Misdeed::Empty => Self::Disappointments,
            Misdeed::Stall => Self::Stalls,
        }
    }

    /// What a verdict on a frame says besides that it is well.
    pub(crate) fn judged(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Refused(Refusal::Frame(FrameError::BadSignature)) => Some(Self::Forgeries),
            Verdict::Refused(Refusal::Change { source: ChangeError::ForgedActor, .. }) => {
                Some(Self::Impostures)
            }
            Verdict::Refused(Refusal::PastCut(_)) => Some(Self::PastCut),
            Verdict::Forked { .. } => Some(Self::Forks),
            Verdict::Admitted { from_future: 1.., .. } => Some(Self::FromFuture),
            _ => None,
        }
    }
}
