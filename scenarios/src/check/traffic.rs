//! What goes over the network: what is sent, what becomes of it on the way, and who closes on whom.

use std::collections::BTreeMap;

use serde::Serialize;
use xyn_net::proto::conduct::Misdeed;
use xyn_store::Timestamp;

use super::{Broken, Check};
use crate::network::Passage;
use crate::node::{Closing, Talk};
use crate::tally::Happening;

/// What was sent by whom, and who was dropped for what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Messages between nodes.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of them, messages of anti-entropy.
    pub sync_messages: u64,
    /// Messages that came to where they are waited for; one that came twice counts twice.
    pub delivered: u64,
    /// Bytes of answers about content.
    pub content_bytes: u64,
    /// Connections that were closed, by reason.
    pub closed: BTreeMap<String, u64>,
}

impl Check {
    /// A node puts a message on the way.
    pub(crate) fn sent(&mut self, node: usize, talk: Talk, bytes: usize) {
        self.traffic.messages += 1;
        self.traffic.bytes += bytes as u64;
        if let Talk::Answer(_) = talk {
            self.traffic.content_bytes += bytes as u64;
        }
        self.traffic.sync_messages += u64::from(talk == Talk::Sync && self.is_honest(node));
    }

    /// What becomes on the way of a message for `node`.
    pub(crate) fn carried(&mut self, node: usize, passage: &Passage) {
        let Passage { lost, blocked, is_doubled, is_held_up, .. } = *passage;
        let fates = [
            (Happening::MessagesLost, lost),
            (Happening::MessagesBlocked, blocked),
            (Happening::MessagesDoubled, u64::from(is_doubled)),
            (Happening::MessagesHeldUp, u64::from(is_held_up)),
        ];
        for (what, times) in fates {
            (0..times).for_each(|_| self.happened(node, what));
        }
    }

    /// A message comes to `node`, where its connection may be gone.
    pub(crate) fn arrived(&mut self, node: usize, is_there: bool, is_overtaken: bool) {
        match is_there {
            true => self.traffic.delivered += 1,
            false => self.happened(node, Happening::MessagesTooLate),
        }
        if is_there && is_overtaken {
            self.happened(node, Happening::MessagesOvertaken);
        }
    }

    /// A node closes the connection with another one.
    pub(crate) fn closed(&mut self, now: Timestamp, node: usize, other: usize, why: Closing) {
        let reason = match why {
            Closing::Misdeed(misdeed) => misdeed.to_string(),
            Closing::NotAdmitted(_) => "it does not belong".to_owned(),
            Closing::Unable => "this node could not answer".to_owned(),
            Closing::Door(reason) => reason.to_string(),
        };
        if let Closing::Misdeed(misdeed) = why {
            self.happened(node, Happening::dropped_for(misdeed));
        }
        if let Closing::Misdeed(misdeed) = why
            && self.is_honest(node)
            && self.is_honest(other)
            && is_never_innocent(misdeed)
        {
            self.broke(now, Broken::Framed { node, other, why: reason.clone() });
        }
        *self.traffic.closed.entry(reason).or_default() += 1;
    }
}

/// What no honest peer does, however bad the line and whatever its disk does.
fn is_never_innocent(misdeed: Misdeed) -> bool {
    match misdeed {
        Misdeed::Lie
        | Misdeed::FalseChunk
        | Misdeed::FalseManifest
        | Misdeed::Flood
        | Misdeed::Malformed
        | Misdeed::Newer => true,
        Misdeed::Stall | Misdeed::Unasked | Misdeed::Empty => false,
    }
}
