//! What holds for the timeline as a whole.

mod approvals;
mod exclusion;
mod frames;
mod left_out;
mod log;
mod member;
mod model;
mod named;
pub(crate) mod node;
mod pace;
mod packs;
mod permutation;
mod rebuild;
mod recut;
mod replica;
mod runs;
mod state;
pub(super) mod world;
