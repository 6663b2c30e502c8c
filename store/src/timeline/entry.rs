//! Entries: the moments of the timeline. Immutable; each is a state that can be gone back to.
//!
//! Owns what an entry says and its bytes. Where it stands (who, when) is the record's to say and is not
//! repeated, so it cannot be forged. Invariant: an entry within its limits survives its bytes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{approval::Approvals, feed::FeedId, hlc::Hlc, made::Made, offer::Offer};
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{self, EntryId, RunId};
use crate::legible::quoted;
use crate::scope::{Principal, Stage};

/// Characters that a title may have: what a schema can say.
pub const TITLE_MAX_CHARS: usize = 256;
/// Characters that the name of a branch, of a label, of a workspace, of an environment or of a domain may have.
pub const NAME_MAX_CHARS: usize = 128;
/// Things of one kind that an entry may refer to.
pub const REFS_MAX: usize = 64;

const VERSION: u8 = 1;

/// What kind of moment it is. Variants are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the verb of what was done")]
pub enum Kind {
    Generate,
    Edit,
    Run,
    Gate,
    Approve,
    Pack,
    Verify,
    Reject,
    Replay,
    Import,
    Export,
    Deploy,
    Promote,
    Rollback,
    Domain,
    Replicate,
    Note,
    Merge,
}

/// The name of a branch: 1 to [`NAME_MAX_CHARS`] characters without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Branch(Arc<str>);

/// A text that names no branch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name: 1 to {NAME_MAX_CHARS} characters, none a control character")]
pub struct InvalidName(String);

impl Branch {
    /// The branch that every timeline has.
    pub fn main() -> Self {
        Self("main".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Branch {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match is_name(text) {
            true => Ok(Self(text.into())),
            false => Err(InvalidName(quoted(text))),
        }
    }
}

impl TryFrom<String> for Branch {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> Self {
        branch.0.as_ref().into()
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an entry refers to. Fields are append-only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refs {
    /// The run it came from.
    pub run: Option<RunId>,
    /// What was made.
    pub artifacts: Vec<Made>,
    /// The capsule it is about.
    pub capsule: Option<Digest>,
    /// The workspace whose files were changed; the only one where none is named.
    pub workspace: Option<String>,
    /// Root of that workspace before.
    pub before: Option<Digest>,
    /// Root of that workspace after.
    pub after: Option<Digest>,
    /// The environment that was acted on.
    pub env: Option<String>,
    /// Its stage.
    pub stage: Option<Stage>,
    /// The domain that was mapped.
    pub domain: Option<String>,
    /// The moments that a merge joins, or that a rollback, replay or approval is about.
    pub parents: Vec<EntryId>,
    /// What it asks people and what they say.
    pub approvals: Option<Box<Approvals>>,
    /// The capsule that it offers to members.
    pub offer: Option<Box<Offer>>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who did it.
    pub principal: Principal,
    /// On which branch.
    pub branch: Branch,
    /// What kind of thing.
    pub kind: Kind,
    /// In words.
    pub title: String,
    /// With what.
    pub refs: Refs,
}

/// A moment: what was said, by which node, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The moment.
    pub entry_id: EntryId,
    /// When.
    pub at: Hlc,
    /// The node whose feed holds it.
    pub node: PublicKey,
    /// What it says.
    pub note: Note,
}

/// Why bytes or fields are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Written by a newer version of this program.
    #[error("entry version {0} is newer than this program understands; upgrade it")]
    Newer(u8),
    /// Cut short, or no entry.
    #[error("the entry does not decode")]
    Undecodable,
    /// A text or a list is too long, or a text holds control characters.
    #[error("the entry's {0} is empty, too long, or holds control characters")]
    Unfit(&'static str),
}

impl Note {
    /// The bytes, once everything is within its limits.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let bytes = Vec::with_capacity(96 + self.title.len());
        let bytes = postcard::to_extend(&(VERSION, self), bytes);
        Ok(bytes.expect("plain data always encodes into a growing buffer"))
    }

    /// Reads bytes that anyone may have made.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => match postcard::take_from_bytes::<Self>(rest) {
                Ok((note, [])) => note.check().map(|()| note),
                _ => Err(EntryError::Undecodable),
            },
            Some((&version, _)) if version > VERSION => Err(EntryError::Newer(version)),
            _ => Err(EntryError::Undecodable),
        }
    }

    fn check(&self) -> Result<(), EntryError> {
        let refs = &self.refs;
        let is_title = self.title.is_empty() || is_line(&self.title, TITLE_MAX_CHARS);
        let unfit = [
            (is_name(self.principal.as_str()), "principal"),
            (is_title, "title"),
            (refs.artifacts.len() <= REFS_MAX && refs.artifacts.iter().all(Made::fits), "list of artifacts"),
            (refs.parents.len() <= REFS_MAX, "list of parents"),
            (refs.workspace.as_deref().is_none_or(is_name), "workspace"),
            (refs.env.as_deref().is_none_or(is_name), "environment"),
            (refs.domain.as_deref().is_none_or(is_name), "domain"),
            (refs.offer.as_ref().is_none_or(|offer| offer.fits()), "capsule"),
        ];
        let unfit = unfit.into_iter().find_map(|(fits, what)| (!fits).then_some(what));
        let unfit = unfit.or_else(|| refs.approvals.as_ref()?.unfit(self.kind)).map(EntryError::Unfit);
        unfit.map_or(Ok(()), Err)
    }
}

