//! The side that wants in.

use std::collections::BTreeMap;
use std::time::Duration;

use xyn_store::Timestamp;
use xyn_store::audit::signature::{PublicKey, Signature};
use xyn_store::trust::{InvalidStatement, NotAdmitted, NotRedeemed, Placed, Roster, SignedStatement, Ticket};

use crate::wire::{self, InvalidMessage, Join, Redeem};

/// How long joining may take.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// What happens to a guest.
#[derive(Clone, Debug)]
pub enum Input {
    /// The transport reached a node, which proved this key.
    Connected(PublicKey),
    /// It said something.
    Received(Vec<u8>),
    /// Time passed.
    Tick,
}

/// What the driver must do.
#[derive(Debug)]
pub enum Output {
    /// Send a message to the node that is connected.
    Send(Join),
    /// The guest is a member: keep these statements. They are taken at their word until the feeds are here in
    /// which they stand.
    Joined {
        /// What was told.
        statements: Vec<Placed>,
        /// What that adds up to.
        roster: Roster,
    },
    /// The guest stays out.
    Failed(NotJoined),
}

/// Why a guest stays out.
#[derive(Debug, thiserror::Error)]
pub enum NotJoined {
    /// The node said no.
    #[error("the ticket was refused")]
    Refused(#[source] NotRedeemed),
    /// Another node than the ticket's answered at its address.
    #[error("node `{0}` answered at the ticket's address; the ticket is of node `{1}`")]
    OtherNode(PublicKey, PublicKey),
    /// No message, or another one.
    #[error("the answer is no answer to a ticket")]
    Message(#[source] Option<InvalidMessage>),
    /// A statement that is false, or for another environment.
    #[error("the answer holds a statement that does not verify")]
    Statement(#[source] InvalidStatement),
    /// The statements do not make the guest, or the node that answered, a member.
    #[error("the answer does not add up to membership")]
    NoMember(#[source] NotAdmitted),
    /// No answer.
    #[error("nobody answered within {} seconds", JOIN_TIMEOUT.as_secs())]
    Timeout,
}

/// A node with a ticket.
#[derive(Clone, Debug)]
pub struct Guest {
    me: PublicKey,
    ticket: Ticket,
    consent: Signature,
    since: Timestamp,
    done: bool,
}

impl Guest {
    /// Node `me`, which agrees with `consent` to a seat under the ticket's issuer.
    pub fn new(me: PublicKey, ticket: Ticket, consent: Signature, now: Timestamp) -> Self {
        Self { me, ticket, consent, since: now, done: false }
    }

    /// What must be done because of `input`.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Option<Output> {
        if self.done {
            return None;
        }
        let output = match input {
            Input::Connected(node) => self.connected(node),
            Input::Received(bytes) => self.answered(&bytes, now).unwrap_or_else(Output::Failed),
            Input::Tick if now.since(self.since) < JOIN_TIMEOUT => return None,
            Input::Tick => Output::Failed(NotJoined::Timeout),
        };
        self.done = !matches!(output, Output::Send(_));
        Some(output)
    }

    /// Asks, and asks again when the connection broke: the node lets the same key in twice.
    fn connected(&self, node: PublicKey) -> Output {
        if node != self.ticket.issuer {
            // Whoever this is, the secret is not for it.
            return Output::Failed(NotJoined::OtherNode(node, self.ticket.issuer));
        }
        let Ticket { env, id, ref secret, .. } = self.ticket;
        let request = Redeem { env, ticket: id, secret: secret.clone(), consent: self.consent };
        Output::Send(Join::Redeem(request))
    }

    fn answered(&self, bytes: &[u8], now: Timestamp) -> Result<Output, NotJoined> {
        let statements = match wire::decode(bytes) {
            Ok(Join::Welcome { statements }) => statements.into_inner(),
            Ok(Join::Refused(reason)) => return Err(NotJoined::Refused(reason)),
            Ok(Join::Redeem(_)) => return Err(NotJoined::Message(None)),
            Err(error) => return Err(NotJoined::Message(Some(error))),
        };
        let read = |(bytes, place): (_, _)| {
            let bytes: wire::Payload<_> = bytes;
            SignedStatement::decode(&bytes, self.ticket.env).map(|statement| Placed { statement, place })
        };
        let statements: Vec<Placed> =
            statements.into_iter().map(read).collect::<Result<_, _>>().map_err(NotJoined::Statement)?;
        let roster = Roster::fold(self.ticket.env, &statements, BTreeMap::new());
        for node in [self.ticket.issuer, self.me] {
            roster.admit(node, now).map_err(NotJoined::NoMember)?;
        }
        Ok(Output::Joined { statements, roster })
    }
}
