//! Tickets: a line of text that lets one node into an environment.
//!
//! Owns the text form: `xyn1`, then base32 of version, content and checksum, so that it survives being typed,
//! read aloud and drawn as a QR code (in capitals). Decides nothing about redeeming. Invariant: a text that
//! was cut short or mistyped is no ticket.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::EnvId;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::legible::quoted;

const PREFIX: &str = "xyn1";
const VERSION: u8 = 1;
const TEXT_BYTES_MAX: usize = 4 * 1024;
const ADDRESSES_MAX: usize = 16;
const ADDRESS_BYTES_MAX: usize = 128;
const CHECKSUM_BYTES: usize = 4;

/// What a newcomer needs to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Which ticket; no secret.
    pub id: TicketId,
    /// The environment: its root key, by which the newcomer checks everything it is told.
    pub env: EnvId,
    /// The node that redeems it; whoever answers must prove this key.
    pub issuer: PublicKey,
    /// Where that node may be reached, as multiaddrs.
    pub addresses: Vec<String>,
    /// What the newcomer must know.
    pub secret: TicketSecret,
    /// Until when.
    pub expires: Timestamp,
}

/// The name of a ticket, made at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TicketId(pub [u8; 8]);

/// A text that names no ticket.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the id of a ticket: 16 hex digits")]
pub struct InvalidTicketId(String);

/// What only the holder of a ticket knows. Never shown, but as part of the ticket's text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketSecret([u8; 16]);

/// Why a text is no ticket. Says nothing of the text, which may be most of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTicket {
    /// It does not begin with `xyn1`, or is too long.
    #[error("a ticket begins with `{PREFIX}` and has at most {TEXT_BYTES_MAX} characters")]
    Shape,
    /// Characters that no ticket has, a part that is missing, or a slip.
    #[error("the ticket was mistyped or cut short")]
    Checksum,
    /// Made by a newer version of this program.
    #[error("ticket version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// The checksum is right and the content is not.
    #[error("the ticket's content is malformed")]
    Malformed,
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for TicketId {
    type Err = InvalidTicketId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        let id = bytes.and_then(|bytes| bytes.try_into().ok());
        id.map(Self).ok_or_else(|| InvalidTicketId(quoted(text)))
    }
}

impl TicketSecret {
    /// A secret from random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for TicketSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSecret")
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = postcard::to_extend(self, vec![VERSION]).map_err(|_| fmt::Error)?;
        let sealed = [bytes.as_slice(), &crc32fast::hash(&bytes).to_be_bytes()].concat();
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(&sealed).to_ascii_lowercase())
    }
}

impl FromStr for Ticket {
    type Err = InvalidTicket;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return Err(InvalidTicket::Shape);
        }
        // A QR code of capitals is smaller, and a scanner gives back what was drawn.
        let text = text.to_ascii_uppercase();
        let digits = text.strip_prefix(&PREFIX.to_ascii_uppercase()).ok_or(InvalidTicket::Shape)?;
        let sealed = BASE32_NOPAD.decode(digits.as_bytes()).map_err(|_| InvalidTicket::Checksum)?;
        let (bytes, checksum) = sealed.split_last_chunk::<CHECKSUM_BYTES>().ok_or(InvalidTicket::Checksum)?;
        if crc32fast::hash(bytes) != u32::from_be_bytes(*checksum) {
            return Err(InvalidTicket::Checksum);
        }
        match bytes.split_first() {
            Some((&VERSION, content)) => read(content).ok_or(InvalidTicket::Malformed),
            Some((&version, _)) if version > VERSION => Err(InvalidTicket::Newer(version)),
            _ => Err(InvalidTicket::Malformed),
        }
    }
}

fn read(content: &[u8]) -> Option<Ticket> {
    let (ticket, rest): (Ticket, _) = postcard::take_from_bytes(content).ok()?;
    let plain = |address: &String| {
        address.len() <= ADDRESS_BYTES_MAX && address.bytes().all(|b| b.is_ascii_graphic())
    };
    let fits = ticket.addresses.len() <= ADDRESSES_MAX && ticket.addresses.iter().all(plain);
    (rest.is_empty() && fits).then_some(ticket)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::trust) fn ticket() -> Ticket {
        Ticket {
            id: TicketId([7; 8]),
            env: EnvId::rooted_in(PublicKey::from_bytes([3; 32])),
            issuer: PublicKey::from_bytes([4; 32]),
            addresses: vec!["/ip6/fd00::1/udp/4311/quic-v1".into(), "/ip4/192.168.1.7/tcp/4311".into()],
            secret: TicketSecret::from_bytes([5; 16]),
            expires: Timestamp::from_micros(1_800_000_000_000_000),
        }
    }

    #[test]
    fn a_ticket_survives_its_text_and_its_qr_code() {
        let text = ticket().to_string();
        assert!(text.starts_with("xyn1") && text.bytes().all(|b| b.is_ascii_alphanumeric()), "{text}");
        assert_eq!(text.parse(), Ok(ticket()));
        assert_eq!(text.to_ascii_uppercase().parse(), Ok(ticket()));
        assert_eq!(format!("  {text}\n").parse(), Ok(ticket()), "as it is pasted");
    }

    #[test]
    fn a_slip_or_a_missing_end_is_noticed() {
        let text = ticket().to_string();
        for at in PREFIX.len()..text.len() {
            let mut slip = text.clone().into_bytes();
            slip[at] = if slip[at] == b'a' { b'b' } else { b'a' };
            let slip = String::from_utf8(slip).expect("ASCII");
            assert!(slip.parse::<Ticket>().is_err(), "at {at}");
            assert!(text[..at].parse::<Ticket>().is_err(), "cut at {at}");
        }
    }

    #[test]
    fn each_text_that_is_no_ticket_is_refused_by_name_and_not_repeated() {
        let sealed = |bytes: &[u8]| {
            let sealed = [bytes, &crc32fast::hash(bytes).to_be_bytes()].concat();
            format!("{PREFIX}{}", BASE32_NOPAD.encode(&sealed))
        };
        let crowded = Ticket { addresses: vec![String::new(); ADDRESSES_MAX + 1], ..ticket() };
        let sly = Ticket { addresses: vec!["/ip4/\u{1b}[2J".into()], ..ticket() };
        let cases = [
            ("abc".to_owned(), InvalidTicket::Shape),
            (format!("xyn1{}", "a".repeat(TEXT_BYTES_MAX)), InvalidTicket::Shape),
            ("xyn1!!!".to_owned(), InvalidTicket::Checksum),
            (sealed(&[VERSION + 1, 0]), InvalidTicket::Newer(2)),
            (sealed(&[VERSION, 0]), InvalidTicket::Malformed),
            (sealed(&[]), InvalidTicket::Malformed),
            (crowded.to_string(), InvalidTicket::Malformed),
            (sly.to_string(), InvalidTicket::Malformed),
        ];
        for (text, reason) in cases {
            assert_eq!(text.parse::<Ticket>(), Err(reason), "{text}");
        }
        assert!(!format!("{:?}", ticket()).contains("[5, 5"));
    }

    proptest! {
        #[test]
        fn texts_of_strangers_are_no_tickets(text in "(xyn1)?[a-z2-7]{0,200}", any in "\\PC{0,80}") {
            prop_assert!(text.parse::<Ticket>().is_err());
            prop_assert!(any.parse::<Ticket>().is_err());
        }
    }
}
