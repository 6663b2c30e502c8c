//! What is told of the mesh: to the log, to the node, and to whoever asks for its status.
//!
//! Owns the counters. Invariant: nothing is refused without being counted.

use libp2p::Multiaddr;
use xyn_store::audit::signature::PublicKey;
use xyn_store::timeline::feed::FeedId;

use super::port::{Event, Peer, Port, Refusal, Status};
use super::task::{Neighbour, Task};
use crate::proto::sync;
use crate::wire::Known;

impl<P: Port> Task<P> {
    pub(super) fn count_admitted(&mut self, feed: FeedId, result: Result<Known, sync::Refused>) {
        let before = self.sync.feeds().get(&feed).map_or(0, Known::seq);
        match result {
            Ok(known) => self.traffic.records_in += known.seq().saturating_sub(before),
            Err(reason) => self.count(match reason {
                sync::Refused::False => "false",
                sync::Refused::Unlinked => "unlinked",
                sync::Refused::Cut => "cut",
                sync::Refused::Paced => "paced",
                sync::Refused::Busy => "busy",
            }),
        }
    }

    /// Says in the log, the counters and to the node why somebody was refused.
    pub(super) fn refuse(&mut self, peer: Option<PublicKey>, why: Refusal) {
        match peer {
            // It is dropped, so this comes once in a while at most.
            Some(peer) if why.is_misdeed() => tracing::warn!(%peer, %why, "dropped a peer"),
            Some(peer) => tracing::info!(%peer, %why, "refused a peer"),
            None => tracing::info!(%why, "refused a connection"),
        }
        self.count(why.label());
        self.port.notice(Event::Refused { peer, why });
    }

    fn count(&mut self, label: &'static str) {
        *self.traffic.refused.entry(label).or_default() += 1;
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
        format!("{address}/p2p/{}", self.me)
    }
}
