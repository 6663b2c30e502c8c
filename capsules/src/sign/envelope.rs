//! DSSE envelopes: bytes, what they are, and who signed them.
//!
//! Owns the envelope (<https://github.com/secure-systems-lab/dsse>, v1.0) and the encoding that is signed,
//! which binds the type and every length. Writes and reads standard base64 in its one form only. Refuses to
//! hand out what it holds as anything but bytes: [`Quorum`](super::Quorum) opens it. Invariant: what a
//! signature covers are the very bytes that are read.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};
use xyn_store::Digest;

use super::key::{KeyId, PublicKey, SIGNATURE_BYTES, SecretKey};
use crate::json::{self, InvalidJson, Pointer, shown};

/// Bytes that an envelope may have.
pub const ENVELOPE_MAX_BYTES: usize = 6 << 20;
/// Signatures of one envelope.
pub const SIGNATURES_MAX: usize = 32;
/// Bytes of a payload type.
const TYPE_MAX_BYTES: usize = 255;

/// Bytes with signatures. None of them was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// A signature, and who is said to have made it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// Nothing where the envelope says nothing.
    pub(super) key_id: Option<KeyId>,
    pub(super) bytes: [u8; SIGNATURE_BYTES],
}

/// Why bytes are no envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnvelope {
    /// They are no such document.
    #[error("no envelope: {0}")]
    Json(#[from] InvalidJson),
    /// What must be base64 is none, or not in its one form.
    #[error("{0}: is not base64 (RFC 4648 §4) in its one form, with padding and without line feeds")]
    Base64(Pointer),
    /// A signature of another length.
    #[error("{place}: a signature has {SIGNATURE_BYTES} bytes, and this one {found}")]
    Length {
        /// Where.
        place: Pointer,
        /// What it has.
        found: usize,
    },
    /// A name of a key that cannot be one.
    #[error("{place}: `{key_id}` is no key id of 64 lowercase hex digits")]
    KeyId {
        /// Where.
        place: Pointer,
        /// What stands there.
        key_id: String,
    },
    /// More than [`SIGNATURES_MAX`].
    #[error("`/signatures`: there are {0}, and there may be {SIGNATURES_MAX}")]
    TooMany(usize),
    /// A type that is too long, or none.
    #[error("`/payloadType`: has {0} bytes, and may have 1 to {TYPE_MAX_BYTES}")]
    Type(usize),
}

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    payload_type: String,
    payload: String,
    signatures: Vec<SignatureShape>,
}

#[derive(Serialize, Deserialize)]
struct SignatureShape {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// `payload`, which is of that type, without a signature.
    pub(super) fn new(payload_type: &str, payload: Vec<u8>) -> Self {
        Self { payload_type: payload_type.to_owned(), payload, signatures: Vec::new() }
    }

    /// Reads the envelope that is all of `bytes`. Fields that DSSE does not name are ignored, as it demands.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidEnvelope> {
        let shape: Shape = json::read(bytes, ENVELOPE_MAX_BYTES)?;
        let root = Pointer::default();
        if !(1..=TYPE_MAX_BYTES).contains(&shape.payload_type.len()) {
            return Err(InvalidEnvelope::Type(shape.payload_type.len()));
        }
        if shape.signatures.len() > SIGNATURES_MAX {
            return Err(InvalidEnvelope::TooMany(shape.signatures.len()));
        }
        let payload = BASE64_STANDARD.decode(&shape.payload);
        let payload = payload.map_err(|_| InvalidEnvelope::Base64(root.clone().join("payload")))?;
        let signatures = shape.signatures.iter().enumerate().map(|(index, signature)| {
            let place = |field| root.clone().join("signatures").join(index).join(field);
            signature.read(place)
        });
        Ok(Self {
            payload_type: shape.payload_type,
            payload,
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The bytes of the envelope.
    pub fn to_bytes(&self) -> Vec<u8> {
        let signature = |signature: &Signature| SignatureShape {
            keyid: signature.key_id.map(String::from).unwrap_or_default(),
            sig: BASE64_STANDARD.encode(signature.bytes),
        };
        let shape = Shape {
            payload_type: self.payload_type.clone(),
            payload: BASE64_STANDARD.encode(&self.payload),
            signatures: self.signatures.iter().map(signature).collect(),
        };
        serde_json::to_vec(&shape).expect("texts and lists of texts are always JSON")
    }

    /// Adds the signature of `key`, unless it stands there.
    pub fn sign(&mut self, key: &SecretKey) -> Result<(), InvalidEnvelope> {
        let signature =
            Signature { key_id: Some(key.public().id()), bytes: key.sign(&self.pre_authentication()) };
        match self.signatures.len() {
            _ if self.signatures.contains(&signature) => Ok(()),
            SIGNATURES_MAX.. => Err(InvalidEnvelope::TooMany(self.signatures.len() + 1)),
            _ => {
                self.signatures.push(signature);
                Ok(())
            }
        }
    }

    /// Adds those signatures of `other` that `keys` made, where both hold the same. Answers whether one is new.
    pub fn join(&mut self, other: &Self, keys: &[PublicKey]) -> Result<bool, InvalidEnvelope> {
        if (&other.payload_type, &other.payload) != (&self.payload_type, &self.payload) {
            return Ok(false);
        }
        let message = self.pre_authentication();
        let is_made = |signature: &Signature| {
            let mut named = keys.iter().filter(|key| signature.key_id == Some(key.id()));
            named.any(|key| key.verify(&message, &signature.bytes).is_ok())
        };
        let is_new = |signature: &&Signature| !self.signatures.contains(signature) && is_made(signature);
        let new: Vec<_> = other.signatures.iter().filter(is_new).cloned().collect();
        let count = self.signatures.len() + new.len();
        if count > SIGNATURES_MAX {
            return Err(InvalidEnvelope::TooMany(count));
        }
        let is_any = !new.is_empty();
        self.signatures.extend(new);
        Ok(is_any)
    }

    /// What it says that it holds.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// What it holds, from whomever it is: to be shown as such, and for nothing else.
    pub fn unverified(&self) -> &[u8] {
        &self.payload
    }

    /// The name of what it holds. More signatures do not change it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Who is said to have signed it.
    pub fn claimed_signers(&self) -> impl Iterator<Item = KeyId> {
        self.signatures.iter().filter_map(|signature| signature.key_id)
    }

    pub(super) fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// What is signed: type and payload, each behind its length, so that no two pairs give the same bytes.
    pub(super) fn pre_authentication(&self) -> Vec<u8> {
        let Self { payload_type, payload, .. } = self;
        let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
        [head.as_bytes(), payload].concat()
    }
}

impl SignatureShape {
    fn read(&self, place: impl Fn(&'static str) -> Pointer) -> Result<Signature, InvalidEnvelope> {
        let bytes = BASE64_STANDARD.decode(&self.sig).map_err(|_| InvalidEnvelope::Base64(place("sig")))?;
        let length = |bytes: Vec<u8>| InvalidEnvelope::Length { place: place("sig"), found: bytes.len() };
        let bytes = bytes.try_into().map_err(length)?;
        let key_id = match self.keyid.as_str() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| InvalidEnvelope::KeyId { place: place("keyid"), key_id: shown(text) })?,
            ),
        };
        Ok(Signature { key_id, bytes })
    }
}

/// Shows who is said to have signed how much of what.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("payload_type", &self.payload_type)
            .field("payload_bytes", &self.payload.len())
            .field("claimed_signers", &self.claimed_signers().collect::<Vec<_>>())
            .finish()
    }
}
