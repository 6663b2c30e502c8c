//! Where members are, as members tell each other.
//!
//! Owns the bounds on what one message may name. An address is opaque here. Invariant: a message at every bound
//! fits its protocol.

use serde::{Deserialize, Serialize};
use xyn_store::audit::signature::PublicKey;

use super::{Bounded, Message, Payload};

/// The most members of whom one message speaks.
pub const CONTACTS_MAX: usize = 64;
/// The most addresses of one member.
pub const ADDRESSES_MAX: usize = 16;
/// The most bytes of one address.
pub const ADDRESS_BYTES_MAX: usize = 128;

/// An address, as the transport writes it.
pub type Address = Payload<ADDRESS_BYTES_MAX>;
/// The addresses of one member.
pub type Addresses = Bounded<Address, ADDRESSES_MAX>;

/// Where a member is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The member.
    pub node: PublicKey,
    /// Its addresses.
    pub addresses: Addresses,
}

/// Members of whom the sender knows at first hand where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacts(pub Bounded<Contact, CONTACTS_MAX>);

impl Message for Contacts {
    const PROTOCOL: &'static str = "/xyn/contacts/1";
    const BYTES_MAX: usize = 144 << 10;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};

    #[test]
    fn a_message_at_every_bound_fits_its_protocol() {
        let address = Address::new(&[0xff; ADDRESS_BYTES_MAX]).expect("at the bound");
        let addresses = Bounded::new(vec![address; ADDRESSES_MAX]).expect("at the bound");
        let contact = Contact { node: PublicKey::from_bytes([0xff; 32]), addresses };
        let all = Contacts(Bounded::new(vec![contact; CONTACTS_MAX]).expect("at the bound"));
        assert_eq!(decode::<Contacts>(&encode(&all)).expect("it fits"), all);
    }
}
