//! What a node allows: any blueprint, and all that it does at once.
//!
//! Owns the bounds that the checker holds an author's numbers against, and those of the node as a whole. A blueprint
//! may stay below them, never above.

use std::time::Duration;

/// Bounds that a node sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Steps of a plan, and steps a run may take.
    pub max_steps: u32,
    /// Time a run may work, waiting apart.
    pub wall_clock: Duration,
    /// Runs that may work at once on this node; a blueprint may state fewer of its own.
    pub concurrency: u32,
    /// Runs that may stand in one line, for a place of their blueprint or of the node, before more are refused.
    pub run_line: u32,
    /// Items of one step under way at once.
    pub max_parallel: u32,
    /// Attempts of one step, the first included.
    pub max_attempts: u32,
    /// Longest wait of a gate or between attempts.
    pub max_wait: Duration,
    /// Entries of the journal that may wait for the dispatcher before new events are refused.
    pub event_backlog: u64,
    /// How long the first of them may wait before new events are refused.
    pub event_backlog_age: Duration,
    /// Requests that an address, and intents that a principal, may make each second in the long run; 0 limits neither.
    pub requests_per_second: u32,
    /// How many of them may come at once.
    pub request_burst: u32,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            max_steps: 200,
            wall_clock: Duration::from_secs(60 * 60),
            // More than there can be connections, so that short runs started over HTTP never queue; each that works
            // holds a few kilobytes.
            concurrency: 10_000,
            run_line: 100_000,
            max_parallel: 64,
            max_attempts: 100,
            max_wait: Duration::from_secs(366 * 24 * 60 * 60),
            event_backlog: 1_000_000,
            event_backlog_age: Duration::from_secs(7 * 24 * 60 * 60),
            requests_per_second: 0,
            request_burst: 100,
        }
    }
}

impl NodeLimits {
    /// The bounds for what was promoted when other ones held: none. A lower limit does not unmake a blueprint that
    /// states a higher one; those of work and of runs at once hold beside it.
    pub(super) fn for_promoted(&self) -> Self {
        Self {
            max_steps: u32::MAX,
            wall_clock: Duration::MAX,
            concurrency: u32::MAX,
            max_parallel: u32::MAX,
            max_attempts: u32::MAX,
            max_wait: Duration::MAX,
            ..self.clone()
        }
    }
}
