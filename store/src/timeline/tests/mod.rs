//! What holds for the timeline as a whole.

mod frames;
mod log;
mod model;
mod permutation;
pub(super) mod world;
