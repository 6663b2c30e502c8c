//! Statements: what a member says about who belongs.
//!
//! Owns their bytes, their bounds and their signatures. Says nothing about whether a statement counts: that
//! takes the roster. Invariant: a [`SignedStatement`] exists only when its bytes are the one form of what it
//! says and every signature in it is right.

use std::collections::BTreeMap;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

use super::{EnvId, Head, Role, verified};
use crate::audit::key::NodeKey;
use crate::audit::signature::{InvalidSignature, PublicKey, Signature};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::scope::Principal;
use crate::timeline::feed::FeedId;

/// The most bytes a statement takes.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// The most feeds that a statement names: with them it fits in a record, whatever else it says.
pub const HEADS_MAX: usize = 750;
/// Characters of a principal's name.
pub const PRINCIPAL_MAX_CHARS: usize = 128;
/// Characters of the reason for a revocation.
pub const REASON_MAX_CHARS: usize = 256;

/// The first byte: how to read the rest. Claims and fields are append-only.
const VERSION: u8 = 1;
/// What each kind of signature begins with, so that none serves for another.
const STATEMENT: &str = "xyn statement v1";
const CONSENT: &str = "xyn consent v1";
const SUCCESSION: &str = "xyn succession v1";

/// One statement, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The environment it is about.
    pub env: EnvId,
    /// Who says it.
    pub issuer: PublicKey,
    /// When, by the issuer's clock. Only tells which of two certificates for one node is the newer one.
    pub issued_at: Timestamp,
    /// What it says.
    pub claim: Claim,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// A node belongs. Another one for the same seat renews it or changes its role.
    Certificate(Certificate),
    /// A node no longer belongs.
    Revocation(Revocation),
}

/// A node belongs, for this principal, with this role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The node.
    pub node: PublicKey,
    /// Its place in the tree of members.
    pub seat: Seat,
    /// Whose device it is.
    pub principal: Principal,
    /// What the principal may do with it; never more than the issuer may.
    pub role: Role,
    /// Until when others connect to it. Says nothing about its records.
    pub expires: Option<Timestamp>,
    /// The node's own signature over its seat: it holds the key, and nobody takes it from one seat to
    /// another.
    pub consent: Signature,
}

/// A place in the tree of members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seat {
    /// Below this member (or the root), which, with all above it, may renew and revoke.
    Under(PublicKey),
    /// That of a member which changes its key.
    Succeeding(Succession),
}

/// A member's last word under its old key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// The old key.
    pub old: PublicKey,
    /// The last records under it. What the old key signs afterwards does not count, whoever got hold of it.
    pub last: BTreeMap<FeedId, Head>,
    /// By the old key, over the environment, the new key and the last records.
    pub signature: Signature,
}

/// A node no longer belongs, and neither do the keys that succeed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The node.
    pub node: PublicKey,
    /// The last accepted record of each feed of the node and its successors. Feeds that are not listed do not
    /// count at all.
    pub last: BTreeMap<FeedId, Head>,
    /// Why, for people.
    pub reason: String,
}

/// A statement with its signatures checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    statement: Statement,
    bytes: Vec<u8>,
    id: Digest,
}

