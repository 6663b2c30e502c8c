//! Content that moments name: who makes it, who wants it, and who can have it.

use xyn_store::Digest;
use xyn_store::simulation::Dice;

use super::World;
use crate::node::chest::Piece;
use crate::scenario::Work;
use crate::tally::Happening;

/// The most files of a tree, and the most bytes of one.
const FILES_MAX: u64 = 6;
const FILE_BYTES_MAX: u64 = 4000;

/// A node that does not have what it wants and could.
pub(crate) struct Lack {
    pub(crate) node: usize,
    /// A neighbour that has it.
    pub(crate) holder: usize,
    /// What.
    pub(crate) root: Digest,
}

impl World {
    /// Makes a tree or an artifact at `node`. None when there is no room for it.
    pub(crate) fn make(&mut self, node: usize, work: &Work) -> Option<Piece> {
        let machine = &mut self.machines[node];
        let dice = &mut machine.dice;
        let made = if dice.coin() {
            let files: Vec<_> = (0..=dice.below(FILES_MAX)).map(|_| noise(dice, FILE_BYTES_MAX)).collect();
            machine.chest().put_tree(&files)
        } else {
            let bytes = noise(dice, work.content_kib << 10);
            machine.chest().put_artifact(&bytes)
        };
        made.ok()
    }

    /// A moment of `node` names `piece` now.
    pub(crate) fn name(&mut self, node: usize, piece: Piece) {
        self.machines[node].chest().share(piece);
        self.named.push(piece);
    }

    /// Somebody at `node` wants something that its timeline names, if it does.
    pub(crate) fn want_something(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let (false, Some(running)) = (self.named.is_empty(), &mut machine.running) else { return };
        let piece = self.named[machine.dice.below(self.named.len() as u64) as usize];
        if running.shelf.names(&piece.root) {
            running.chest.want(piece);
        }
    }

    /// A node asks for what is wanted there.
    pub(super) fn look_for_content(&mut self, node: usize) {
        if self.machines[node].chest().wanted().next().is_none() {
            return;
        }
        let mut came = Vec::new();
        self.act(node, |running, now| came = running.process.look_for_content(&mut running.chest, now));
        if !came.is_empty() {
            came.iter().for_each(|_| self.check.happened(node, Happening::Fetched));
            self.verify_content(node);
        }
    }

    /// What a node says it has is what it is called.
    pub(super) fn verify_content(&mut self, node: usize) {
        if let Some(object) = self.machines[node].chest().counterfeit() {
            self.check.counterfeit(self.now, node, object);
        }
    }

    /// The first that wants what a neighbour has, and has room for it.
    pub(super) fn first_lack(&self) -> Option<Lack> {
        let counting = self.counting();
        let chest = |node: usize| self.machines[node].running.as_ref().map(|running| &running.chest);
        let holder = |node: usize, root: &Digest| {
            let near = self.adjacent[node].iter().map(|link| self.links[*link].other(node));
            let has = |other: &usize| {
                let held = chest(*other).filter(|chest| counting.contains(other) && chest.is_shared(root));
                held.zip(chest(node)).is_some_and(|(held, here)| here.has_room_for(held, root))
            };
            near.into_iter().find(has)
        };
        let lack = |node: usize, Piece { root, .. }: Piece| {
            holder(node, &root).map(|holder| Lack { node, holder, root })
        };
        counting.iter().find_map(|node| chest(*node)?.wanted().find_map(|piece| lack(*node, piece)))
    }
}

/// Bytes that nobody made before, at most so many.
fn noise(dice: &mut Dice, most: u64) -> Vec<u8> {
    let words = 1 + dice.below(most.max(8)) / 8;
    (0..words).flat_map(|_| dice.roll().to_le_bytes()).collect()
}
