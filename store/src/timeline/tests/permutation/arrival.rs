//! How what was written comes to a node: cut into frames, in an order, with repetitions, in batches.

use super::super::world::{Author, env};
use super::history::History;
use crate::simulation::Dice;
use crate::timeline::fork::Proof;

/// What comes at once.
pub(super) enum News {
    Frames(Vec<Vec<u8>>),
    /// That a feed forked, from one who saw it.
    Proof(Proof),
}

/// Everything in `history`, as `dice` have it come. Authors sign whenever they are asked: so wherever a frame
/// ends, its author's signature can stand, and it may begin at any record before.
pub(super) fn arrival(history: &History, dice: &mut Dice) -> Vec<News> {
    let mut frames: Vec<Vec<u8>> = history.branches().flat_map(|branch| framed(branch, dice)).collect();
    for _ in 0..below(dice, frames.len() + 1) {
        frames.push(frames[below(dice, frames.len())].clone());
    }
    for place in (1..frames.len()).rev() {
        frames.swap(place, below(dice, place + 1));
    }
    let mut news = Vec::new();
    while !frames.is_empty() {
        let size = (1 + below(dice, 6)).min(frames.len());
        news.push(News::Frames(frames.drain(..size).collect()));
    }
    for proof in proofs(history, dice) {
        news.insert(below(dice, news.len() + 1), News::Proof(proof));
    }
    news
}

/// What `branch` wrote: record by record as news, all of it as one pack, or in ranges of some length, which may
/// begin with records that others hold too. And frames over any range, from those who have other signatures.
fn framed(branch: &Author, dice: &mut Dice) -> Vec<Vec<u8>> {
    let chain = branch.written();
    let (style, mut ranges, mut end) = (dice.below(3), Vec::new(), 0);
    while end < chain.len() {
        let length = match style {
            0 => 1,
            1 => chain.len(),
            _ => 1 + below(dice, 4),
        };
        let first = if dice.below(3) == 0 { below(dice, end + 1) } else { end };
        end = chain.len().min(end + length);
        ranges.push(first..end);
    }
    if !chain.is_empty() {
        for _ in 0..dice.below(3) {
            let first = below(dice, chain.len());
            ranges.push(first..first + 1 + below(dice, chain.len() - first));
        }
    }
    ranges.into_iter().map(|range| branch.frame(&chain[range])).collect()
}

/// What shows some of the forks in `history`, not always where they begin.
fn proofs(history: &History, dice: &mut Dice) -> Vec<Proof> {
    let branches: Vec<&Author> = history.branches().collect();
    let pairs = branches.iter().flat_map(|one| branches.iter().map(move |other| (one, other)));
    let forked = pairs.filter(|(one, other)| one.feed == other.feed && one.head.hash < other.head.hash);
    let mut proofs = Vec::new();
    for (one, other) in forked {
        let mut behind = |branch: &Author| {
            let chain = branch.written();
            chain
                .get(below(dice, chain.len().max(1))..)
                .filter(|it| !it.is_empty())
                .map(|it| branch.frame(it))
        };
        proofs.extend(
            behind(one).zip(behind(other)).and_then(|(one, other)| Proof::new(&env(), one, other).ok()),
        );
    }
    proofs
}

/// A number below `end`, which is not 0.
pub(super) fn below(dice: &mut Dice, end: usize) -> usize {
    dice.below(end as u64) as usize
}
