//! A raw libp2p stream: as many bytes as were asked for, on one stream, thrown away as they come.

use std::io;
use std::time::{Duration, Instant};

use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, SwarmBuilder, noise, tcp, yamux};

use crate::node::{runtime, say, until_closed};

const PATIENCE: Duration = Duration::from_secs(600);
const PIECE_BYTES: usize = 256 << 10;

/// A question is how many bytes to send, and the answer, in memory, how many came.
#[derive(Clone, Default)]
struct Raw;

async fn read_number<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<u64> {
    let mut bytes = [0; 8];
    io.read_exact(&mut bytes).await?;
    Ok(u64::from_be_bytes(bytes))
}

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = u64;
    type Response = u64;

    async fn read_request<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<u64> {
        read_number(io).await
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<u64> {
        let (mut came, mut piece) = (0, vec![0; PIECE_BYTES]);
        loop {
            match io.read(&mut piece).await? {
                0 => return Ok(came),
                count => came += count as u64,
            }
        }
    }

    async fn write_request<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: u64,
    ) -> io::Result<()> {
        io.write_all(&bytes.to_be_bytes()).await
    }

    async fn write_response<T: AsyncWrite + Unpin + Send>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: u64,
    ) -> io::Result<()> {
        let (mut left, piece) = (bytes as usize, vec![7; PIECE_BYTES]);
        while left > 0 {
            let next = left.min(PIECE_BYTES);
            io.write_all(&piece[..next]).await?;
            left -= next;
        }
        io.flush().await
    }
}

fn swarm() -> Swarm<request_response::Behaviour<Raw>> {
    let protocols = [(StreamProtocol::new("/raw"), ProtocolSupport::Full)];
    let config = request_response::Config::default().with_request_timeout(PATIENCE);
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .expect("a key")
        .with_quic()
        .with_behaviour(|_| request_response::Behaviour::new(protocols, config))
        .expect("nothing can fail")
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build()
}

pub(crate) fn hold(transport: &str) {
    runtime().block_on(async {
        let mut swarm = swarm();
        let listen: Multiaddr = format!("/ip6/::1/{transport}").parse().expect("an address");
        swarm.listen_on(listen).expect("loopback can be listened on");
        let serve = async {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { address, .. } => {
                        say(&format!("{address}/p2p/{}", swarm.local_peer_id()));
                    }
                    SwarmEvent::Behaviour(request_response::Event::Message {
                        message: Message::Request { request, channel, .. },
                        ..
                    }) => swarm.behaviour_mut().send_response(channel, request).expect("it waits"),
                    _ => {}
                }
            }
        };
        tokio::select! { () = serve => {}, () = until_closed() => {} }
    });
}

pub(crate) fn fetch(bytes: u64, address: &str) {
    runtime().block_on(async {
        let mut swarm = swarm();
        swarm.dial(address.parse::<Multiaddr>().expect("an address")).expect("nothing denies it");
        let mut begun = Instant::now();
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                    begun = Instant::now();
                    swarm.behaviour_mut().send_request(&peer_id, bytes);
                }
                SwarmEvent::Behaviour(request_response::Event::Message {
                    message: Message::Response { response, .. },
                    ..
                }) => {
                    assert_eq!(response, bytes);
                    say(&begun.elapsed().as_secs_f64().to_string());
                    return until_closed().await;
                }
                SwarmEvent::Behaviour(request_response::Event::OutboundFailure { error, .. }) => {
                    panic!("{error}")
                }
                _ => {}
            }
        }
    });
}
