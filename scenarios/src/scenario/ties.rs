//! Who can reach whom, and who knows it from the start.
//!
//! Owns what a topology comes to. Invariant: the same scenario has the same links, in the same order.

use std::collections::BTreeSet;

use xyn_store::simulation::Dice;

use super::{Scenario, Topology};
use crate::fault::{Fault, Planned};

/// Purpose of the dice that choose links.
const LINKS: u64 = 2;

impl Scenario {
    /// The links of the world, the smaller number first, each once.
    pub(crate) fn links(&self) -> Vec<[usize; 2]> {
        self.pairs(&self.topology)
    }

    /// Who knows from the start where whom is; none where everybody knows it of all its neighbours. Whoever comes
    /// later knows the one whose ticket it has, and is known to nobody.
    pub(crate) fn acquaintances(&self) -> Option<BTreeSet<[usize; 2]>> {
        let comes_later = |node: &usize| self.joins.iter().any(|join| join.node == *node);
        let pairs = self.pairs(self.knows.as_ref()?).into_iter();
        let early = pairs.filter(|pair| !pair.iter().any(comes_later)).map(|[a, b]| [b, a]);
        Some(early.chain(self.joins.iter().map(|join| [join.node, join.by])).collect())
    }

    /// The first that is to know where another is without a link to it.
    pub(super) fn out_of_reach(&self) -> Option<[usize; 2]> {
        let known = self.acquaintances()?;
        let links = self.links();
        known.into_iter().find(|[a, b]| links.binary_search(&[*a.min(b), *a.max(b)]).is_err())
    }

    /// Why a node would wait for ever for the key that it is to take.
    pub(super) fn never_confirmed(&self) -> Option<String> {
        let rotation = |planned: &Planned| match planned.fault {
            Fault::Rotate { node, by } => Some((node, by)),
            _ => None,
        };
        let rotations: BTreeSet<(usize, usize)> = self.faults.iter().filter_map(rotation).collect();
        if let Some((node, _)) = rotations.iter().find(|(node, _)| self.is_cloned(*node)) {
            return Some(format!(
                "node {node} takes another key and its folder is copied: which copy has the key nobody could say; \
                 leave out one of the faults `rotate` and `swap`"
            ));
        }
        // Whoever waits itself writes nothing: of those who wait for each other none comes to confirm.
        let mut waiting = rotations;
        loop {
            let left: BTreeSet<usize> = waiting.iter().map(|(node, _)| *node).collect();
            let stuck: BTreeSet<_> = waiting.iter().copied().filter(|(_, by)| left.contains(by)).collect();
            if stuck.len() == waiting.len() {
                let (node, by) = waiting.pop_first()?;
                return Some(format!(
                    "node {node} would wait for node {by} to confirm its key, and that one for it; let a node confirm \
                     that keeps its own"
                ));
            }
            waiting = stuck;
        }
    }

    /// Why a member's word that another one is out would count for nobody.
    pub(super) fn unheeded(&self) -> Option<String> {
        let host = |node: usize| self.joins.iter().find(|join| join.node == node).map(|join| join.by);
        self.faults.iter().find_map(|planned| {
            let Fault::Revoke { node, by, own: true } = planned.fault else { return None };
            let mut above = std::iter::successors(host(node), |above| host(*above)).take(self.nodes);
            let is_above = above.any(|above| above == by);
            (!is_above).then(|| {
                format!(
                    "node {by} cannot turn out node {node} by its own word: neither it nor anybody whom it let in let \
                     that one in; leave out `own`, and it carries the root's"
                )
            })
        })
    }

    fn pairs(&self, topology: &Topology) -> Vec<[usize; 2]> {
        let count = self.nodes;
        let ring = || (0..count).map(|node| [node, (node + 1) % count]);
        let pairs: Vec<[usize; 2]> = match topology {
            Topology::Full => (0..count).flat_map(|a| (a + 1..count).map(move |b| [a, b])).collect(),
            Topology::Star => (1..count).map(|node| [0, node]).collect(),
            Topology::Ring => ring().collect(),
            Topology::Line => ring().take(count.saturating_sub(1)).collect(),
            Topology::Links(links) => links.clone(),
            Topology::Random(degree) => {
                let mut dice = Dice::of(self.seed, LINKS);
                let extra = count * degree.saturating_sub(2) / 2;
                let mut chord = |_| [0; 2].map(|_| dice.below(count as u64) as usize);
                ring().chain((0..extra).map(&mut chord)).collect()
            }
        };
        let ordered = pairs.into_iter().map(|[a, b]| [a.min(b), a.max(b)]).filter(|[a, b]| a != b);
        ordered.collect::<BTreeSet<_>>().into_iter().collect()
    }
}
