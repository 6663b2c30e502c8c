//! Approvals that travel: what a node asks people, the words they give on other nodes, and what is settled.
//!
//! Owns what is asked and said, its bounds, and finding again all that was said of one matter. Does not say
//! who may answer, nor what an answer brings about: that is for the node which asks. Invariant: what is
//! open follows from the moments about a matter, in whatever order they came, and a node speaks only for
//! its own questions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::entry::{Entry, Kind, REFS_MAX, TITLE_MAX_CHARS, is_line, is_name};
use super::feed::FeedId;
use super::head::Effect;
use super::hlc::Hlc;
use super::rows;
use crate::Reader;
use crate::audit::signature::PublicKey;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::ids::{EntryId, IntentId, RunId};
use crate::projection::{Cursor, Page};
use crate::reader::{Order, PageBuilder};
use crate::scope::{Principal, Stage};
use crate::tables::{Key, Table};
use crate::trust::Roster;

/// Bytes that a person may add to a word.
pub const NOTE_MAX_BYTES: usize = 4_000;
/// Moments of one author about one matter that are looked at; the newest ones. So nobody hides what others say.
pub const SAID_MAX: usize = 1_000;

/// What people are asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Matter {
    /// A gate of a run: the id of its step, to which an item of a fan-out adds `.index`.
    Gate(RunId, String),
    /// An intent that a policy wants approved.
    Intent(IntentId),
}

/// Why people are asked. Variants are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A blueprint wants their word.
    Manual,
    /// Nobody is certain of an effect: to approve is to have it done anew.
    Uncertain,
    /// A policy wants an action approved.
    Policy,
}

/// What a node asks people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// About what.
    pub matter: Matter,
    /// Why they are asked.
    pub reason: Reason,
    /// What is to happen, in words.
    pub title: String,
    /// Since when, by the clock of the node that asks: which of several questions about one matter it is.
    pub asked_at: Timestamp,
    /// Answers made at this instant or later are too late.
    pub expires_at: Option<Timestamp>,
    /// Who may answer, as governance writes it; any person when empty.
    pub approvers: Vec<String>,
    /// How many must approve.
    pub min: u32,
    /// Whether the requester counts; none means the stage's default.
    pub allow_requester: Option<bool>,
    /// Who asked for what is to happen.
    pub requester: Principal,
    /// Stage of the target.
    pub stage: Stage,
}

/// A person's word on what another node asks: on the question that is among its entry's parents. Whether it
/// is for or against is the entry's kind, and who gave it is the entry's principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// About what.
    pub matter: Matter,
    /// What the person adds.
    pub note: Option<String>,
}

/// What an entry has to do with approvals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// What is asked from now on.
    pub asks: Vec<Ask>,
    /// What its node asks no longer.
    pub settled: Vec<Matter>,
    /// An answer to another node.
    pub word: Option<Word>,
}

/// A question that is open, and the words on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The moment that asks.
    pub entry_id: EntryId,
    /// The node that asks, by the key it has now.
    pub node: PublicKey,
    /// What it asks.
    pub ask: Ask,
    /// Answers given on other nodes than the one that asks, oldest first. It has the last word on each.
    pub words: Vec<Given>,
}

/// An answer as the timeline has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The node in whose session it was given.
    pub node: PublicKey,
    /// Who gave it: whom the node is certified for.
    pub principal: Principal,
    /// For or against.
    pub approve: bool,
    /// When it was given.
    pub at: Hlc,
    /// What the person adds.
    pub note: Option<String>,
}

impl Matter {
    /// Where the moments about it stand in their index, those of each author together.
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Gate(run, step) => Key::new().bytes(run.as_bytes()).text(step),
            Self::Intent(intent) => Key::new().bytes(intent.as_bytes()).text(""),
        }
    }

    fn fits(&self) -> bool {
        match self {
            Self::Gate(_, step) => is_line(step, TITLE_MAX_CHARS),
            Self::Intent(_) => true,
        }
    }
}

impl Ask {
    fn fits(&self) -> bool {
        let is_fit =
            self.matter.fits() && is_line(&self.title, TITLE_MAX_CHARS) && is_name(self.requester.as_str());
        is_fit
            && self.approvers.len() <= REFS_MAX
            && self.approvers.iter().all(|approver| is_line(approver, TITLE_MAX_CHARS))
    }
}

impl Approvals {
    /// What it is about.
    pub(super) fn matters(&self) -> impl Iterator<Item = &Matter> {
        let asked = self.asks.iter().map(|ask| &ask.matter);
        asked.chain(&self.settled).chain(self.word.iter().map(|word| &word.matter))
    }

    /// What of it is out of bounds in an entry of `kind`.
    pub(super) fn unfit(&self, kind: Kind) -> Option<&'static str> {
        let is_word = |word: &Word| {
            let is_short = word.note.as_ref().is_none_or(|note| note.len() <= NOTE_MAX_BYTES);
            word.matter.fits() && is_short && matches!(kind, Kind::Approve | Kind::Reject)
        };
        let fits = [
            (self.asks.len() <= REFS_MAX && self.asks.iter().all(Ask::fits), "list of questions"),
            (
                self.settled.len() <= REFS_MAX && self.settled.iter().all(Matter::fits),
                "list of what is settled",
            ),
            (self.word.as_ref().is_none_or(is_word), "word"),
        ];
        fits.into_iter().find_map(|(fits, what)| (!fits).then_some(what))
    }
}

