//! The side that lets in.

use std::collections::BTreeMap;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::PublicKey;
use xyn_store::trust::{NotRedeemed, Placed, Seat};

use crate::proto::conduct::Allowance;
use crate::proto::held::Held;
use crate::wire::{self, Bounded, Join, MESSAGE_BYTES_MAX, Payload, Redeem, STATEMENTS_MAX};

/// Strangers at the door at a time.
pub const STRANGERS_MAX: usize = 16;
/// How long a stranger may stand there.
pub const STRANGER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes a stranger's word takes.
pub const REDEEM_BYTES_MAX: usize = 512;
/// Tickets that are looked at, at once, whoever shows them.
pub const TICKETS_BURST: u64 = 32;
/// Tickets that are looked at each second, over time.
pub const TICKETS_PER_SECOND: u64 = 1;

/// What happens at the door.
#[derive(Clone, Debug)]
pub enum Input {
    /// A stranger came, and proved its key to the transport.
    Connected(PublicKey),
    /// It left.
    Disconnected(PublicKey),
    /// It said something.
    Received {
        /// Who.
        peer: PublicKey,
        /// A [`Join::Redeem`].
        bytes: Vec<u8>,
    },
    /// The answer to [`Output::Redeem`].
    Decided {
        /// Who asked.
        peer: PublicKey,
        /// What the node decided.
        decision: Decision,
    },
    /// Time passed.
    Tick,
}

/// Whether a stranger comes in: the statements by which it is a member now, its certificate among them.
pub type Decision = Result<Vec<Placed>, NotRedeemed>;

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        peer: PublicKey,
        /// What.
        message: Join,
    },
    /// Ask the node whether this ticket lets `peer` in, and answer with [`Input::Decided`]. The consent
    /// verifies.
    Redeem {
        /// Who asks.
        peer: PublicKey,
        /// With which ticket.
        request: Redeem,
    },
    /// Close the connection, when what was sent before has gone out, and say why in the log.
    Close {
        /// Whose.
        peer: PublicKey,
        /// Why.
        reason: Closing,
    },
}

/// Why the door closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closing {
    /// The stranger has its answer.
    #[error("it was answered")]
    Answered,
    /// Too many stand there.
    #[error("too many strangers at the door")]
    Crowded,
    /// Too many tickets were shown.
    #[error("too many tickets are being tried")]
    Hasty,
    /// It said nothing in time.
    #[error("it showed no ticket in time")]
    Silent,
    /// It said something else, or more than one thing.
    #[error("it said something else than a ticket")]
    Rude,
    /// The seat was not agreed to by the key that stands there.
    #[error("it did not prove that the key is its own")]
    Unproved,
    /// More statements than fit an answer.
    #[error("the roster does not fit the answer")]
    Roster,
}

/// The door of one node.
#[derive(Clone, Debug)]
pub struct Door {
    me: PublicKey,
    strangers: BTreeMap<PublicKey, Stranger>,
    tickets: Allowance,
}

#[derive(Clone, Copy, Debug)]
struct Stranger {
    since: Timestamp,
    asked: bool,
}

impl Door {
    /// The door of node `me`.
    pub fn new(me: PublicKey, now: Timestamp) -> Self {
        let tickets = Allowance::new(TICKETS_BURST, TICKETS_PER_SECOND, now);
        Self { me, strangers: BTreeMap::new(), tickets }
    }

    /// All that must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        match input {
            Input::Connected(peer) => self.connected(peer, now),
            Input::Disconnected(peer) => {
                self.strangers.remove(&peer);
                Vec::new()
            }
            Input::Received { peer, bytes } => match self.received(peer, &bytes, now) {
                Some(Ok(request)) => vec![Output::Redeem { peer, request }],
                Some(Err(reason)) => self.close(peer, reason),
                None => Vec::new(),
            },
            Input::Decided { peer, decision } => self.decided(peer, decision),
            Input::Tick => self.tick(now),
        }
    }

    /// What it holds that has a limit.
    pub fn held(&self) -> Held {
        Held::new("strangers at the door", self.strangers.len(), STRANGERS_MAX)
    }

    fn connected(&mut self, peer: PublicKey, now: Timestamp) -> Vec<Output> {
        if self.strangers.len() >= STRANGERS_MAX {
            return self.close(peer, Closing::Crowded);
        }
        self.strangers.insert(peer, Stranger { since: now, asked: false });
        Vec::new()
    }

    fn received(&mut self, peer: PublicKey, bytes: &[u8], now: Timestamp) -> Option<Result<Redeem, Closing>> {
        let stranger = self.strangers.get_mut(&peer)?;
        let first = !std::mem::replace(&mut stranger.asked, true);
        let request = match wire::decode(bytes) {
            Ok(Join::Redeem(request)) if first && bytes.len() <= REDEEM_BYTES_MAX => request,
            _ => return Some(Err(Closing::Rude)),
        };
        // Before any signature is checked, so that a crowd costs nothing.
        if !self.tickets.spend(1, now) {
            return Some(Err(Closing::Hasty));
        }
        let consent = Seat::Under(self.me).verify(request.env, peer, &request.consent);
        Some(consent.map(|()| request).map_err(|_| Closing::Unproved))
    }

    fn decided(&mut self, peer: PublicKey, decision: Decision) -> Vec<Output> {
        // One who left and came back did not ask this time.
        if !self.strangers.get(&peer).is_some_and(|stranger| stranger.asked) {
            return Vec::new();
        }
        let message = match decision {
            Err(reason) => Join::Refused(reason),
            Ok(placed) => match welcome(&placed) {
                Some(message) => message,
                None => return self.close(peer, Closing::Roster),
            },
        };
        let sent = vec![Output::Send { peer, message }];
        [sent, self.close(peer, Closing::Answered)].concat()
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Output> {
        let late = |it: &Stranger| now.since(it.since) >= STRANGER_TIMEOUT;
        let silent: Vec<PublicKey> =
            self.strangers.iter().filter(|(_, it)| late(it)).map(|(peer, _)| *peer).collect();
        silent.into_iter().flat_map(|peer| self.close(peer, Closing::Silent)).collect()
    }

    fn close(&mut self, peer: PublicKey, reason: Closing) -> Vec<Output> {
        self.strangers.remove(&peer);
        vec![Output::Close { peer, reason }]
    }
}

/// The answer that lets somebody in; none when it would be too long to be read.
fn welcome(placed: &[Placed]) -> Option<Join> {
    let entry = |placed: &Placed| Some((Payload::new(placed.statement.as_bytes())?, placed.place));
    let statements = placed.iter().map(entry).collect::<Option<Vec<_>>>()?;
    let message = Join::Welcome { statements: Bounded::<_, STATEMENTS_MAX>::new(statements)? };
    (wire::encode(&message).len() <= MESSAGE_BYTES_MAX).then_some(message)
}
