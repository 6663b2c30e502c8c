//! A member of its own making that is asked for blobs, and answers as it likes.
//!
//! Owns its socket, as the attackers do. Invariant: it goes away when it is sent away, and does not come back.

use std::io;

use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Event, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use xyn_net::wire::blobs::{Answer, Ask};
use xyn_net::wire::{self, Message as _};
use xyn_store::audit::key::NodeKey;

use super::attacker::dial;

/// Reads a question, writes an answer.
#[derive(Clone, Default)]
struct Plain;

impl request_response::Codec for Plain {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut length = [0; 4];
        io.read_exact(&mut length).await?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        io.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        unreachable!("it asks nothing")
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, _: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        unreachable!("it asks nothing")
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&super::whole(&bytes)).await
    }
}

/// Connects to `host` and answers what it asks for.
pub(crate) async fn serve(key: NodeKey, host: String, answer: impl Fn(Ask) -> Answer + Send) {
    let protocols = [(StreamProtocol::new(Ask::PROTOCOL), ProtocolSupport::Full)];
    let exchange: request_response::Behaviour<Plain> =
        request_response::Behaviour::new(protocols, request_response::Config::default());
    let mut swarm = dial(&key, &host, exchange);
    loop {
        if let SwarmEvent::Behaviour(Event::Message {
            message: Message::Request { request, channel, .. },
            ..
        }) = swarm.select_next_some().await
        {
            let ask = wire::decode(&request).expect("nodes are honest");
            // It may have been sent away for an answer before.
            let _ = swarm.behaviour_mut().send_response(channel, wire::encode(&answer(ask)));
        }
    }
}