impl Entry {
    /// The word on another node's question that it is.
    pub fn word(&self) -> Option<&Word> {
        self.note.refs.approvals.as_ref()?.word.as_ref()
    }

    /// What it asks about `matter`.
    pub fn ask(&self, matter: &Matter) -> Option<&Ask> {
        self.note.refs.approvals.as_ref()?.asks.iter().find(|ask| ask.matter == *matter)
    }

    fn settles(&self, matter: &Matter) -> bool {
        self.note.refs.approvals.as_ref().is_some_and(|approvals| approvals.settled.contains(matter))
    }
}

/// What of `matter` is still open after all that was `said` of it, in the order of the timeline. Several
/// nodes may ask, or pretend to: each about its own. A word in another name than `roster` certifies is
/// nobody's.
pub fn open_questions(matter: &Matter, said: &[Entry], roster: &Roster) -> Vec<Question> {
    let mut open: BTreeMap<PublicKey, Question> = BTreeMap::new();
    for entry in said {
        // A node that changed its key goes on with what it asked under the old one.
        let node = roster.heir(entry.node);
        if entry.settles(matter) {
            open.remove(&node);
        }
        if let Some(ask) = entry.ask(matter) {
            let question = Question { entry_id: entry.entry_id, node, ask: ask.clone(), words: Vec::new() };
            open.insert(node, question);
        }
    }
    // Behind all questions: a word may be dated before what it answers, by another clock.
    for entry in said {
        let Some(word) = entry.word().filter(|word| word.matter == *matter) else { continue };
        if roster.member(entry.node).is_none_or(|member| member.principal != entry.note.principal) {
            continue;
        }
        for question in open.values_mut().filter(|it| entry.note.refs.parents.contains(&it.entry_id)) {
            question.words.push(Given {
                node: entry.node,
                principal: entry.note.principal.clone(),
                approve: entry.note.kind == Kind::Approve,
                at: entry.at,
                note: word.note.clone(),
            });
        }
    }
    open.into_values().collect()
}

impl Reader {
    /// All that was said of `matter`, oldest first: questions, words, and that it is settled.
    pub fn said_of(&self, matter: &Matter) -> Result<Vec<Entry>, StoreError> {
        self.said_below(&matter.key())
    }

    fn said_below(&self, matter: &Key) -> Result<Vec<Entry>, StoreError> {
        let (mut moments, mut after) = (Vec::new(), None::<Key>);
        while let Some(key) = {
            let after = after.as_ref().map(Key::as_bytes);
            self.first_key(Table::TimelineMatters, matter.as_bytes(), after, Order::Ascending)?
        } {
            let author = rows::said_by(matter.clone(), &rows::read_moment(&key)?.feed.node);
            let until = moments.len() + SAID_MAX;
            self.scan(Table::TimelineMatters, author.as_bytes(), None, Order::Descending, |key, _| {
                moments.push(rows::read_moment(key)?);
                Ok(moments.len() < until)
            })?;
            after = Some(author.bytes(&[u8::MAX; rows::MOMENT_BYTES]));
        }
        moments.sort();
        let said = moments.into_iter().map(|moment| self.moment(moment));
        said.filter_map(Result::transpose).collect()
    }

    /// A page of what other nodes than `own` ask people, newest run or intent first.
    pub fn questions_elsewhere(
        &self,
        own: PublicKey,
        roster: &Roster,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<Question>, StoreError> {
        let mut page = PageBuilder::new(limit);
        let mut after = cursor.map(|cursor| cursor.as_bytes().to_vec());
        loop {
            let found = self.first_key(Table::TimelineMatters, &[], after.as_deref(), Order::Descending)?;
            let Some(mut prefix) = found else { break };
            prefix.truncate(prefix.len().saturating_sub(rows::SAID_BY_BYTES));
            let said = self.said_below(&Key::new().bytes(&prefix))?;
            let asked = said.iter().flat_map(|entry| entry.note.refs.approvals.iter());
            let matter =
                asked.flat_map(|approvals| approvals.matters()).find(|it| it.key().as_bytes() == prefix);
            let open = matter.map(|matter| open_questions(matter, &said, roster)).unwrap_or_default();
            let open: Vec<Question> = open.into_iter().filter(|question| question.node != own).collect();
            if !page.offer(&prefix, (!open.is_empty()).then_some(open)) {
                break;
            }
            // Before every moment about this matter.
            after = Some(prefix);
        }
        let Page { items, next } = page.finish();
        Ok(Page { items: items.into_iter().flatten().collect(), next })
    }

    /// The words among records `from` to `to` of `feed`, each with the number of its record.
    pub fn words(
        &self,
        env: PublicKey,
        feed: &FeedId,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Entry)>, StoreError> {
        let draft = Draft::new(env, self);
        let mut words = Vec::new();
        for seq in from..=to {
            let record = draft.record(feed, seq)?;
            if let Effect::Entry(entry_id, note) = rows::effect_of(&record)? {
                let entry = Entry { entry_id, at: record.content.hlc, node: feed.node, note: *note };
                words.extend(entry.word().is_some().then_some((seq, entry)));
            }
        }
        Ok(words)
    }
}
