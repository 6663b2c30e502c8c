//! A member of its own making that is asked for blobs.

use libp2p::futures::StreamExt;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, StreamProtocol, SwarmBuilder, noise, tcp, yamux};

use super::people::key;
use super::{MESSAGE_TIMEOUT, Node, PATIENCE};
use crate::driver::address;
use crate::driver::behaviour::{Exchange, ExchangeEvent};
use crate::driver::codec::{Codec, READING_BYTES_MAX, Room};
use crate::wire::blobs::{Answer, Ask};
use crate::wire::{self, MESSAGE_BYTES_MAX, Message as _};

/// Connects `who` to a node and answers what it asks; where there is no answer, it is let wait.
pub(super) async fn serve(who: u8, host: &Node, answer: impl Fn(Ask) -> Option<Answer> + Send + 'static) {
    let max = MESSAGE_BYTES_MAX;
    let codec = Codec {
        request_bytes_max: max,
        response_bytes_max: max,
        timeout: MESSAGE_TIMEOUT,
        packs: false,
        room: Room::new(READING_BYTES_MAX, READING_BYTES_MAX),
    };
    let protocols = [(StreamProtocol::new(Ask::PROTOCOL), ProtocolSupport::Full)];
    let exchange = Exchange::with_codec(codec, protocols, request_response::Config::default());
    let mut swarm = SwarmBuilder::with_existing_identity(address::keypair(&key(who)))
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .expect("a key")
        .with_quic()
        .with_behaviour(|_| exchange)
        .expect("nothing can fail")
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    let (place, _) = address::split(host.address.parse::<Multiaddr>().expect("an address"));
    swarm.dial(place).expect("nothing denies it");
    tokio::spawn(async move {
        let mut waiting = Vec::new();
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(ExchangeEvent::Message {
                message: Message::Request { request, channel, .. },
                ..
            }) = event
            {
                let ask = wire::decode(&request.expect("nodes are honest")).expect("nodes are honest");
                match answer(ask) {
                    // It may have been dropped for an answer before.
                    Some(answer) => drop(swarm.behaviour_mut().send_response(channel, wire::encode(&answer))),
                    None => waiting.push(channel),
                }
            }
        }
    });
}
