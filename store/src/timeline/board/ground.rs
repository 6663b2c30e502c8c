//! What a change stands on, and whether it makes sense there.
//!
//! The library trusts that every change was written by itself on top of what it names: it panics where one was not,
//! or lets it do something else in another order. So it is given none that was not looked at here. Invariant: the
//! verdict on a change follows from the change, what it builds on and its author's own feed, never from what else is
//! on the board or when it came.

use std::collections::BTreeMap;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, Change, ChangeHash, ObjType};

use super::super::change;
use super::share::Turn;

/// The changes of a board that stand on solid ground.
#[derive(Debug, Default)]
pub(super) struct Grounds {
    pasts: BTreeMap<ChangeHash, Past>,
    authors: BTreeMap<ActorId, Author>,
}

/// What lies before a change and in it: how many changes of each author, and the highest number of an operation.
#[derive(Clone, Debug, Default)]
struct Past {
    changes: BTreeMap<ActorId, u64>,
    max_op: u64,
}

#[derive(Debug, Default)]
struct Author {
    /// Its changes, one behind the other, each with the number of its first operation.
    chain: Vec<(ChangeHash, u64)>,
    made: Made,
}

/// What operations of one author made, by the number of the first of each run.
type Made = BTreeMap<u64, Run>;

#[derive(Debug)]
enum Run {
    /// One operation: a value or a text under a name.
    Named { name: String, is_text: bool },
    /// So many operations: each a piece of the text that `text` made.
    Pieces { text: OpId, count: u64 },
}

/// What becomes of a change whose grounds are all here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Others may build on it.
    Taken,
    /// Its author's library did not write it here.
    Senseless,
    /// Its author has another one under its number.
    Rival,
}

impl Past {
    fn join(&mut self, other: &Self) {
        for (author, count) in &other.changes {
            let own = self.changes.entry(author.clone()).or_default();
            *own = (*own).max(*count);
        }
        self.max_op = self.max_op.max(other.max_op);
    }

    fn count(&self, author: &ActorId) -> u64 {
        self.changes.get(author).copied().unwrap_or_default()
    }
}

impl Grounds {
    /// Something that `change` builds on and that is not here.
    pub(super) fn missing(&self, change: &Change) -> Option<ChangeHash> {
        change.deps().iter().find(|ground| !self.pasts.contains_key(*ground)).copied()
    }

    /// Takes `change`, whose grounds are here, if it makes sense.
    pub(super) fn take(&mut self, change: &Change, turn: Turn) -> Verdict {
        let mut past = Past::default();
        change.deps().iter().filter_map(|ground| self.pasts.get(ground)).for_each(|it| past.join(it));
        let actor = change.actor_id();
        let count = past.count(actor);
        // The library numbers changes and operations without a gap, and names an author in documents of its own only.
        let follows = change.seq() == count + 1 && change.start_op().get() == past.max_op + 1;
        let is_plain = !change.is_empty() && change.author().is_none();
        if !follows || !is_plain || !self.is_in_turn(actor, count, turn) {
            return Verdict::Senseless;
        }
        let Some(made) = self.made_by(change, &past) else { return Verdict::Senseless };
        let author = self.authors.entry(actor.clone()).or_default();
        if author.chain.len() as u64 > count {
            return Verdict::Rival;
        }
        author.chain.push((change.hash(), change.start_op().get()));
        author.made.extend(made);
        past.changes.insert(actor.clone(), change.seq());
        past.max_op = change.max_op();
        self.pasts.insert(change.hash(), past);
        Verdict::Taken
    }

    /// How many changes of the author are here, and the last of them.
    pub(super) fn last_of(&self, actor: &ActorId) -> Option<(u64, ChangeHash)> {
        let chain = &self.authors.get(actor)?.chain;
        chain.last().map(|(hash, _)| (chain.len() as u64, *hash))
    }

