//! What can be signed: manifests, statements and key rings, each under its own type.

use super::envelope::Envelope;
use super::error::NotVerified;
use super::key::SecretKey;
use crate::manifest::Manifest;

/// What an envelope can hold.
pub trait Payload: Sized {
    /// What the envelope says that it holds.
    const TYPE: &'static str;

    /// Reads it from all of `bytes`.
    fn read(bytes: &[u8]) -> Result<Self, NotVerified>;

    /// The bytes to sign, which [`Payload::read`] reads.
    fn write(&self) -> Result<Vec<u8>, NotVerified>;
}

/// Puts `payload` into an envelope, signed by `key`. More keys sign with [`Envelope::sign`].
pub fn seal<T: Payload>(payload: &T, key: &SecretKey) -> Result<Envelope, NotVerified> {
    let mut envelope = Envelope::new(T::TYPE, payload.write()?);
    envelope.sign(key)?;
    Ok(envelope)
}

impl Payload for Manifest {
    const TYPE: &'static str = "application/vnd.xyn.capsule.v1+json";

    fn read(bytes: &[u8]) -> Result<Self, NotVerified> {
        Ok(Self::read(bytes)?)
    }

    fn write(&self) -> Result<Vec<u8>, NotVerified> {
        Ok(self.to_bytes()?)
    }
}
