//! What must hold at the door: a ticket lets one in, in time, and whoever has a good one comes in.

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{NotRedeemed, TicketId};

use super::{Broken, Check};
use crate::span::Span;
use crate::tally::Happening;

impl Check {
    /// A node let somebody in.
    pub(crate) fn let_in(
        &mut self,
        now: Timestamp,
        node: usize,
        (ticket, peer): (TicketId, PublicKey),
        is_late: bool,
    ) {
        self.happened(node, Happening::LetIn);
        let first = *self.tickets.entry(ticket).or_insert(peer);
        let why = match is_late {
            true => "had expired",
            false if first != peer => "had let in another",
            false => return,
        };
        if self.is_honest(node) && !self.cloned.contains(&node) {
            let newcomer = self.numbers.get(&peer).copied().unwrap_or(usize::MAX);
            self.broke(now, Broken::Opened { node, newcomer, why });
        }
    }

    /// A node sent somebody away, which may be the only one that has its ticket.
    pub(crate) fn refused(
        &mut self,
        now: Timestamp,
        (newcomer, node): (usize, usize),
        reason: NotRedeemed,
        is_alone: bool,
    ) {
        self.happened(node, Happening::TurnedAway);
        let is_fair = match reason {
            NotRedeemed::Expired => true,
            NotRedeemed::Used => !is_alone,
            _ => false,
        };
        if !is_fair && self.is_honest(node) && self.is_honest(newcomer) && !self.cloned.contains(&node) {
            self.broke(now, Broken::SentAway { node, newcomer, why: reason.to_string() });
        }
    }

    /// After all this time somebody still stands at a door.
    pub(crate) fn outside(&mut self, now: Timestamp, (newcomer, node): (usize, usize), within: Span) {
        self.broke(now, Broken::Outside { node, newcomer, within: within.to_string() });
    }
}