/// Why bytes are no statement of this environment.
#[derive(Debug, thiserror::Error)]
pub enum InvalidStatement {
    /// Too many bytes.
    #[error("a statement of {0} bytes is longer than {STATEMENT_BYTES_MAX}")]
    TooLarge(usize),
    /// Written by a newer version of this program.
    #[error("statement version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// Cut short or no statement.
    #[error("the statement is malformed")]
    Malformed(#[source] Option<postcard::Error>),
    /// Another spelling of the same statement would have another id.
    #[error("the statement is not written in its one form")]
    NotCanonical,
    /// For another environment.
    #[error("the statement is about environment `{0}`")]
    OtherEnv(EnvId),
    /// A name or reason that is empty, too long or holds control characters.
    #[error("the {0} of a statement is empty, too long or not plain text")]
    Text(&'static str),
    /// More last records than anybody looks at.
    #[error("the statement names {0} feeds, more than {HEADS_MAX}")]
    Heads(usize),
    /// Not signed by its issuer.
    #[error("the issuer did not sign the statement")]
    Issuer(#[source] InvalidSignature),
    /// The node never agreed to this seat.
    #[error("the node did not agree to its seat")]
    Consent(#[source] InvalidSignature),
    /// The old key did not name this successor.
    #[error("the old key did not name this successor")]
    Succession(#[source] InvalidSignature),
}

impl Statement {
    /// Signs with the issuer's key, and refuses what others would refuse.
    pub fn sign(self, key: &NodeKey) -> Result<SignedStatement, InvalidStatement> {
        let payload = self.to_bytes()?;
        let signature = key.sign(STATEMENT, &payload);
        let bytes = [&[VERSION], payload.as_slice(), signature.as_bytes()].concat();
        SignedStatement::decode(&bytes, self.env)
    }

    /// What its issuer is asked to sign, as text: hex digits.
    pub fn to_hex(&self) -> Result<String, InvalidStatement> {
        Ok(HEXLOWER.encode(&self.to_bytes()?))
    }

    /// Reads what its issuer is asked to sign, and refuses what would count with no signature.
    pub fn from_hex(text: &str) -> Result<Self, InvalidStatement> {
        let statement = Self::unsigned(&bytes_of(text)?)?;
        statement.claim.check(statement.env)?;
        Ok(statement)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, InvalidStatement> {
        postcard::to_stdvec(self).map_err(|error| InvalidStatement::Malformed(Some(error)))
    }

    fn unsigned(bytes: &[u8]) -> Result<Self, InvalidStatement> {
        let read = postcard::from_bytes(bytes);
        let statement: Self = read.map_err(|error| InvalidStatement::Malformed(Some(error)))?;
        if plain(&statement) == bytes { Ok(statement) } else { Err(InvalidStatement::NotCanonical) }
    }
}

impl Seat {
    /// The consent of `key` to this seat in `env`.
    pub fn agree(&self, env: EnvId, key: &NodeKey) -> Signature {
        key.sign(CONSENT, &self.consent_payload(env))
    }

    /// Checks that `node` agreed to this seat in `env`.
    pub fn verify(&self, env: EnvId, node: PublicKey, consent: &Signature) -> Result<(), InvalidSignature> {
        node.verify(CONSENT, &self.consent_payload(env), consent)
    }

    /// Two certificates for one seat differ in the rest; the consent covers the seat alone.
    fn consent_payload(&self, env: EnvId) -> Vec<u8> {
        plain(&(env, self))
    }
}

impl Succession {
    /// The last word of `old`: that `new` takes its seat, and which records were its last.
    pub fn sign(env: EnvId, old: &NodeKey, new: PublicKey, last: BTreeMap<FeedId, Head>) -> Self {
        let signature = old.sign(SUCCESSION, &plain(&(env, new, &last)));
        Self { old: old.public(), last, signature }
    }

    fn verify(&self, env: EnvId, new: PublicKey) -> Result<(), InvalidSignature> {
        self.old.verify(SUCCESSION, &plain(&(env, new, &self.last)), &self.signature)
    }
}

impl SignedStatement {
    /// Reads and checks a statement about `env`.
    pub fn decode(bytes: &[u8], env: EnvId) -> Result<Self, InvalidStatement> {
        if bytes.len() > STATEMENT_BYTES_MAX {
            return Err(InvalidStatement::TooLarge(bytes.len()));
        }
        let signed = match bytes.split_first() {
            Some((&VERSION, signed)) => signed,
            Some((&version, _)) if version > VERSION => return Err(InvalidStatement::Newer(version)),
            _ => return Err(InvalidStatement::Malformed(None)),
        };
        let (payload, signature) = signed.split_last_chunk().ok_or(InvalidStatement::Malformed(None))?;
        let statement = Statement::unsigned(payload)?;
        if statement.env != env {
            return Err(InvalidStatement::OtherEnv(statement.env));
        }
        let id = Digest::of(bytes);
        if !verified::knows(&id) {
            let verified = statement.issuer.verify(STATEMENT, payload, &Signature::from_bytes(*signature));
            verified.map_err(InvalidStatement::Issuer)?;
            statement.claim.check(env)?;
            verified::remember(id);
        }
        Ok(Self { statement, bytes: bytes.to_vec(), id })
    }

    /// Reads and checks a statement about `env` from its text: the hex digits of its bytes.
    pub fn from_hex(text: &str, env: EnvId) -> Result<Self, InvalidStatement> {
        Self::decode(&bytes_of(text)?, env)
    }

    /// Its bytes as hex digits.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.bytes)
    }

    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The bytes that are stored and sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of its bytes.
    pub fn id(&self) -> Digest {
        self.id
    }
}

impl Claim {
    fn check(&self, env: EnvId) -> Result<(), InvalidStatement> {
        match self {
            Self::Certificate(certificate) => certificate.check(env),
            Self::Revocation(revocation) => {
                few(&revocation.last)?;
                text("reason", &revocation.reason, REASON_MAX_CHARS)
            }
        }
    }
}

impl Certificate {
    fn check(&self, env: EnvId) -> Result<(), InvalidStatement> {
        text("principal", self.principal.as_str(), PRINCIPAL_MAX_CHARS)?;
        if let Seat::Succeeding(succession) = &self.seat {
            few(&succession.last)?;
        }
        self.seat.verify(env, self.node, &self.consent).map_err(InvalidStatement::Consent)?;
        match &self.seat {
            Seat::Under(_) => Ok(()),
            Seat::Succeeding(last) => last.verify(env, self.node).map_err(InvalidStatement::Succession),
        }
    }
}

fn bytes_of(text: &str) -> Result<Vec<u8>, InvalidStatement> {
    if text.len() > 2 * STATEMENT_BYTES_MAX {
        return Err(InvalidStatement::TooLarge(text.len() / 2));
    }
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| InvalidStatement::Malformed(None))
}

fn few(last: &BTreeMap<FeedId, Head>) -> Result<(), InvalidStatement> {
    if last.len() <= HEADS_MAX { Ok(()) } else { Err(InvalidStatement::Heads(last.len())) }
}

/// Texts of strangers end up in logs and on screens.
fn text(name: &'static str, text: &str, max_chars: usize) -> Result<(), InvalidStatement> {
    let fits = (1..=max_chars).contains(&text.chars().count()) && !text.contains(char::is_control);
    if fits { Ok(()) } else { Err(InvalidStatement::Text(name)) }
}

/// The one form of plain data: postcard, fields in the order they are declared.
fn plain<T: Serialize>(data: &T) -> Vec<u8> {
    postcard::to_stdvec(data).expect("plain data always encodes into a growing buffer")
}
