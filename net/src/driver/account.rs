//! What is told of the mesh: to the log, to the node, and to whoever asks for its status.
//!
//! Owns the counters. Invariant: nothing is refused without being counted, and nobody who comes again and again fills
//! the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libp2p::Multiaddr;
use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;

use super::address;
use super::port::{Event, Peer, Port, Refusal, Status};
use super::task::{Neighbour, Task};
use crate::proto::sync;
use crate::wire::Known;

/// Refusals of one kind that are told in a minute; what is more is only counted. So whoever causes many of one kind
/// hides no other.
const TOLD_MAX: usize = 64;
const MINUTE: Duration = Duration::from_secs(60);

/// Who was refused for what in the present minute, and told of: whoever comes again and again fills no log.
#[derive(Debug, Default)]
pub struct Told {
    begun: Timestamp,
    /// By kind.
    told: BTreeMap<&'static str, BTreeSet<(Option<PublicKey>, String)>>,
}

impl Told {
    /// Whether it is to be told why `peer` was refused, for a reason of this kind. Notes that it was.
    pub fn is_news(
        &mut self,
        kind: &'static str,
        peer: Option<PublicKey>,
        why: String,
        now: Timestamp,
    ) -> bool {
        // A clock that was set back begins a new minute.
        if !(self.begun..self.begun.after(MINUTE)).contains(&now) {
            (self.begun, self.told) = (now, BTreeMap::new());
        }
        let of_kind = self.told.entry(kind).or_default();
        of_kind.len() < TOLD_MAX && of_kind.insert((peer, why))
    }
}

impl<P: Port> Task<P> {
    /// Counts the new records. Why others were refused, whoever judged them counts.
    pub(super) fn count_admitted(&mut self, feed: FeedId, result: Result<Known, sync::Refused>) {
        let before = self.sync.feeds().get(&feed).map_or(0, Known::seq);
        self.traffic.records_in += result.map_or(0, |known| known.seq().saturating_sub(before));
    }

    /// Says in the counters why somebody was refused, and in the log and to the node once a minute.
    pub(super) fn refuse(&mut self, peer: Option<PublicKey>, why: Refusal) {
        *self.traffic.refused.entry(why.label()).or_default() += 1;
        if !self.told.is_news(why.label(), peer, why.to_string(), self.clock.now()) {
            return;
        }
        match peer {
            // It is dropped, so this comes once in a while at most.
            Some(peer) if why.is_misdeed() => tracing::warn!(%peer, %why, "dropped a peer"),
            Some(peer) if why.is_alarming() => tracing::warn!(%peer, %why, "refused a peer"),
            Some(peer) => tracing::info!(%peer, %why, "refused a peer"),
            None if why.is_alarming() => tracing::warn!(%why, "refused a connection"),
            None => tracing::info!(%why, "refused a connection"),
        }
        self.port.notice(Event::Refused { peer, why });
    }

    pub(super) fn status(&self) -> Status {
        let peer = |(node, it): (&PublicKey, &Neighbour)| Peer {
            node: *node,
            address: it.address.to_string(),
            since: it.since,
            lag_records: self.sync.lag_records(*node),
            round_trip: it.round_trip,
        };
        Status {
            listening: self.swarm.listeners().map(|address| self.reachable_at(address)).collect(),
            peers: self.neighbours.iter().map(peer).collect(),
            traffic: self.traffic.clone(),
        }
    }

    pub(super) fn reachable_at(&self, address: &Multiaddr) -> String {
        // Behind a relay it says so already.
        format!("{}/p2p/{}", address::split(address.clone()).0, self.me)
    }
}

#[cfg(test)]
mod tests {
    use xyn_store::trust::NotAdmitted;

    use super::*;
    use crate::driver::{BadFrame, BadHandshake};
    use crate::proto::conduct::Misdeed;
    use crate::proto::join::door::Closing;

    #[test]
    fn what_nobody_honest_causes_is_worth_a_warning_and_what_a_team_does_every_day_is_not() {
        let key = PublicKey::from_bytes([1; 32]);
        let handshake = |why| Refusal::Handshake { from: "/ip4/192.0.2.7".into(), why };
        let not_its_key = |is_member| Refusal::NotItsKey { found: "another".into(), is_member };
        let alarming = [
            Refusal::NotAdmitted(NotAdmitted::Revoked(key)),
            Refusal::Misdeed(Misdeed::Lie),
            Refusal::Frame(BadFrame::Packed),
            Refusal::Frame(BadFrame::Slow(MINUTE)),
            Refusal::Door(Closing::Rude),
            Refusal::Door(Closing::Crowded),
            Refusal::Crowded("384".into()),
            not_its_key(false),
            handshake(BadHandshake::False("garbage".into())),
        ];
        let usual = [
            Refusal::NotAdmitted(NotAdmitted::Stranger(key)),
            Refusal::NotAdmitted(NotAdmitted::Retired(key)),
            Refusal::NotAdmitted(NotAdmitted::Expired(key, Timestamp::EPOCH)),
            Refusal::Shunned,
            Refusal::Frame(BadFrame::Cut),
            Refusal::Door(Closing::Silent),
            Refusal::Far,
            Refusal::OtherSide,
            not_its_key(true),
            Refusal::Protocol("/xyn/sync/1"),
            Refusal::NewsUnsent,
            Refusal::Silent("no answer".into()),
            handshake(BadHandshake::Slow),
            handshake(BadHandshake::Gone("closed".into())),
        ];
        for (refusals, is_alarming) in [(&alarming[..], true), (&usual[..], false)] {
            refusals.iter().for_each(|why| assert_eq!(why.is_alarming(), is_alarming, "{why}"));
        }
    }

    #[test]
    fn who_comes_again_and_again_is_told_of_once_a_minute_and_so_are_not_too_many() {
        let (mut kept, begun) = (Told::default(), Timestamp::EPOCH.after(MINUTE * 10));
        let mut is_news = |kind, peer, now| kept.is_news(kind, peer, "why".to_owned(), now);
        let stranger = |number: u8| Some(PublicKey::from_bytes([number; 32]));
        assert!(is_news("stranger", stranger(1), begun));
        assert!(!is_news("stranger", stranger(1), begun.after(MINUTE / 2)));
        assert!(is_news("stranger", None, begun));
        let others = (2..=255).filter(|number| is_news("stranger", stranger(*number), begun));
        assert_eq!(others.count(), TOLD_MAX - 2);
        assert!(is_news("revoked", stranger(1), begun), "so many of one kind hide no other");
        assert!(is_news("stranger", stranger(1), begun.after(MINUTE)));
        assert!(is_news("stranger", stranger(1), begun), "the clock was set back");
    }
}
