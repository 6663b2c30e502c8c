//! What strangers' bytes meet first: the framing of a stream, and the addresses of members.
//!
//! Owns no parser: those of `codec` and `address` stand here in the open, for whoever tries them
//! with all that may come. Invariant: nothing here waits or connects.

use libp2p::Multiaddr;
use libp2p::futures::executor::block_on;

use super::address;
use super::codec::{BadFrame, Codec, MESSAGE_TIMEOUT, READING_BYTES_MAX, Room, SHARE_BYTES};

/// What a protocol whose messages have up to `max` bytes reads from a stream with these bytes and no more; `packs`
/// says whether its messages may be packed. None when the stream ends before the message does.
pub fn message(stream: &[u8], max: usize, packs: bool) -> Option<Result<Vec<u8>, BadFrame>> {
    let room = Room::new(READING_BYTES_MAX, SHARE_BYTES);
    let codec =
        Codec { request_bytes_max: max, response_bytes_max: max, timeout: MESSAGE_TIMEOUT, packs, room };
    block_on(codec.read_patiently(&mut &*stream, max)).ok()
}

/// The address that a member says another one has, as text, when all that is asked of one was asked of it.
pub fn address(bytes: &[u8]) -> Option<String> {
    let address = Multiaddr::try_from(bytes.to_vec()).ok()?;
    look_at(&address);
    Some(address.to_string())
}

/// The same of an address that somebody typed or a ticket names.
pub fn address_text(text: &str) -> Option<String> {
    let address = address::parse(text).ok()?;
    look_at(&address);
    // Whether it names a relay is its own question.
    let _ = address::relay(text);
    Some(address.to_string())
}

fn look_at(address: &Multiaddr) {
    let (place, peer) = address::split(address.clone());
    let _ = (address::is_local(&place), address::is_here(&place), address::is_relayed(&place));
    if let Some(relay) = peer.and_then(address::node) {
        assert!(
            address::is_relayed(&address::circuit(&place, relay)),
            "{address} is reached through a relay"
        );
    }
}
