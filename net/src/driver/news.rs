//! Gossip of libp2p, and what is wrong with what comes by it.
//!
//! Owns the streams on which news come. The handler of libp2p reads them into one line of debugging: it tells nobody
//! what was too long, was no message of its protocol or never ended, and waits for the rest of one as long as the
//! connection lasts. Sends nothing itself and reads no news. Invariant: whatever is dropped here has a reason with a
//! name, and a message that was begun comes within the time that one may take.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::futures::StreamExt;
use libp2p::futures::future;
use libp2p::gossipsub::{IdentityTransform, TopicHash, WhitelistSubscriptionFilter};
use libp2p::swarm::behaviour::FromSwarm;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, InboundUpgradeSend};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, NetworkBehaviour,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, gossipsub};
use tokio::time::Sleep;

use super::codec::BadFrame;
use super::port::Refusal;
use crate::proto::conduct::Misdeed;
use crate::wire::MESSAGE_BYTES_MAX;

/// What libp2p knows of gossip.
pub(super) type Gossipsub = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

type Inner = THandler<Gossipsub>;
/// What was heard, as libp2p has it.
type Heard = <Inner as ConnectionHandler>::ToBehaviour;
/// A stream on which news come, with what reads it.
type Incoming = <<Inner as ConnectionHandler>::InboundProtocol as InboundUpgradeSend>::Output;

/// News of one environment.
pub(super) struct News {
    pub(super) gossip: Gossipsub,
    topic: TopicHash,
    timeout: Duration,
    faults: VecDeque<(PeerId, Refusal)>,
}

impl News {
    /// Those of `topic`, of which each message may take `timeout` to come.
    pub(super) fn new(gossip: Gossipsub, topic: TopicHash, timeout: Duration) -> Self {
        Self { gossip, topic, timeout, faults: VecDeque::new() }
    }

    fn listener(&self, inner: Inner) -> Listener {
        Listener { inner, incoming: None, timeout: self.timeout, end: None }
    }

    /// What nodes of this program never send: news that somebody signed or numbered on their way, and what goes to
    /// other topics.
    fn judge(&self, heard: &Heard) -> Result<(), Misdeed> {
        let Heard::Message { rpc, invalid_messages } = heard else { return Ok(()) };
        if !invalid_messages.is_empty() {
            return Err(Misdeed::Malformed);
        }
        let is_ours = rpc.messages.iter().all(|message| message.topic == self.topic);
        if is_ours { Ok(()) } else { Err(Misdeed::Unasked) }
    }
}

impl NetworkBehaviour for News {
    type ConnectionHandler = Listener;
    /// What libp2p says of gossip, or who sent what is none.
    type ToSwarm = Either<gossipsub::Event, (PeerId, Refusal)>;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.gossip.handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(self.listener(inner))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.gossip.handle_established_outbound_connection(id, peer, address, role, port)?;
        Ok(self.listener(inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        self.gossip.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        let judged = event.and_then(|heard| self.judge(&heard).map(|()| heard).map_err(Refusal::Misdeed));
        match judged {
            Ok(heard) => self.gossip.on_connection_handler_event(peer, id, heard),
            Err(why) => self.faults.push_back((peer, why)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.faults.pop_front() {
            Some(fault) => Poll::Ready(ToSwarm::GenerateEvent(Either::Right(fault))),
            None => self.gossip.poll(cx).map(|event| event.map_out(Either::Left)),
        }
    }
}

/// Listens on one connection. What this node says there goes through the handler of libp2p, which learns from its own
/// stream which gossip the peer speaks.
pub(super) struct Listener {
    inner: Inner,
    incoming: Option<Incoming>,
    timeout: Duration,
    /// When the message that has begun is late.
    end: Option<Pin<Box<Sleep>>>,
}

impl Listener {
    /// The next that comes, or why no more is read.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, Refusal>> {
        let Some(future::Either::Left((incoming, _))) = &mut self.incoming else { return Poll::Pending };
        let next = incoming.poll_next_unpin(cx).map_err(|error| io::Error::from(error).kind());
        let begun = incoming.read_buffer();
        let size = length(begun).unwrap_or_default();
        if size > MESSAGE_BYTES_MAX {
            let fault = BadFrame::TooLarge { size, max: MESSAGE_BYTES_MAX };
            return Poll::Ready(Err(Refusal::Frame(fault)));
        }
        match next {
            Poll::Ready(Some(Ok(heard))) => {
                self.end = None;
                Poll::Ready(Ok(heard))
            }
            Poll::Ready(Some(Err(io::ErrorKind::InvalidData))) => {
                Poll::Ready(Err(Refusal::Misdeed(Misdeed::Malformed)))
            }
            Poll::Ready(_) if !begun.is_empty() => Poll::Ready(Err(Refusal::Frame(BadFrame::Cut))),
            // The peer has no more to say, or says it on another stream.
            Poll::Ready(_) => {
                self.incoming = None;
                Poll::Pending
            }
            Poll::Pending if begun.is_empty() => {
                self.end = None;
                Poll::Pending
            }
            Poll::Pending => {
                let end = self.end.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.timeout)));
                ready!(end.as_mut().poll(cx));
                Poll::Ready(Err(Refusal::Frame(BadFrame::Slow(self.timeout))))
            }
        }
    }
}

/// The length with which a message begins, as far as it is there: an unsigned varint, as postcard has it too.
fn length(begun: &[u8]) -> Option<usize> {
    let (length, _) = postcard::take_from_bytes::<u64>(begun).ok()?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

impl ConnectionHandler for Listener {
    type FromBehaviour = <Inner as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = Result<Heard, Refusal>;
    type InboundProtocol = <Inner as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Inner as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if let Poll::Ready(event) = self.inner.poll(cx) {
            return Poll::Ready(event.map_custom(Ok));
        }
        let heard = ready!(self.poll_incoming(cx));
        if heard.is_err() {
            self.incoming = None;
        }
        Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(heard))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx).map(|event| event.map(Ok))
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => {
                (self.incoming, self.end) = (Some(protocol), None);
            }
            event => self.inner.on_connection_event(event),
        }
    }
}