/// The id of the milestone that follows from the entry at `offset` of the journal that `log` kept, written at
/// `at`: the same each time it is derived.
pub fn milestone_id(log: &FeedId, offset: u64, at: Timestamp) -> EntryId {
    let (incarnation, offset) = (log.incarnation.to_be_bytes(), offset.to_be_bytes());
    ids::derived(at, &[b"milestone", log.node.as_bytes(), &incarnation, &offset])
}

/// Whether `text` can name something.
pub(super) fn is_name(text: &str) -> bool {
    is_line(text, NAME_MAX_CHARS)
}

/// Whether `text` is one line of at most `max_chars`, and not empty.
pub(super) fn is_line(text: &str, max_chars: usize) -> bool {
    (1..=max_chars).contains(&text.chars().count()) && !text.contains(char::is_control)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::timeline) fn note(title: &str) -> Note {
        Note {
            principal: Principal::local_operator(),
            branch: Branch::main(),
            kind: Kind::Run,
            title: title.into(),
            refs: Refs::default(),
        }
    }

    #[test]
    fn an_entry_survives_its_bytes_and_they_are_few() {
        let mut note = note("Build the landing page");
        note.refs.run = Some(ids::derived(Timestamp::EPOCH, &[b"run"]));
        note.refs.after = Some(Digest::of(b"tree"));
        let bytes = note.encode().expect("fits");
        assert!(bytes.len() < 120, "{} bytes", bytes.len());
        assert_eq!(Note::decode(&bytes).expect("own bytes"), note);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        type Spoil = fn(&mut Note);
        let cases: [(&str, Spoil); 7] = [
            ("title", |note| note.title = "x".repeat(TITLE_MAX_CHARS + 1)),
            ("title", |note| note.title = "a\x1b[2Jb".into()),
            ("principal", |note| note.principal = Principal::new("")),
            ("list of parents", |note| {
                note.refs.parents = vec![ids::derived(Timestamp::EPOCH, &[]); REFS_MAX + 1];
            }),
            ("workspace", |note| note.refs.workspace = Some(String::new())),
            ("environment", |note| note.refs.env = Some("a\nb".into())),
            ("domain", |note| note.refs.domain = Some("x".repeat(NAME_MAX_CHARS + 1))),
        ];
        for (what, spoil) in cases {
            let mut spoilt = note("fine");
            spoil(&mut spoilt);
            assert_eq!(spoilt.encode(), Err(EntryError::Unfit(what)));
        }
        assert_eq!(Note::decode(&[2, 0]), Err(EntryError::Newer(2)));
        assert!("".parse::<Branch>().is_err() && "a\0b".parse::<Branch>().is_err());
    }

    #[test]
    fn a_name_is_as_long_as_people_count() {
        assert!("ß".repeat(NAME_MAX_CHARS).parse::<Branch>().is_ok());
        assert!("ß".repeat(NAME_MAX_CHARS + 1).parse::<Branch>().is_err());
    }

    #[test]
    fn the_bytes_of_version_1_stay_readable() {
        let mut golden = vec![1, 14];
        golden.extend_from_slice(b"operator@local\x04main\x02\x05built");
        golden.extend_from_slice(&[0; 12]);
        assert_eq!(Note::decode(&golden).expect("golden bytes decode"), note("built"));
        assert_eq!(note("built").encode().expect("fits"), golden);
    }

    #[test]
    fn a_milestone_has_the_same_id_each_time_and_another_in_another_life() {
        let log = FeedId { node: PublicKey::from_bytes([1; 32]), incarnation: 7 };
        let id = |log: &FeedId, offset| milestone_id(log, offset, Timestamp::EPOCH);
        assert_eq!(id(&log, 3), id(&log, 3));
        assert_ne!(id(&log, 3), id(&log, 4));
        assert_ne!(id(&log, 3), id(&FeedId { incarnation: 8, ..log }, 3));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_an_entry_or_an_error(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            versioned: bool,
        ) {
            if let (true, Some(first)) = (versioned, bytes.first_mut()) {
                *first = VERSION;
            }
            let _ = Note::decode(&bytes);
        }
    }
}
