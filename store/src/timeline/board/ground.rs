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
    authors: Vec<Author>,
    /// Where each author stands among them.
    numbers: BTreeMap<ActorId, u32>,
    size_bytes: usize,
}

/// What lies before a change and in it: how many changes of each author, and the highest number of an operation.
#[derive(Clone, Debug, Default)]
struct Past {
    /// By the author's number. A board has as many of these as changes, and each is as long as there are authors.
    changes: Vec<(u32, u64)>,
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
    /// Its author has this one under its number.
    Rival(ChangeHash),
}

impl Past {
    fn join(&mut self, other: &Self) {
        other.changes.iter().for_each(|(author, count)| self.raise(*author, *count));
        self.max_op = self.max_op.max(other.max_op);
    }

    fn raise(&mut self, author: u32, to: u64) {
        match self.changes.binary_search_by_key(&author, |(of, _)| *of) {
            Ok(at) => self.changes[at].1 = self.changes[at].1.max(to),
            Err(at) => self.changes.insert(at, (author, to)),
        }
    }

    fn count(&self, author: u32) -> u64 {
        let found = self.changes.binary_search_by_key(&author, |(of, _)| *of);
        found.map_or(0, |at| self.changes[at].1)
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
        let number = self.numbers.get(actor).copied();
        let count = number.map_or(0, |number| past.count(number));
        // The library numbers changes and operations without a gap, and names an author in documents of its own only.
        let follows = change.seq() == count + 1 && change.start_op().get() == past.max_op + 1;
        let is_plain = !change.is_empty() && change.author().is_none();
        if !follows || !is_plain || !self.is_in_turn(number, count, turn) {
            return Verdict::Senseless;
        }
        let Some(made) = self.made_by(change, &past) else { return Verdict::Senseless };
        let number = number.unwrap_or_else(|| self.enter(actor));
        let author = &mut self.authors[number as usize];
        if let Some((other, _)) = author.chain.get(count as usize) {
            return Verdict::Rival(*other);
        }
        past.raise(number, change.seq());
        past.max_op = change.max_op();
        past.changes.shrink_to_fit();
        self.size_bytes += size_of_val(past.changes.as_slice());
        self.size_bytes += made.values().map(Run::size_bytes).sum::<usize>();
        author.chain.push((change.hash(), change.start_op().get()));
        author.made.extend(made);
        self.pasts.insert(change.hash(), past);
        Verdict::Taken
    }

    /// Bytes that the grounds take beside a fixed amount for each change, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn enter(&mut self, actor: &ActorId) -> u32 {
        let number = self.authors.len() as u32;
        self.authors.push(Author::default());
        self.numbers.insert(actor.clone(), number);
        number
    }

    fn author(&self, actor: &ActorId) -> Option<(u32, &Author)> {
        let number = *self.numbers.get(actor)?;
        Some((number, &self.authors[number as usize]))
    }

    /// How many changes of the author are here, and the last of them.
    pub(super) fn last_of(&self, actor: &ActorId) -> Option<(u64, ChangeHash)> {
        let chain = &self.author(actor)?.1.chain;
        chain.last().map(|(hash, _)| (chain.len() as u64, *hash))
    }

    /// Whether the author's change number `count` is the one that its next one comes behind. So each time that an
    /// author goes back to an old number there is one rival at most, and not one for each change from there on.
    fn is_in_turn(&self, author: Option<u32>, count: u64, turn: Turn) -> bool {
        let Turn::After(before) = turn else { return true };
        let chain = author.map_or(&[][..], |number| &self.authors[number as usize].chain);
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
        let (number, author) = self.author(id.actor())?;
        let change = author.chain.partition_point(|(_, start)| *start <= id.counter()) as u64;
        let is_before = (1..=past.count(number)).contains(&change);
        Some(&author.made).filter(|_| is_before).and_then(|made| run_at(made, id))
    }
}

impl Run {
    /// Bytes that it takes, with its number, roughly.
    fn size_bytes(&self) -> usize {
        let name = match self {
            Self::Named { name, .. } => name.len(),
            Self::Pieces { .. } => 0,
        };
        size_of::<(u64, Self)>() + name
    }

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
