//! What became of a capsule in a world: which nodes went through what, and when.

use serde::Serialize;
use xyn_store::Digest;

use crate::span::Span;

/// A capsule in a world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The name of the capsule.
    pub capsule: Digest,
    /// Of its file.
    pub file: Digest,
    /// Its place among the capsules of its app.
    pub generation: u64,
    /// Bytes of the file, which each node that has it keeps.
    pub size_bytes: u64,
    /// In how many chunks it travels.
    pub chunks: u64,
    /// Files in it, each proved at each node.
    pub files: u64,
    /// Who offered it.
    pub source: usize,
    /// Bytes that nodes answered each other about content, this and other.
    pub sent_bytes: u64,
    /// What is done with it, in this order at each node.
    pub steps: Vec<Passed>,
}

/// Nodes that did something with the capsule, and when, counted from when it was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// What they did.
    pub name: &'static str,
    /// How many did.
    pub nodes: u64,
    /// When half of them had.
    pub half_within: Span,
    /// When all of them had.
    pub all_within: Span,
}

impl Passed {
    /// From when each did it.
    pub(crate) fn new(name: &'static str, mut times: Vec<Span>) -> Self {
        times.sort_unstable();
        let half = times.len().div_ceil(2).saturating_sub(1);
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Self {
            name,
            nodes: times.len() as u64,
            half_within: at(half),
            all_within: at(times.len().saturating_sub(1)),
        }
    }
}

impl Spread {
    /// For people.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let Self { source, size_bytes, chunks, files, sent_bytes, .. } = self;
        let capsule = format!(
            "capsule    {size_bytes} bytes, {chunks} chunks, {files} files, from node {source}; {sent_bytes} bytes sent"
        );
        let passed = self.steps.iter().map(|step| {
            let Passed { name, nodes, half_within, all_within } = step;
            format!("{name:<10} {nodes} nodes, half within {half_within}, all within {all_within}")
        });
        [capsule].into_iter().chain(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_all_are_times_at_which_somebody_did_it() {
        let passed = |times: &[u64]| {
            let passed = Passed::new("x", times.iter().copied().map(Span::secs).collect());
            (passed.nodes, passed.half_within, passed.all_within)
        };
        assert_eq!(passed(&[]), (0, Span::secs(0), Span::secs(0)));
        assert_eq!(passed(&[7]), (1, Span::secs(7), Span::secs(7)));
        assert_eq!(passed(&[9, 2]), (2, Span::secs(2), Span::secs(9)));
        assert_eq!(passed(&[9, 2, 4]), (3, Span::secs(4), Span::secs(9)));
    }
}
