//! Statements about a capsule: in-toto Statement v1, each in an envelope of its own.
//!
//! Owns the layer between the envelope and the predicate. Every statement has one subject, the content of a
//! capsule by the digest of its tree, which is the SHA-256 of the list of its root. Invariant: what a statement
//! says of one tree is never taken to be about another.

use serde::{Deserialize, Serialize};
use xyn_store::Digest;

use super::envelope::Envelope;
use super::error::NotVerified;
use super::payload::Payload;
use super::predicate::Predicate;
use crate::json::{self, InvalidJson, shown};
use crate::manifest::Line;

/// Bytes that a statement may have: room for the list of the packages of a large app.
pub const STATEMENT_MAX_BYTES: usize = 4 << 20;

/// The type of all statements.
const TYPE: &str = "https://in-toto.io/Statement/v1";

/// Something that is said about the content of a capsule.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement<P> {
    /// What it is about.
    pub subject: Subject,
    /// What is said.
    pub predicate: P,
}

/// The content of a capsule.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// A name for people: the id of the app.
    pub name: Line,
    /// The digest of its tree.
    pub tree: Digest,
}

/// Why bytes are no statement of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStatement {
    /// They are no such document.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// They are another kind of document.
    #[error("`/_type`: is `{0}`, and should be `{TYPE}`")]
    Type(String),
    /// The statement is of another kind.
    #[error("`/predicateType`: is `{found}`, and should be `{wanted}`")]
    Predicate {
        /// What it is.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// It is about nothing, or about several.
    #[error("`/subject`: there are {0}, and should be 1")]
    Subjects(usize),
    /// What is said cannot be.
    #[error("`/predicate`: {0}")]
    Nonsense(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Shape<P> {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<SubjectShape>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: P,
}

#[derive(Serialize, Deserialize)]
struct SubjectShape {
    name: Line,
    digest: DigestSet,
}

#[derive(Serialize, Deserialize)]
struct DigestSet {
    sha256: Digest,
}

/// The kind of a document, before it is known what else is in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
}

/// Which kind of thing the statement in `envelope` says, from whomever it is: to know as what to open it.
pub fn claimed_predicate_type(envelope: &Envelope) -> Result<String, InvalidStatement> {
    let bytes = envelope.unverified();
    json::judge(bytes, STATEMENT_MAX_BYTES)?;
    Ok(kind(bytes)?.predicate_type)
}

/// Which content the statement in `envelope` is about, from whomever it is.
pub fn claimed_subject(envelope: &Envelope) -> Result<Digest, InvalidStatement> {
    let bytes = envelope.unverified();
    json::judge(bytes, STATEMENT_MAX_BYTES)?;
    kind(bytes)?;
    let shape: Shape<serde_json::Value> = json::parse(bytes)?;
    match shape.subject.as_slice() {
        [subject] => Ok(subject.digest.sha256),
        subjects => Err(InvalidStatement::Subjects(subjects.len())),
    }
}

impl Subject {
    /// Whether it is this content.
    pub(super) fn is(&self, wanted: &Digest) -> Result<(), NotVerified> {
        let (found, wanted) = (self.tree, *wanted);
        if found == wanted { Ok(()) } else { Err(NotVerified::Subject { found, wanted }) }
    }
}

impl<P: Predicate> Payload for Statement<P> {
    const TYPE: &'static str = "application/vnd.in-toto+json";

    fn read(bytes: &[u8]) -> Result<Self, NotVerified> {
        Ok(read(bytes)?)
    }

    fn write(&self) -> Result<Vec<u8>, NotVerified> {
        let subject =
            SubjectShape { name: self.subject.name.clone(), digest: DigestSet { sha256: self.subject.tree } };
        let shape = Shape {
            kind: TYPE.to_owned(),
            subject: vec![subject],
            predicate_type: P::TYPE.to_owned(),
            predicate: &self.predicate,
        };
        let bytes = json::write(&shape).map_err(InvalidStatement::from)?;
        // What is signed can be read: whoever says it learns of it, and not whoever relies on it.
        read::<P>(&bytes)?;
        Ok(bytes)
    }
}

fn read<P: Predicate>(bytes: &[u8]) -> Result<Statement<P>, InvalidStatement> {
    json::judge(bytes, STATEMENT_MAX_BYTES)?;
    let found = kind(bytes)?.predicate_type;
    if found != P::TYPE {
        return Err(InvalidStatement::Predicate { found: shown(&found), wanted: P::TYPE });
    }
    let shape: Shape<P> = json::parse(bytes)?;
    let [subject] =
        <[_; 1]>::try_from(shape.subject).map_err(|subjects| InvalidStatement::Subjects(subjects.len()))?;
    shape.predicate.check().map_err(InvalidStatement::Nonsense)?;
    let subject = Subject { name: subject.name, tree: subject.digest.sha256 };
    Ok(Statement { subject, predicate: shape.predicate })
}

fn kind(bytes: &[u8]) -> Result<Kind, InvalidStatement> {
    let kind: Kind = json::parse(bytes)?;
    if kind.kind == TYPE { Ok(kind) } else { Err(InvalidStatement::Type(shown(&kind.kind))) }
}
