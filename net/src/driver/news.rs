//! Gossip of libp2p, and what is wrong with what comes by it.
//!
//! Owns the streams on which news come. The handler of libp2p reads them into one line of debugging: it tells nobody
//! what was too long, was no message of its protocol or never ended, and waits for the rest of one as long as the
//! connection lasts. Decides nothing about news, and sends nothing. Invariant: whatever is dropped here has a reason
//! with a name, and no message is waited for that does not go on.

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

/// Streams that a peer opens on one connection, one after the other: libp2p gives up when it had to open as many.
pub(super) const STREAMS_MAX: usize = 5;
/// What must come of a message that has begun in the time that it may be silent. Each of many neighbours may bring the
/// same news at once, over one slow line.
const PROGRESS_BYTES: usize = 8 << 10;

/// News of one environment.
pub(super) struct News {
    pub(super) gossip: Gossipsub,
    topic: TopicHash,
    timeout: Duration,
    tidings: VecDeque<Tiding>,
}

/// What is told of gossip.
#[derive(Debug)]
pub(super) enum Tiding {
    /// What libp2p tells.
    Happened(gossipsub::Event),
    /// A peer said what holds no news.
    Said(PeerId),
    /// Nothing more is read on a connection of a peer.
    Faulty { peer: PeerId, connection: ConnectionId, why: Refusal },
}

impl News {
    /// Those of `topic`, of which no message that has begun may be silent for `timeout`.
    pub(super) fn new(gossip: Gossipsub, topic: TopicHash, timeout: Duration) -> Self {
        Self { gossip, topic, timeout, tidings: VecDeque::new() }
    }

    fn listener(&self, inner: Inner) -> Listener {
        Listener { inner, incoming: None, streams: 0, fault: None, timeout: self.timeout, begun: None }
    }

    /// What nodes of this program never send: news that somebody signed or numbered on their way, and what goes to
    /// other topics. Otherwise, whether there are news in it.
    fn judge(&self, heard: &Heard) -> Result<bool, Misdeed> {
        let Heard::Message { rpc, invalid_messages } = heard else { return Ok(true) };
        if !invalid_messages.is_empty() {
            return Err(Misdeed::Malformed);
        }
        let is_ours = rpc.messages.iter().all(|message| message.topic == self.topic);
        if is_ours { Ok(!rpc.messages.is_empty()) } else { Err(Misdeed::Unasked) }
    }
}

impl NetworkBehaviour for News {
    type ConnectionHandler = Listener;
    type ToSwarm = Tiding;

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
        let judged = event.and_then(|heard| match self.judge(&heard) {
            Ok(has_news) => Ok((heard, has_news)),
            Err(misdeed) => Err(Refusal::Misdeed(misdeed)),
        });
        match judged {
            Ok((heard, has_news)) => {
                self.tidings.extend((!has_news).then_some(Tiding::Said(peer)));
                self.gossip.on_connection_handler_event(peer, id, heard);
            }
            Err(why) => self.tidings.push_back(Tiding::Faulty { peer, connection: id, why }),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.tidings.pop_front() {
            Some(tiding) => Poll::Ready(ToSwarm::GenerateEvent(tiding)),
            None => self.gossip.poll(cx).map(|event| event.map_out(Tiding::Happened)),
        }
    }
}

/// Listens on one connection. What this node says there goes through the handler of libp2p, which learns from its own
/// stream which gossip the peer speaks.
pub(super) struct Listener {
    inner: Inner,
    incoming: Option<Incoming>,
    /// How many there were.
    streams: usize,
    /// What was wrong with the one before.
    fault: Option<Refusal>,
    timeout: Duration,
    /// The message that has begun.
    begun: Option<Begun>,
}

struct Begun {
    /// How much of it was here when the time began to run.
    bytes: usize,
    /// When it has been silent for too long.
    end: Pin<Box<Sleep>>,
}

impl Listener {
    /// The next that comes, or why no more is read.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, Refusal>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Err(fault));
        }
        let Some(future::Either::Left((incoming, _))) = &mut self.incoming else { return Poll::Pending };
        let next = incoming.poll_next_unpin(cx).map_err(|error| io::Error::from(error).kind());
        let waits = incoming.read_buffer();
        match next {
            Poll::Ready(Some(Ok(heard))) => {
                self.begun = None;
                return Poll::Ready(Ok(heard));
            }
            Poll::Ready(Some(Err(io::ErrorKind::InvalidData))) => {
                let fault = too_large(waits).unwrap_or(Refusal::Misdeed(Misdeed::Malformed));
                return Poll::Ready(Err(fault));
            }
            Poll::Ready(_) if !waits.is_empty() => {
                return Poll::Ready(Err(Refusal::Frame(BadFrame::Cut)));
            }
            // The peer has no more to say, or says it on another stream.
            Poll::Ready(_) => self.incoming = None,
            Poll::Pending if waits.is_empty() => self.begun = None,
            Poll::Pending => {
                if let Some(fault) = too_large(waits) {
                    return Poll::Ready(Err(fault));
                }
                let bytes = waits.len();
                let begun = self.begun.take().filter(|begun| bytes < begun.bytes + PROGRESS_BYTES);
                let begin = || Begun { bytes, end: Box::pin(tokio::time::sleep(self.timeout)) };
                let begun = self.begun.insert(begun.unwrap_or_else(begin));
                ready!(begun.end.as_mut().poll(cx));
                return Poll::Ready(Err(Refusal::Frame(BadFrame::Slow(self.timeout))));
            }
        }
        Poll::Pending
    }

    /// Honest peers open another stream when the one before broke.
    fn opened(&mut self, incoming: Incoming) {
        self.streams += 1;
        let was_cut = self.begun.take().is_some();
        self.fault = match self.streams > STREAMS_MAX {
            true => Some(Refusal::Misdeed(Misdeed::Flood)),
            false => was_cut.then_some(Refusal::Frame(BadFrame::Cut)),
        };
        self.incoming = Some(incoming);
    }
}

/// What begins with an unsigned varint, as postcard has it too, that names more bytes than a message has.
fn too_large(begun: &[u8]) -> Option<Refusal> {
    let (size, _) = postcard::take_from_bytes::<u64>(begun).ok()?;
    let (size, max) = (usize::try_from(size).unwrap_or(usize::MAX), MESSAGE_BYTES_MAX);
    (size > max).then_some(Refusal::Frame(BadFrame::TooLarge { size, max }))
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
                self.opened(protocol);
            }
            event => self.inner.on_connection_event(event),
        }
    }
}