    /// Whether the author's change number `count` is the one that its next one comes behind. So each time that an
    /// author goes back to an old number there is one rival at most, and not one for each change from there on.
    fn is_in_turn(&self, actor: &ActorId, count: u64, turn: Turn) -> bool {
        let Turn::After(before) = turn else { return true };
        let chain = self.authors.get(actor).map_or(&[][..], |author| &author.chain);
        let last = count.checked_sub(1).and_then(|last| chain.get(last as usize));
        last.is_some_and(|(hash, _)| *hash == before)
    }

    /// What the operations of `change` make. None when one of them is about something that is not before it.
    fn made_by(&self, change: &Change, past: &Past) -> Option<Made> {
        let operations = change::contained(|| change.decode()).ok()?.operations;
        let mut made = Made::new();
        for (number, op) in (change.start_op().get()..).zip(&operations) {
            let find = |id: &OpId| self.find(id, past, (change.actor_id(), &made));
            match effect(op, find)? {
                None => {}
                Some(Run::Pieces { text, count }) => match made.last_entry() {
                    Some(mut last) if last.get().goes_on(*last.key(), number, &text) => {
                        *last.get_mut() = Run::Pieces { text, count: number + count - *last.key() };
                    }
                    _ => drop(made.insert(number, Run::Pieces { text, count })),
                },
                Some(named) => drop(made.insert(number, named)),
            }
        }
        Some(made)
    }

    /// What operation `id` made, if it is in `past` or among those that the change itself `made` so far.
    fn find<'a>(&'a self, id: &OpId, past: &Past, (actor, made): (&ActorId, &'a Made)) -> Option<&'a Run> {
        if let Some(run) = Some(made).filter(|_| id.actor() == actor).and_then(|made| run_at(made, id)) {
            return Some(run);
        }
        let author = self.authors.get(id.actor())?;
        let number = author.chain.partition_point(|(_, start)| *start <= id.counter()) as u64;
        let is_before = (1..=past.count(id.actor())).contains(&number);
        Some(&author.made).filter(|_| is_before).and_then(|made| run_at(made, id))
    }
}

impl Run {
    /// Whether operation `number` may continue this run, which begins at `first`, in `text`.
    fn goes_on(&self, first: u64, number: u64, text: &OpId) -> bool {
        matches!(self, Self::Pieces { text: of, count } if of == text && first + count == number)
    }
}

fn run_at<'a>(made: &'a Made, id: &OpId) -> Option<&'a Run> {
    let (first, run) = made.range(..=id.counter()).next_back()?;
    let count = match run {
        Run::Named { .. } => 1,
        Run::Pieces { count, .. } => *count,
    };
    (id.counter() - first < count).then_some(run)
}

/// What `op` makes, if anything; none when it makes no sense. [`check`](super::edit::check) saw that it is of a kind
/// that boards have.
fn effect<'a>(op: &Op, find: impl Fn(&OpId) -> Option<&'a Run>) -> Option<Option<Run>> {
    let replaced: Vec<&OpId> = op.pred.iter().collect();
    if replaced.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    match (&op.obj, &op.key) {
        (ObjectId::Root, Key::Map(key)) => {
            let is_there =
                |id: &&OpId| matches!(find(id), Some(Run::Named { name, .. }) if name == key.as_str());
            if op.insert || !replaced.iter().all(is_there) {
                return None;
            }
            let is_text = matches!(op.action, OpType::Make(ObjType::Text));
            let is_made = !matches!(op.action, OpType::Delete);
            Some(is_made.then(|| Run::Named { name: key.to_string(), is_text }))
        }
        (ObjectId::Id(text), Key::Seq(at)) => {
            let is_text = matches!(find(text), Some(Run::Named { is_text: true, .. }));
            let is_there = match at {
                ElementId::Head => op.insert,
                ElementId::Id(at) => matches!(find(at), Some(Run::Pieces { text: of, .. }) if of == text),
            };
            // A piece of text is put once, and taken away as that one.
            let replaces = match at {
                ElementId::Id(at) if !op.insert => replaced == [at],
                _ => replaced.is_empty(),
            };
            let is_sound = is_text && is_there && replaces;
            is_sound.then(|| op.insert.then(|| Run::Pieces { text: text.clone(), count: 1 }))
        }
        _ => None,
    }
}
