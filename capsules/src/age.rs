//! Capsules for few: encryption to recipients, in the form of age (<https://age-encryption.org/v1>).
//!
//! Owns keys, the header in which each recipient finds the key of a file, and the sealed pieces behind it.
//! Knows X25519 and nothing else: stanzas of other kinds are passed over, and a passphrase opens nothing.
//! Invariant: no byte is handed out before the piece that it is in was proved to be the one that stands
//! there, and an end that was not sealed as the end is none.
//!
//! A capsule is encrypted as a whole, with its manifest: a name, a version and a list of packages tell a
//! stranger as much as files do. Signatures are within, and stay those of the clear manifest, so that whoever
//! has the capsule in the clear proves it as always. That leaves one thing open: someone who may read it can
//! seal the same signed bytes for somebody else. So the manifest names its recipients, and a key that it does
//! not name proves nothing ([`Trusted`](crate::proof::Trusted)).

mod error;
mod header;
mod key;
mod opened;
mod stream;
#[cfg(test)]
mod tests;

pub use error::NotOpened;
pub use header::RECIPIENTS_MAX;
pub use key::{Identity, InvalidAgeKey, Recipient};
pub use opened::Opened;
pub use stream::{Decrypted, Encrypting};

pub(crate) use header::FIRST_LINE;
