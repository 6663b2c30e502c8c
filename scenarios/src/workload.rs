//! What people do: entries, batches of them, and boards that several edit.

use std::time::Duration;

use xyn_store::ids::{self, CommentId, EntryId};
use xyn_store::scope::Principal;
use xyn_store::simulation::Dice;
use xyn_store::timeline::board::{Board, Edit};
use xyn_store::timeline::entry::{Branch, Kind, Note, Refs};
use xyn_store::timeline::{Made, Saying};
use xyn_store::{Digest, Timestamp};

use crate::node::Shelf;
use crate::node::chest::Piece;
use crate::scenario::Work;
use crate::world::World;

const KINDS: [Kind; 6] = [Kind::Edit, Kind::Run, Kind::Note, Kind::Deploy, Kind::Generate, Kind::Merge];
const BRANCHES: [&str; 3] = ["main", "draft", "review"];

/// How long until somebody does it again: around the average, never at once.
pub(crate) fn pause(work: &Work, dice: &mut Dice) -> Duration {
    let micros = work.every.0.as_micros() as u64;
    Duration::from_micros(micros / 2 + dice.below(micros + 1))
}

impl World {
    /// Somebody at `node` does a piece of `work`.
    pub(crate) fn toil(&mut self, node: usize, work: &Work) {
        let dice = &mut self.machines[node].dice;
        let is_board = dice.below(100) < work.boards;
        let count = 1 + dice.below(work.batch);
        if is_board && self.edit(node) {
            return;
        }
        let now = self.now;
        let machine = &mut self.machines[node];
        let mut notes: Vec<_> = (0..count).map(|_| entry(node, now, &mut machine.dice)).collect();
        // Where nothing has content, no dice are rolled for it.
        let has_content = work.content > 0 && machine.dice.below(100) < work.content;
        let piece = if has_content { self.make(node, work) } else { None };
        if let (Some(piece), Some((id, note))) = (piece, notes.last_mut()) {
            name(piece, *id, &mut note.refs);
        }
        let sayings = notes.into_iter().map(|(id, note)| Saying::Entry(id, Box::new(note)));
        let is_said = self.say(node, sayings.collect());
        if let Some(piece) = piece.filter(|_| is_said) {
            self.name(node, piece);
        }
        if work.content > 0 {
            self.want_something(node);
        }
    }

    /// A node writes to its own feed.
    pub(crate) fn say(&mut self, node: usize, sayings: Vec<Saying>) -> bool {
        self.write(node, |shelf, now| shelf.say(now, sayings))
    }

    fn edit(&mut self, node: usize) -> bool {
        let dice = &mut self.machines[node].dice;
        let Some(known) = self.check.some_entry(dice) else { return false };
        let (board, edits) = edits(known, self.now, dice);
        self.write(node, |shelf, now| shelf.edit(now, &board, &edits))
    }

    /// A node writes something. Answers whether that is kept.
    pub(crate) fn write(&mut self, node: usize, write: impl FnOnce(&mut Shelf, Timestamp) -> bool) -> bool {
        let mut is_kept = false;
        self.act(node, |running, now| is_kept = write(&mut running.shelf, now));
        is_kept
    }
}

fn entry(node: usize, now: Timestamp, dice: &mut Dice) -> (EntryId, Note) {
    let number = dice.roll();
    let id = ids::derived(now, &[&node.to_be_bytes(), &number.to_be_bytes()]);
    let kind = KINDS[dice.below(KINDS.len() as u64) as usize];
    let branch = BRANCHES[dice.below(BRANCHES.len() as u64) as usize].parse();
    let after = dice.coin().then(|| Digest::of(&number.to_be_bytes()));
    let note = Note {
        principal: Principal::new(format!("person-{node}@sim")),
        branch: branch.unwrap_or_else(|_| Branch::main()),
        kind,
        title: format!("work {number:016x}"),
        refs: Refs { after, ..Refs::default() },
    };
    (id, note)
}

/// Lets a moment name `piece`.
fn name(piece: Piece, moment: EntryId, refs: &mut Refs) {
    let Piece { root, is_tree, size_bytes } = piece;
    if is_tree {
        refs.after = Some(root);
        return;
    }
    refs.artifacts.push(Made {
        artifact_id: ids::derived(Timestamp::EPOCH, &[moment.as_bytes()]),
        name: "noise.bin".into(),
        kind: "file".into(),
        content_type: "application/octet-stream".into(),
        byte_length: size_bytes,
        sha256: root,
    });
}

fn edits(entry: EntryId, now: Timestamp, dice: &mut Dice) -> (Board, Vec<Edit>) {
    let number = dice.roll();
    match dice.below(4) {
        0 => (Board::Label(format!("label {}", number % 5)), vec![Edit::Label(entry)]),
        1 => (Board::Pin(entry), vec![Edit::Pin]),
        2 => {
            let board = Board::Branch(Branch::main());
            (board, vec![if number.is_multiple_of(2) { Edit::Open(entry) } else { Edit::Move(entry) }])
        }
        _ => {
            let id: CommentId = ids::derived(now, &[&number.to_be_bytes()]);
            (Board::Review(entry), vec![Edit::Comment(id, format!("comment {}", number % 100))])
        }
    }
}
